import numpy as np
import pytest
from outcomes import rows_of

from analysis.findings.classes import PerClass, class_accuracy, class_changes, compare_classes
from analysis.results.results import Results, Variant
from analysis.tables.classes import class_changes_table, classes_table

LABELS = np.repeat([0, 1, 2], [4, 4, 2])
NAMES = ("up", "down", "still")


def outcome(maker, label, seed, right, labels=LABELS, names=NAMES):
    """A run that answers exactly these clips rightly."""
    answers = np.where(np.asarray(right, dtype=bool), labels, (labels + 1) % len(names))
    return maker.answered(label, seed, answers, labels, names)


def results_of(maker, runs, **changes):
    outcomes = [
        outcome(maker, label, seed, right, **changes)
        for label, answers in runs.items()
        for seed, right in enumerate(answers)
    ]
    return Results(maker.study({"variant": list(runs)}), outcomes, maker.root)


def test_a_class_s_accuracy_is_that_of_its_own_clips(maker):
    results = results_of(maker, {"VLF": [[1, 1, 1, 0, 1, 0, 0, 0, 1, 1]]})

    found = class_accuracy(results, results.variants[0])

    assert found.names == NAMES
    assert found.clips.tolist() == [4, 4, 2]
    assert found.by_seed[0].tolist() == [75, 25, 100]


def test_changes_are_paired_by_seed_and_worked_out_by_hand(maker):
    vlf = [[1, 1, 0, 0, 1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 1, 1, 1, 1, 0, 0]]
    tsn = [[1, 0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]]

    up, down, still = class_changes(results_of(maker, {"VLF": vlf, "TSN": tsn}))

    assert (up.name, up.theirs, up.ours, up.difference.value) == ("up", 62.5, 12.5, -50)
    assert (down.difference.value, down.difference.p) == (0, 1.0)
    assert (still.difference.value, still.clips) == (50, 2)
    # up: -25 and -75, s = 35.4, t = -50 / 25 = -2, p = 2 * (1 - 0.852416) with one degree
    assert up.difference.p == pytest.approx(0.295167, abs=1e-5)
    assert up.p_holm == pytest.approx(2 * 0.295167, abs=1e-5)
    assert still.p_holm is None  # 50 in both seeds: no spread
    assert down.p_holm == 1.0


def test_noise_alone_is_called_a_change_in_at_most_5_percent_of_studies():
    rng = np.random.default_rng(8)
    alarms, studies = 0, 400
    for _ in range(studies):
        cells = [
            PerClass(
                tuple("abcdef"), np.full(6, 100), {s: rng.binomial(100, 0.6, 6) for s in range(3)}
            )
            for _ in range(3)
        ]
        variants = [Variant(name, {}, {}, name) for name in ("no g", "TSN")]
        found = compare_classes(
            [(v, cell, cells[0]) for v, cell in zip(variants, cells[1:], strict=True)]
        )
        assert len(found) == 12
        alarms += any(one.p_holm is not None and one.p_holm < 0.05 for one in found)
    assert alarms / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def test_a_class_that_breaks_in_every_seed_is_called_lower(maker):
    rng = np.random.default_rng(9)
    labels = np.arange(400) % 4
    vlf = [rng.random(400) < 0.9 for _ in range(5)]
    broken = [np.where(labels == 2, rng.random(400) < 0.1, right) for right in vlf]
    results = results_of(maker, {"VLF": vlf, "TSN": broken}, labels=labels, names=tuple("abcd"))

    rows = rows_of(class_changes_table(results))

    assert rows[0][:3] == ["TSN", "c", "100"]
    assert rows[0][-1] == "lower"
    assert [row[-1] for row in rows[1:]] == ["no significant difference"] * 3


def test_one_seed_calls_nothing_a_change(maker):
    results = results_of(maker, {"VLF": [[1] * 10], "TSN": [[0] * 10]})

    table = class_changes_table(results)

    assert {row[-1].text for row in table.rows} == {"one seed: not tested"}
    assert {row[-2].text for row in table.rows} == {"\N{EN DASH}"}
    assert "no test" in table.remarks[0]


def test_the_table_of_classes_has_a_column_a_cell(maker):
    vlf = [[1, 1, 0, 0, 1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 1, 1, 1, 1, 0, 0]]
    results = results_of(maker, {"VLF": vlf, "TSN": [[0] * 10] * 2})

    table = classes_table(results)

    assert table.header == ("class", "test clips", "VLF", "TSN")
    assert rows_of(table) == [
        ["up", "4", "50", "0"],  # both seeds agree: no spread, no interval
        ["down", "4", "100", "0"],
        ["still", "2", "25 [0, 100]", "0"],
    ]


def test_of_many_classes_those_are_shown_in_which_cells_differ_most(maker):
    labels = np.arange(50)
    ours = [np.where(labels < 45, 1, 0)]
    results = results_of(
        maker, {"VLF": [[1] * 50], "TSN": ours}, labels=labels, names=tuple(map(str, labels))
    )

    table = classes_table(results)

    assert len(table.rows) == 40
    assert {str(label) for label in range(45, 50)} <= {row[0].text for row in table.rows}
    assert table.remarks[0].startswith("40 of 50 classes")


def test_a_class_without_test_clips_has_no_number(maker):
    labels = np.array([0, 0, 1, 1])
    results = results_of(
        maker, {"VLF": [[1] * 4] * 2, "TSN": [[1, 0, 1, 0]] * 2}, labels=labels, names=NAMES
    )

    assert [row[0].text for row in classes_table(results).rows] == ["up", "down", "still"]
    assert classes_table(results).rows[2][2].text == "\N{EN DASH}"
    assert [one.name for one in class_changes(results)] == ["up", "down"]


def test_seeds_with_other_test_clips_are_not_averaged(maker):
    one = outcome(maker, "VLF", 0, [1] * 10)
    two = outcome(maker, "VLF", 1, [1] * 10, labels=LABELS[::-1].copy())
    results = Results(maker.study({"variant": ["VLF"]}), [one, two], maker.root)

    assert class_accuracy(results, results.variants[0]) is None
    assert classes_table(results) is None
