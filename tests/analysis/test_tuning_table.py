"""Tuning in the report: its table and its warnings; and that it is in nothing else."""

import dataclasses

import numpy as np
import pytest
from outcomes import rows_of, with_record

from analysis.figures import FIGURES
from analysis.findings.tuning import diverged_lines, tuning_lines
from analysis.prose.methods import methods
from analysis.report.report import write_report
from analysis.results.results import Results
from analysis.stats.format import NONE
from analysis.tables import TABLES
from analysis.tables.tuning import tuning_table
from study.records.record import Measurement
from study.spec.tuning import read_tune
from study.spec.yaml_nodes import read_text
from vlf.config import RunConfig, load_object

TUNE = "{train.lr: [1e-3, 2e-3, 4e-3], seeds: [100, 101], epochs: 4}"
TWO = "{train.lr: [1e-3, 2e-3, 4e-3], train.weight_decay: [0, 0.1], seeds: [100]}"
DIVERGED = "diverged: the training loss is nan in epoch 1"


def tuned(study, text=TUNE):
    return dataclasses.replace(study, tune=read_tune(read_text(text, "x.yaml"), {}, study.seeds))


def tries(maker, label, scores):
    """Tuning outcomes of a cell: value -> validation top-1 (or a reason) by seed, from 100."""
    found = []
    for value, by_seed in scores.items():
        tried = dict(zip(("train.lr", "train.weight_decay"), value.split(), strict=False))
        for seed, score in enumerate(by_seed, start=100):
            levels = {"variant": label}
            if isinstance(score, str):
                one = maker.train(levels, seed, 0, status="failed", reason=score)
            else:
                one = maker.train(levels, seed, score)
                measured = (
                    Measurement("val_top1", "%", "higher", (score,), conditions={"split": "val"}),
                    Measurement("training_time", "s", "lower", (1e6,)),
                )
                one = with_record(one, kind="tune", measurements=measured)
            found.append(dataclasses.replace(one, kind="tune", tried=tried))
    return found


@pytest.fixture
def scored(maker):
    """VLF chooses inside, TSN at the top; of TSM a run broke; the others have no tuning yet."""
    rows = {
        "VLF": ((50.0, 60.0), (70.0, 71.0), (69.0, 70.0)),
        "TSN": ((10.0, 12.0), (11.0, DIVERGED), (15.0, 15.0)),
        "TSM": ((1.0, 2.0), ("killed", 2.0), (DIVERGED, DIVERGED)),
    }
    return [
        one
        for label, values in rows.items()
        for one in tries(maker, label, dict(zip(("1e-3", "2e-3", "4e-3"), values, strict=True)))
    ]


def test_the_table_shows_means_over_seeds_the_choice_and_the_edge(maker, seven_study, scored):
    table = tuning_table(Results(tuned(seven_study), [*maker.seven(), *scored], maker.root))

    assert table.header == ("cell", "lr 1e-3", "lr 2e-3", "lr 4e-3", "choice")
    assert rows_of(table) == [
        ["VLF", "55.0", "70.5", "69.5", "2e-3"],
        ["TSN", "11.0", "11.0 (1 of 2 diverged)", "15.0", "4e-3, at the edge"],
        ["TSM", "1.5", "failed", "diverged", "none"],
    ]
    marked = [[entry.mark for entry in row] for row in table.rows]
    assert marked == [["", "", "best", "", ""], ["", "", "", "best", ""], [""] * 5]
    assert table.rows[1][-1].notes == (
        "tuned to the edge of its range (train.lr 4e-3, the largest tried): "
        "a value beyond it may be better",
    )
    assert table.rows[2][-1].notes[0].startswith("not tuned: 1 of 6 tuning runs failed")
    assert "the same 3 values (train.lr in {1e-3, 2e-3, 4e-3})" in table.remarks[0]
    assert "over seeds 100, 101, in runs of 4 epochs" in table.remarks[0]


def test_two_keys_make_a_row_for_each_value_of_the_second(maker, seven_study):
    values = (50.0, 51.0, 52.0, 59.0, 58.0, 50.0)
    keys = ("1e-3 0", "1e-3 0.1", "2e-3 0", "2e-3 0.1", "4e-3 0", "4e-3 0.1")
    found = tries(maker, "VLF", {key: (value,) for key, value in zip(keys, values, strict=True)})

    table = tuning_table(Results(tuned(seven_study, TWO), found, maker.root))

    assert table.header[:3] == ("cell", "weight decay", "lr 1e-3")
    assert "The budget is 6 combinations of train.lr, train.weight_decay" in table.caption
    assert rows_of(table) == [
        ["VLF", "0", "50.0", "52.0", "58.0", NONE],
        ["", "0.1", "51.0", "59.0", "50.0", "2e-3, at the edge"],
    ]
    assert "train.weight_decay 0.1, the largest tried" in table.rows[1][-1].notes[0]


def test_the_answer_says_how_it_was_tuned_and_who_stands_at_the_edge(maker, seven_study, scored):
    lines = tuning_lines(Results(tuned(seven_study), [*maker.seven(), *scored], maker.root))

    assert lines == [
        "Each cell has the train.lr that did best of the same 3 on validation, chosen with seeds "
        "100, 101; the test split was not read for it.",
        "Tuning chose at the edge of the range for TSN (train.lr 4e-3, the largest tried): a value "
        "beyond may be better, so that a comparison may do these cells less than justice.",
        "Tuning has made no choice for 1 cell (table tuning).",
    ]


def test_the_answer_names_the_values_that_diverged(maker, seven_study, scored):
    lines = diverged_lines(Results(tuned(seven_study), [*maker.seven(), *scored], maker.root))

    assert lines == [
        "Tuning runs diverged, and count as worst: TSN (train.lr=2e-3) and TSM (train.lr=4e-3)."
    ]
    assert diverged_lines(Results(seven_study, maker.seven(), maker.root)) == []


def test_the_main_table_warns_beside_the_accuracy_of_a_cell_at_the_edge(maker, seven_study, scored):
    outcomes = [*maker.seven(), *scored]

    main = load_object(TABLES["main"])(Results(tuned(seven_study), outcomes, maker.root))

    warned = [row[0].text for row in main.rows for e in row if any("edge" in n for n in e.notes)]
    assert warned == ["TSN"]


def test_a_study_that_tunes_nothing_has_no_table_and_no_line(maker, seven_study):
    results = Results(seven_study, maker.seven(), maker.root)

    assert tuning_table(results) is None
    assert tuning_lines(results) == []
    assert "tried" not in results.frame


def test_tuning_runs_change_no_statistic_no_other_table_and_no_curve(maker, seven_study, scored):
    outcomes = maker.seven()
    without = Results(seven_study, outcomes, maker.root)
    beside = Results(tuned(seven_study), [*scored, *outcomes], maker.root)

    for mine, theirs in zip(without.variants, beside.variants, strict=True):
        for metric in ("top1", "top5", "val_top1", "training_time"):
            assert beside.by_seed(theirs, metric) == without.by_seed(mine, metric)
        for name in ("curves", "predictions"):
            assert beside.arrays_by_seed(theirs, name).keys() == {0, 1, 2}
    assert beside.differences == without.differences
    for name in TABLES.keys() - {"tuning", "status", "main"}:
        one, other = (load_object(TABLES[name])(results) for results in (without, beside))
        assert (one and one.to_csv()) == (other and other.to_csv()), name
    main = [load_object(TABLES["main"])(one) for one in (without, beside)]
    assert rows_of(main[0]) == rows_of(main[1])


@pytest.mark.parametrize("name", ["training_curves", "accuracy_macs"])
def test_figures_show_the_same_points_with_tuning_runs_beside(
    maker, seven_study, scored, name, tmp_path
):
    def drawn(results):
        drawing = load_object(FIGURES[name])(results)
        return [line.get_xydata() for axes in drawing.figure.axes for line in axes.get_lines()] + [
            np.asarray(c.get_offsets()) for axes in drawing.figure.axes for c in axes.collections
        ]

    outcomes = maker.seven()
    without = drawn(Results(seven_study, outcomes, maker.root))
    beside = drawn(Results(tuned(seven_study), [*scored, *outcomes], maker.root))

    assert len(without) == len(beside) > 0
    for one, other in zip(without, beside, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_report_counts_tuning_jobs_in_its_sum_and_compiles_its_table(
    maker, seven_study, scored, tmp_path
):
    outcomes = [*maker.seven(), *scored]

    report = write_report(tuned(seven_study), outcomes, tmp_path / "report", maker.root)

    text = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "42 of 46 jobs finished: 4 failed." in text
    assert "TSM, tuning train.lr=2e-3, seed 100: failed: killed" in text
    assert {path.name for path in report.paths} >= {"tuning.csv", "tuning.tex", "tuning.html"}
    tex = (tmp_path / "report" / "tables" / "tuning.tex").read_text("utf-8")
    assert tex.isascii()


def test_the_methods_paragraph_tells_how_the_recipe_was_chosen_and_which_tries_failed(
    maker, seven_study, scored
):
    config = RunConfig().model_dump(mode="json")
    done = []
    for seed in (0, 1):
        done.append(with_record(maker.train({"variant": "VLF"}, seed, 80.0), config=config))
    results = Results(tuned(seven_study), [*done, *scored], maker.root)

    sections = {one.title: one for one in methods(results)}

    told = " ".join(sections["Training"].sentences)
    assert "chosen for each cell from the same 3 values (train.lr in {1e-3, 2e-3, 4e-3})" in told
    every = " ".join(item for one in sections.values() for item in one.items)
    assert f"variant=TSN, train.lr=2e-3, seed=101: failed ({DIVERGED})" in every
