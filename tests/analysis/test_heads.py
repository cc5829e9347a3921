"""Stored predictions of a verb head and a noun head."""

import numpy as np

from analysis.heads import read_heads

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
