import dataclasses

import pytest
from outcomes import with_record

from analysis.results.results import Results
from analysis.tables.main import main_table
from vlf.config import TimeSformerConfig, TSNConfig, VLFConfig

START = "The models differ in more than their names say. "


def results(maker, models, patches=None):
    """Results of a study with one seed of each model, label -> config of the model."""
    study = maker.study({"variant": list(models)})
    levels = [
        dataclasses.replace(level, patch=(patches or {}).get(level.label, {}))
        for level in study.factors["variant"]
    ]
    study = dataclasses.replace(study, factors={"variant": tuple(levels)})
    outcomes = []
    for label, model in models.items():
        outcome = maker.train({"variant": label}, 0, 50.0)
        config = {**outcome.record.config, "model": model.model_dump()}
        outcomes.append(with_record(outcome, config=config))
    return Results(study, outcomes, maker.root)


def remarks(*arguments):
    remarks = main_table(results(*arguments)).remarks
    return [remark for remark in remarks if remark.startswith(START)]


def test_choices_that_no_level_names_are_told_with_the_cells_that_have_them(maker):
    models = {
        "VLF": VLFConfig(),
        "no g": VLFConfig(spatial_depth=0),
        "TimeSformer-like": TimeSformerConfig(),
        "TSN": TSNConfig(),
    }

    assert remarks(maker, models, {"TimeSformer-like": {"model": {"name": "timesformer"}}}) == [
        f"{START}Keys start equal to queries: VLF, no g; Keys start independent of queries: "
        "TimeSformer-like. The mean of the tokens is classified: VLF, no g; A class token is "
        "classified: TimeSformer-like. MLP head: VLF, no g; Linear head: TimeSformer-like."
    ]


def test_models_that_share_them_have_no_remark(maker):
    fair = TimeSformerConfig(attention_init="tied", readout="mean", head="mlp")

    assert remarks(maker, {"VLF": VLFConfig(), "TimeSformer-like": fair, "TSN": TSNConfig()}) == []


@pytest.mark.parametrize(
    "patch", [{"model.readout": "class_token"}, {"model": {"name": "vlf", "readout": "mean"}}]
)
def test_a_choice_that_a_level_sets_is_told_by_its_name(maker, patch):
    models = {"ours": VLFConfig(), "class token": VLFConfig(readout="class_token")}

    assert remarks(maker, models, {"class token": patch}) == []


def test_initial_weights_that_a_file_replaces_are_not_told(maker):
    same = {"readout": "mean", "head": "mlp"}
    models = {"VLF": VLFConfig(), "fine-tuned": TimeSformerConfig(weights="a.pth", **same)}

    assert remarks(maker, models) == []
