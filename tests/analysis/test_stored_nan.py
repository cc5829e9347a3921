"""Predictions of earlier versions that hold NaN: the report makes no number of them."""

import numpy as np
import pytest
from outcomes import with_record

from analysis.results.artifacts import fault_of_scores
from analysis.results.results import Results
from analysis.tables.main import main_table

NAN = float("nan")


def with_predictions(maker, outcome, arrays):
    artifact = maker.save(f"{outcome.cell}{outcome.seed}.npz", arrays)
    artifacts = {**outcome.record.artifacts, "predictions": artifact}
    return with_record(outcome, artifacts=artifacts)


def test_a_run_whose_stored_scores_are_nan_is_a_failure_and_no_accuracy(maker, seven_study):
    scores = np.full((20, 10), NAN, dtype=np.float32)
    whole = maker.train({"variant": "VLF"}, 0, 80.0)
    broken = with_predictions(
        maker, maker.train({"variant": "TSN"}, 0, 10.0), {"scores": scores, "labels": np.arange(20)}
    )
    results = Results(seven_study, [whole, broken], maker.root)

    first, second = results.outcomes
    assert first == whole
    assert (second.status, second.reason) == ("failed", "diverged: NaN in 200 of 200 test scores")
    by_label = {variant.label: variant for variant in results.variants}
    assert results.accuracy(by_label["TSN"]) is None
    assert results.arrays(by_label["TSN"], "predictions") == []
    assert results.artifacts.damaged == [(broken, "predictions")]
    texts = [entry.text for row in main_table(results).rows for entry in row]
    assert "10.0" not in texts


@pytest.mark.parametrize("value", [NAN, np.inf, -np.inf])
def test_a_single_score_of_a_noun_is_enough(value):
    noun = np.ones((3, 4))
    noun[2, 1] = value
    arrays = {"verb_scores": np.ones((3, 2)), "noun_scores": noun, "noun_labels": np.zeros(3)}

    assert fault_of_scores(arrays) == "diverged: NaN in 1 of 18 test scores"
    assert fault_of_scores({**arrays, "noun_scores": np.ones((3, 4))}) == ""
