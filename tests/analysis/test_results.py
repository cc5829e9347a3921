import dataclasses

import numpy as np
import pytest
from outcomes import with_record

from analysis.results.results import Results
from study.records.record import Artifact, Outcome
from study.spec.settings import ReportConfig


def by_label(results):
    return {variant.label: variant for variant in results.variants}


def test_cells_stand_in_the_study_files_order_not_in_that_of_finishing(maker):
    study = maker.study({"variant": ["VLF", "no g", "TSN"]})
    finished = [maker.train({"variant": name}, 0, 50.0) for name in ("TSN", "VLF", "no g")]

    assert list(by_label(Results(study, finished, maker.root))) == ["VLF", "no g", "TSN"]


@pytest.mark.parametrize(
    ("baseline", "cell", "its_baseline"),
    [
        (None, "TSN, frames 8", "VLF, frames 8"),
        (None, "VLF, frames 4", "VLF, frames 4"),
        ({"data.frames": "8"}, "TSN, frames 4", "TSN, frames 8"),
    ],
)
def test_the_baseline_is_the_first_level_or_the_level_of_the_study_within_other_factors(
    maker, baseline, cell, its_baseline
):
    report = {"report": ReportConfig(baseline=baseline)} if baseline else {}
    study = maker.study({"variant": ["VLF", "TSN"], "data.frames": [4, 8]}, **report)
    levels = [{"variant": v, "data.frames": k} for v in ("VLF", "TSN") for k in ("4", "8")]
    results = Results(study, [maker.train(one, 0, 50.0) for one in levels], maker.root)
    cells = by_label(results)

    assert results.baseline_of(cells[cell]) is cells[its_baseline]


def test_one_at_a_time_has_one_baseline(maker):
    study = maker.study({"variant": ["VLF", "TSN"], "data.frames": [4, 8]}, design="one_at_a_time")
    levels = [("VLF", "4"), ("TSN", "4"), ("VLF", "8")]
    outcomes = [maker.train({"variant": v, "data.frames": k}, 0, 50.0) for v, k in levels]
    results = Results(study, outcomes, maker.root)

    assert {results.baseline_of(v).label for v in results.variants} == {"baseline"}
    assert [v.label for v in results.variants] == ["baseline", "frames 8", "TSN"]


def test_differences_are_corrected_over_the_whole_table(maker):
    study = maker.study({"variant": ["VLF", "a", "b"]})
    runs = {"VLF": (80.0, 81.0, 82.0), "a": (78.0, 79.5, 79.9), "b": (70.0, 72.0, 71.0)}

    found = Results(study, maker.runs(runs), maker.root).differences

    p = {cell: difference.p for cell, (difference, _) in found.items()}
    smaller, larger = sorted(p.values())
    corrected = sorted(q for _, q in found.values())
    assert set(p) == {"variant=a", "variant=b"}
    assert corrected == pytest.approx([2 * smaller, max(2 * smaller, larger)])


def test_numbers_of_a_failed_record_are_not_results(maker, seven_study):
    done = maker.train({"variant": "VLF"}, 0, 80.0)
    failed = dataclasses.replace(done, status="failed", reason="killed")
    results = Results(seven_study, [failed], maker.root)

    assert results.accuracy(results.variants[0]) is None


def test_costs_of_different_timing_runs_have_no_ratio(maker, seven_study):
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0, run="run-1"),
        maker.cost({"variant": "no g"}, 10, 1e6, 1.0, run="run-1"),
        maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run="run-2"),
    ]
    results = Results(seven_study, outcomes, maker.root)

    cells = by_label(results)
    assert results.ratio(cells["TSN"], cells["VLF"], "latency", 1) is None
    assert results.ratio(cells["no g"], cells["VLF"], "latency", 1).value == pytest.approx(
        0.5, rel=0.05
    )


def test_a_ratio_is_paired_with_the_baselines_record_of_the_same_run(maker, seven_study):
    again = maker.cost({"variant": "VLF"}, 10, 1e6, 4.0, run="run-2").record
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0, run="run-1"),
        dataclasses.replace(
            maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run="run-2"), reference=again
        ),
    ]
    results = Results(seven_study, outcomes, maker.root)

    found = results.ratio_to_baseline(by_label(results)["TSN"], "latency", 1)

    assert found.value == pytest.approx(0.25, rel=0.05)


def test_an_artifact_that_cannot_be_read_is_told_once(maker, seven_study):
    outcome = maker.train({"variant": "VLF"}, 0, 80.0)
    (maker.root / outcome.record.artifacts["curves"].path).write_bytes(b"torn")
    results = Results(seven_study, [outcome], maker.root)

    assert results.arrays(results.variants[0], "curves") == []
    assert results.arrays(results.variants[0], "curves") == []
    assert len(results.artifacts.problems) == 1
    assert "curves of variant=VLF, seed 0, could not be read" in results.artifacts.problems[0]


def test_an_artifact_outside_of_the_results_folder_is_not_opened(maker, seven_study):
    outcome = maker.train({"variant": "VLF"}, 0, 80.0)
    np.savez(maker.root.parent / "secret.npz", epoch=np.arange(3))
    elsewhere = with_record(outcome, artifacts={"curves": Artifact("../secret.npz", "0" * 64)})
    results = Results(seven_study, [elsewhere], maker.root)

    assert results.arrays(results.variants[0], "curves") == []
    assert "outside of the results folder" in results.artifacts.problems[0]


def test_cells_that_share_a_cost_record_are_one_model(maker):
    study, outcomes = maker.rates_of_two()
    results = Results(study, outcomes, maker.root)

    groups = [[variant.label for variant in cells] for cells in results.by_model]
    assert groups == [["VLF, lr 0.001", "VLF, lr 0.002"], ["TSN, lr 0.001", "TSN, lr 0.002"]]
    assert not results.is_one_model


def test_a_sweep_of_the_learning_rate_is_of_one_model(maker):
    study, outcomes = maker.learning_rates()

    assert Results(study, outcomes, maker.root).is_one_model


def test_a_single_cell_is_not_called_one_model_since_its_costs_are_a_result(maker):
    study = maker.study({"variant": ["VLF"]})
    results = Results(study, [maker.cost({"variant": "VLF"}, 1, 1e6, 2.0)], maker.root)

    assert not results.is_one_model


def test_the_ratio_of_a_model_to_itself_is_one_without_an_interval(maker):
    study, outcomes = maker.rates_of_two()
    results = Results(study, outcomes, maker.root)
    cells = by_label(results)
    ours, theirs = cells["VLF, lr 0.002"], cells["VLF, lr 0.001"]

    assert results.ratio(ours, theirs, "latency", 1) == (1.0, None, None, 1)
    assert results.ratio_to_baseline(ours, "latency", 1) == (1.0, None, None, 1)
    assert results.ratio(ours, cells["TSN, lr 0.001"], "latency", 1).has_interval


def test_a_cell_without_a_cost_record_shares_its_model_with_none(maker):
    study = maker.study({"train.lr": ["0.1", "0.2"]})
    waiting = [
        Outcome("cost", f"train.lr={rate}", {"train.lr": rate}, {}, None, "not run")
        for rate in ("0.1", "0.2")
    ]

    assert not Results(study, waiting, maker.root).is_one_model
