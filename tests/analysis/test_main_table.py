import dataclasses

import pytest

from analysis.results.results import Results
from analysis.tables.main import main_table, mark_accuracy, mark_costs, mark_counts


def trained(maker, runs):
    return [
        maker.train({"variant": name}, seed, top1)
        for name, values in runs.items()
        for seed, top1 in enumerate(values)
    ]


def column(table, start):
    number = next(i for i, name in enumerate(table.header) if name.startswith(start))
    return [row[number] for row in table.rows]


def texts(table, start):
    return [entry.text for entry in column(table, start)]


def test_accuracy_and_difference_are_those_worked_out_by_hand(maker, seven_study):
    outcomes = trained(maker, {"VLF": (79.0, 80.0, 81.0), "TSN": (11.0, 10.0, 9.0)})

    table = main_table(Results(seven_study, outcomes, maker.root))

    # s = 1 each, half width 4.302653 / sqrt(3) = 2.48; differences -68, -70, -72: s = 2
    assert texts(table, "top-1") == ["80.0 [77.5, 82.5]", "10.0 [7.5, 12.5]"]
    assert texts(table, "Δ") == [
        "baseline",
        "\N{MINUS SIGN}70.0 [\N{MINUS SIGN}75.0, \N{MINUS SIGN}65.0]",
    ]
    assert texts(table, "seeds") == ["3", "3"]


def test_one_seed_shows_no_interval_and_says_so(maker, seven_study):
    outcomes = trained(maker, {"VLF": (79.0,), "TSN": (11.0,)})

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts(table, "top-1") == ["79.0", "11.0"]
    assert texts(table, "Δ") == ["baseline", "\N{MINUS SIGN}68.0"]
    assert not any(name.startswith("p ") for name in table.header)
    assert any("no interval" in remark for remark in table.remarks)


def test_a_failed_cell_keeps_its_row_and_its_reason(maker, seven_study):
    outcomes = [
        *trained(maker, {"VLF": (79.0, 80.0)}),
        maker.train({"variant": "TSM"}, 0, 0, status="failed", reason="diverged in epoch 3"),
    ]

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts(table, "variant") == ["VLF", "TSM"]
    assert texts(table, "top-1")[1] == "failed: diverged in epoch 3"


def test_a_long_reason_is_cut_in_the_table_and_whole_in_the_note(maker, seven_study):
    reason = "out of memory: " + "tried to allocate a great deal " * 3
    outcomes = [maker.train({"variant": "TSM"}, 0, 0, status="failed", reason=reason)]

    entry = column(main_table(Results(seven_study, outcomes, maker.root)), "top-1")[0]

    assert len(entry.text) <= 40
    assert entry.text.endswith("…")
    assert entry.notes == (f"failed: {reason}",)


def test_a_seed_that_failed_is_counted_and_noted(maker, seven_study):
    outcomes = [
        *trained(maker, {"VLF": (79.0, 80.0)}),
        maker.train({"variant": "VLF"}, 2, 0, status="failed", reason="killed"),
    ]

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts(table, "seeds") == ["2 of 3"]
    assert column(table, "top-1")[0].notes == ("seed 2 failed: killed",)


def test_costs_show_their_unit_their_batch_and_their_remarks(maker, seven_study):
    outcomes = [
        maker.cost({"variant": "VLF"}, 212_000, 61.2e6, 6.0, notes=("1 operator was not counted",)),
        maker.cost({"variant": "TSN"}, 96_000, 38.9e6, 3.0),
    ]

    table = main_table(Results(seven_study, outcomes, maker.root))

    assert texts(table, "parameters (k)") == ["212", "96.0"]
    assert texts(table, "MACs a clip (M)") == ["61.2", "38.9"]
    assert texts(table, "latency / VLF")[0] == "baseline"
    assert texts(table, "latency / VLF")[1].startswith("0.50 [")
    assert column(table, "latency (ms, batch 1)")[0].notes == ("1 operator was not counted",)
    assert any("batch 8" in name for name in table.header if "throughput" in name)


def test_a_ratio_across_timing_runs_is_left_out_with_a_note(maker, seven_study):
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0),
        maker.cost({"variant": "no g"}, 10, 1e6, 2.0),
        maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run="run-2"),
    ]

    entry = column(main_table(Results(seven_study, outcomes, maker.root)), "latency / VLF")[2]

    assert entry.text == "\N{EN DASH}"
    assert entry.notes == ("no ratio: not timed in one timing run with the baseline",)


def test_a_number_of_another_device_is_labelled(maker, seven_study):
    other = maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run="run-2")
    environment = {**other.record.environment, "device_model": "Another CPU"}
    other = dataclasses.replace(
        other, record=dataclasses.replace(other.record, environment=environment)
    )
    outcomes = [maker.cost({"variant": "VLF"}, 10, 1e6, 2.0), other]

    entry = column(main_table(Results(seven_study, outcomes, maker.root)), "latency (ms")[1]

    assert entry.notes == ("measured on Another CPU, not on Some CPU @ 2.1 GHz",)


def test_a_clear_winner_is_the_best(maker, seven_study):
    runs = {"VLF": (79.0, 80.0, 81.0), "TSN": (9.0, 10.1, 11.0)}

    assert mark_accuracy(Results(seven_study, trained(maker, runs), maker.root)) == {
        "variant=VLF": "best"
    }


def test_cells_that_noise_does_not_tell_apart_are_ties(maker, seven_study):
    runs = {"VLF": (79.0, 80.0, 81.0), "no g": (80.0, 78.0, 81.5), "TSN": (9.0, 10.1, 11.0)}

    assert mark_accuracy(Results(seven_study, trained(maker, runs), maker.root)) == {
        "variant=VLF": "tie",
        "variant=no g": "tie",
    }


def test_the_best_of_the_rest_is_second_where_the_first_place_is_one_cell_s(maker, seven_study):
    runs = {
        "VLF": (79.0, 80.0, 81.0),
        "no g": (60.0, 60.9, 62.0),
        "TSM": (40.0, 41.1, 42.0),
        "TSN": (9.0, 10.1, 11.0),
    }

    assert mark_accuracy(Results(seven_study, trained(maker, runs), maker.root)) == {
        "variant=VLF": "best",
        "variant=no g": "second",
    }


def test_a_second_place_is_shared_by_those_that_noise_does_not_tell_apart(maker, seven_study):
    runs = {
        "VLF": (79.0, 80.0, 81.0),
        "no g": (60.0, 60.9, 62.0),
        "TSM": (61.0, 59.1, 62.0),
        "TSN": (9.0, 10.1, 11.0),
    }

    assert mark_accuracy(Results(seven_study, trained(maker, runs), maker.root)) == {
        "variant=VLF": "best",
        "variant=no g": "second",
        "variant=TSM": "second",
    }


def test_there_is_no_second_behind_a_shared_first_place_nor_where_the_rest_is_alike():
    assert mark_counts({"a": 3.0, "b": 3.0, "c": 4.0, "d": 5.0}) == {"a": "tie", "b": "tie"}
    assert mark_counts({"a": 3.0, "b": 4.0, "c": 4.0}) == {"a": "best"}
    assert mark_counts({"a": 3.0, "b": 4.0, "c": 5.0}) == {"a": "best", "b": "second"}


@pytest.mark.parametrize("seeds", [1, 2])
def test_nothing_is_best_where_everything_is_alike_or_alone(maker, seven_study, seeds):
    runs = {"VLF": (79.0, 80.0)[:seeds], "no g": (80.0, 79.0)[:seeds]}

    assert mark_accuracy(Results(seven_study, trained(maker, runs), maker.root)) == {}


def test_equal_counts_are_ties():
    assert mark_counts({"a": 3.0, "b": 3.0, "c": 4.0}) == {"a": "tie", "b": "tie"}


def test_a_timing_is_best_only_if_its_ratio_to_the_next_excludes_one(maker, seven_study):
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0),
        maker.cost({"variant": "TSN"}, 10, 1e6, 1.0),
    ]

    assert mark_costs(Results(seven_study, outcomes, maker.root), "latency", 1) == {
        "variant=TSN": "best"
    }
    assert mark_costs(Results(seven_study, outcomes, maker.root), "throughput", 8) == {
        "variant=TSN": "best"
    }


def test_timings_of_different_runs_are_not_ranked(maker, seven_study):
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 2.0),
        maker.cost({"variant": "TSN"}, 10, 1e6, 1.0, run="run-2"),
    ]

    assert mark_costs(Results(seven_study, outcomes, maker.root), "latency", 1) == {}
