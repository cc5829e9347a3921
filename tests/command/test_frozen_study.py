"""Studies of frozen and of published backbones, by the real command."""

import csv

import pytest
import torch
from study_runs import answers, refused, run, run_apart

from vlf.config import RunConfig
from vlf.models import build_model

STUDY = """\
question: Does order matter to features that are not trained?
base:
  data: {name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 16, test_clips: 32}
  model: {name: vlf, width: 16, heads: 2, spatial_depth: 0, spatiotemporal_depth: 1, pretrained: tiny.pt}
  train: {epochs: 2, batch_size: 16, freeze: f, stored_views: 1}
factors:
  variant:
    VLF: {}
    TSN: {model: {name: tsn, pretrained: tiny.pt}}
seeds: [0]
cost: {batch_sizes: [1], rounds: 5}
run: {workers: 2}
report: {baseline: {variant: VLF}, figures: []}
"""  # noqa: E501


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "frozen.yaml"
    path.write_text(STUDY, "utf-8")
    torch.manual_seed(0)
    model = build_model(RunConfig().model, RunConfig().data)
    torch.save(model.f[0].state_dict(), tmp_path / "tiny.pt")
    return path


def test_a_study_of_a_frozen_backbone_computes_its_features_once(study):
    run(study)

    results = study.parent / "results"
    assert len(answers(results)) == 2
    files = [path for path in (results / "features").rglob("*") if path.is_file()]
    assert len(files) == 48 + 16 + 32
    with (results / "frozen" / "records.csv").open(newline="") as file:
        rows = {(row["variant"], row["metric"]): row["value"] for row in csv.DictReader(file)}
    size = sum(path.stat().st_size for path in files) / 2**20
    assert float(rows["VLF", "feature_storage"]) == pytest.approx(size)
    # A linear layer from 64 channels to 10 classes.
    assert float(rows["TSN", "trained_parameters"]) == 64 * 10 + 10


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "freeze: f, stored_views: 1",
            "freeze: 4",
            "frozen.yaml:5: base.train.freeze: must be none, f or 1 to 3, got 4",
        ),
        (
            "stored_views: 1",
            "stored_views: 1, mixup: 0.2",
            "frozen.yaml:5: base.train.mixup: blends clips anew in every batch",
        ),
        (
            "TSN: {model: {name: tsn, pretrained: tiny.pt}}",
            "TSN: {model: {name: timesformer}}",
            "train.freeze: timesformer has no backbone to freeze; say none (cell variant=TSN)",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_before_anything_is_trained(study, old, new, line):
    text = (
        study.read_text("utf-8")
        .replace(old, new)
        .replace("freeze: 4, stored_views: 1", "freeze: 4")
    )
    study.write_text(text, "utf-8")

    said = refused(study)

    assert line in said
    assert len(said.splitlines()) == 1
    assert not (study.parent / "results").exists()


def test_weights_that_cannot_be_fetched_are_one_line_before_anything_is_trained(study, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # read when its library is imported
    monkeypatch.setenv("HF_HOME", str(study.parent / "hub"))
    published = 'backbone: "timm:resnet10t", pretrained: true}\n  train'
    study.write_text(STUDY.replace("pretrained: tiny.pt}\n  train", published), "utf-8")

    said = run_apart(study, code=2).stderr

    line = 'frozen.yaml:4: base.model.pretrained: cannot fetch the weights of "timm:resnet10t" ('
    assert line in said
    assert len(said.splitlines()) == 1
    assert not (study.parent / "results").exists()
