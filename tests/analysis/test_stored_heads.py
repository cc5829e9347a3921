"""Stored predictions of a verb head and a noun head."""

import numpy as np
from outcomes import with_record

from analysis.findings.claims import compare
from analysis.findings.clips import compare_with_baselines
from analysis.results.artifacts import read_heads
from analysis.results.results import Results
from analysis.tables.main import main_table
from study.records.record import Measurement

VERBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
NOUNS = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
BOTH = {
    "verb_scores": VERBS,
    "verb_labels": np.array([0, 1, 1]),
    "verb_classes": np.array(["take", "put"]),
    "noun_scores": NOUNS,
    "noun_labels": np.array([2, 0, 1]),
    "noun_classes": np.array(["tap", "pan", "lid"]),
}


def test_heads_are_read_in_their_order_with_what_each_answers_rightly():
    verb, noun = read_heads(BOTH)
    assert (verb.name, verb.classes) == ("verb", ("take", "put"))
    assert (noun.name, noun.classes) == ("noun", ("tap", "pan", "lid"))
    assert verb.right.tolist() == [True, False, True]
    assert noun.right.tolist() == [True, True, False]


def test_one_head_has_no_name_and_scores_or_logits():
    for kind in ("scores", "logits"):
        (only,) = read_heads({kind: VERBS, "labels": np.array([0, 0, 0])})
        assert only.name == ""
        assert only.right.tolist() == [True, True, False]
        assert only.classes == ("0", "1")


def test_answers_without_labels_or_clips_are_no_heads():
    assert read_heads({"scores": VERBS}) == []
    assert read_heads({"scores": VERBS[:0], "labels": np.array([])}) == []
    assert read_heads({"epoch": np.arange(3)}) == []


def run_of(maker, label, verbs, nouns):
    """A run whose heads answer exactly these clips rightly."""
    right = {"verb": np.array(verbs, dtype=bool), "noun": np.array(nouns, dtype=bool)}
    arrays, measurements = {}, []
    for head, hits in right.items():
        labels = np.zeros(len(hits), dtype=np.int64)
        arrays[f"{head}_scores"] = np.eye(2)[np.where(hits, 0, 1)]
        arrays[f"{head}_labels"] = labels
        arrays[f"{head}_classes"] = np.array(["a", "b"])
        measurements.append(Measurement(f"{head}_top1", "%", "higher", (100 * hits.mean(),)))
    made = maker.train({"variant": label}, 0, 100 * (right["verb"] & right["noun"]).mean())
    artifact = maker.save(f"{label}.npz", arrays)
    measurements = (*made.record.measurements, *measurements)
    return with_record(made, artifacts={"predictions": artifact}, measurements=measurements)


def results_of(maker):
    outcomes = [
        run_of(maker, "A", [1, 1, 1, 0], [1, 0, 1, 1]),  # both right: clips 0 and 2
        run_of(maker, "B", [1, 1, 0, 1], [0, 1, 1, 1]),  # both right: clips 1 and 3
    ]
    return Results(maker.study({"variant": ["A", "B"]}), outcomes, maker.root)


def test_clips_are_compared_by_actions(maker):
    ((_, compared),) = compare_with_baselines(results_of(maker))
    assert compared.clips == 4
    assert (compared.seeds[0].only_ours, compared.seeds[0].only_theirs) == (2, 2)


def test_the_main_table_has_verb_and_noun_beside_the_action_where_there_are_any(maker):
    table = main_table(results_of(maker))
    at = table.header.index("top-1 (%) ↑")
    assert table.header[at : at + 3] == ("top-1 (%) ↑", "verb top-1 (%) ↑", "noun top-1 (%) ↑")
    rows = [[entry.text for entry in row[at : at + 3]] for row in table.rows]
    assert rows == [["50.0", "75.0", "75.0"], ["50.0", "75.0", "75.0"]]
    alone = maker.train({"variant": "A"}, 0, 50)
    plain = main_table(Results(maker.study({"variant": ["A"]}), [alone], maker.root))
    assert not any("verb" in name or "noun" in name for name in plain.header)
    assert "verb" not in plain.caption


def test_claims_may_name_a_head(maker):
    study = maker.study({"variant": ["A", "B"]}, claims=["verb_top1[A] > verb_top1[B]"])
    assert study.claims[0].kind == "accuracy"
    results = Results(study, results_of(maker).outcomes, maker.root)
    (comparison,) = compare(results, study.claims[0])
    assert comparison.samples == (0.0,)
