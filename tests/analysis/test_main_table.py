import pytest
from outcomes import column_of, texts_of, with_record

from analysis.results.results import Results
from analysis.tables.main import main_table, mark_accuracy, mark_costs, mark_counts


def test_accuracy_and_difference_are_those_worked_out_by_hand(maker, seven_study):
    outcomes = maker.runs({"VLF": (79.0, 80.0, 81.0), "TSN": (11.0, 10.0, 9.0)})

    table = main_table(Results(seven_study, outcomes, maker.root))

    # s = 1 each, half width 4.302653 / sqrt(3) = 2.48; differences -68, -70, -72: s = 2
    assert texts_of(table, "top-1") == ["80.0 [77.5, 82.5]", "10.0 [7.5, 12.5]"]
    assert texts_of(table, "Δ") == [
        "baseline",
        "\N{MINUS SIGN}70.0 [\N{MINUS SIGN}75.0, \N{MINUS SIGN}65.0]",
    ]
    assert texts_of(table, "seeds") == ["3", "3"]


def test_one_seed_shows_no_interval_and_says_so(maker, seven_study):
    outcomes = maker.runs({"VLF": (79.0,), "TSN": (11.0,)})

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts_of(table, "top-1") == ["79.0", "11.0"]
    assert texts_of(table, "Δ") == ["baseline", "\N{MINUS SIGN}68.0"]
    assert not any(name.startswith("p ") for name in table.header)
    assert any("no interval" in remark for remark in table.remarks)


def test_a_failed_cell_keeps_its_row_and_its_reason(maker, seven_study):
    outcomes = [
        *maker.runs({"VLF": (79.0, 80.0)}),
        maker.train({"variant": "TSM"}, 0, 0, status="failed", reason="diverged in epoch 3"),
    ]

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts_of(table, "variant") == ["VLF", "TSM"]
    assert texts_of(table, "top-1")[1] == "failed: diverged in epoch 3"


def test_a_long_reason_is_cut_in_the_table_and_whole_in_the_note(maker, seven_study):
    reason = "out of memory: " + "tried to allocate a great deal " * 3
    outcomes = [maker.train({"variant": "TSM"}, 0, 0, status="failed", reason=reason)]

    entry = column_of(main_table(Results(seven_study, outcomes, maker.root)), "top-1")[0]

    assert len(entry.text) <= 40
    assert entry.text.endswith("…")
    assert entry.notes == (f"failed: {reason}",)


def test_a_seed_that_failed_is_counted_and_noted(maker, seven_study):
    outcomes = [
        *maker.runs({"VLF": (79.0, 80.0)}),
        maker.train({"variant": "VLF"}, 2, 0, status="failed", reason="killed"),
    ]

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts_of(table, "seeds") == ["2 of 3"]
    assert column_of(table, "top-1")[0].notes == ("seed 2 failed: killed",)


def test_costs_show_their_unit_their_batch_and_their_remarks(maker, seven_study):
    outcomes = [
        maker.cost({"variant": "VLF"}, 212_000, 61.2e6, 6.0, notes=("1 operator was not counted",)),
        maker.cost({"variant": "TSN"}, 96_000, 38.9e6, 3.0),
    ]

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts_of(table, "parameters (k)") == ["212", "96.0"]
    assert texts_of(table, "MACs a clip (M)") == ["61.2", "38.9"]
    assert texts_of(table, "latency / VLF")[0] == "baseline"
    assert texts_of(table, "latency / VLF")[1].startswith("0.50 [")
    assert column_of(table, "latency (ms, batch 1)")[0].notes == ("1 operator was not counted",)
    assert any("batch 8" in name for name in table.header if "throughput" in name)


def test_a_ratio_across_timing_runs_is_left_out_with_a_note(maker, seven_study):
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0),
        maker.cost({"variant": "no g"}, 10, 1e6, 2.0),
        maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run="run-2"),
    ]

    entry = column_of(main_table(Results(seven_study, outcomes, maker.root)), "latency / VLF")[2]

    assert entry.text == "\N{EN DASH}"
    assert entry.notes == ("no ratio: not timed in one timing run with the baseline",)


def test_a_number_of_another_device_is_labelled(maker, seven_study):
    other = maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run="run-2")
    environment = {**other.record.environment, "device_model": "Another CPU"}
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0),
        with_record(other, environment=environment),
    ]

    entry = column_of(main_table(Results(seven_study, outcomes, maker.root)), "latency (ms")[1]

    assert entry.notes == ("measured on Another CPU, not on Some CPU @ 2.1 GHz",)


def test_there_is_no_second_behind_a_shared_first_place_nor_where_the_rest_is_alike():
    assert mark_counts({"a": 3.0, "b": 3.0, "c": 4.0, "d": 5.0}) == {"a": "tie", "b": "tie"}
    assert mark_counts({"a": 3.0, "b": 4.0, "c": 4.0}) == {"a": "best"}
    assert mark_counts({"a": 3.0, "b": 4.0, "c": 5.0}) == {"a": "best", "b": "second"}


FIRST, SECOND, LAST = (79.0, 80.0, 81.0), (60.0, 60.9, 62.0), (9.0, 10.1, 11.0)


@pytest.mark.parametrize(
    ("runs", "marks"),
    [
        ({"VLF": FIRST, "TSN": LAST}, {"VLF": "best"}),
        (
            {"VLF": FIRST, "no g": (80.0, 78.0, 81.5), "TSN": LAST},
            {"VLF": "tie", "no g": "tie"},
        ),
        (
            {"VLF": FIRST, "no g": SECOND, "TSM": (40.0, 41.1, 42.0), "TSN": LAST},
            {"VLF": "best", "no g": "second"},
        ),
        (
            {"VLF": FIRST, "no g": SECOND, "TSM": (61.0, 59.1, 62.0), "TSN": LAST},
            {"VLF": "best", "no g": "second", "TSM": "second"},
        ),
        ({"VLF": (79.0,), "no g": (80.0,)}, {}),
        ({"VLF": (79.0, 80.0), "no g": (80.0, 79.0)}, {}),
    ],
    ids=["winner", "shared first", "second", "shared second", "one seed", "all alike"],
)
def test_cells_that_noise_does_not_tell_apart_share_a_place(maker, seven_study, runs, marks):
    found = mark_accuracy(Results(seven_study, maker.runs(runs), maker.root))

    assert found == {f"variant={label}": mark for label, mark in marks.items()}


@pytest.mark.parametrize(("run", "marks"), [("run-1", {"variant=TSN": "best"}), ("run-2", {})])
def test_a_timing_is_best_only_where_its_ratio_within_a_run_excludes_one(
    maker, seven_study, run, marks
):
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0, run="run-1"),
        maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run=run),
    ]
    results = Results(seven_study, outcomes, maker.root)

    assert mark_costs(results, "latency", 1) == marks
    assert mark_costs(results, "throughput", 8) == marks
