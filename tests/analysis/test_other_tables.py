from outcomes import with_record

from analysis.results.results import Results
from analysis.tables.cost import cost_table
from analysis.tables.main import main_table
from analysis.tables.parts import parts_table
from analysis.tables.status import status_table
from analysis.tables.throughput import throughput_table
from study.records.record import Measurement, Outcome


def plain(table):
    return [tuple(entry.text for entry in row) for row in table.rows]


def test_the_cost_table_has_a_row_for_each_batch_size_with_the_slow_tail(maker, seven_study):
    outcome = maker.cost({"variant": "VLF"}, 10, 1e6, 2.0)

    rows = plain(cost_table(Results(seven_study, [outcome], maker.root)))

    assert [row[:3] for row in rows] == [("VLF", "1", "40"), ("VLF", "8", "40")]
    median, p90, p99 = float(rows[0][3].split()[0]), float(rows[0][4]), float(rows[0][5])
    samples = sorted(outcome.record.measurements[10].samples)
    assert median < p90 < p99 <= round(samples[-1], 2)


def test_a_cell_whose_cost_failed_has_one_row_that_says_why(maker, seven_study):
    outcome = Outcome("cost", "variant=VLF", {"variant": "VLF"}, {}, None, "failed", "killed")

    rows = plain(cost_table(Results(seven_study, [outcome], maker.root)))

    assert rows == [
        (
            "VLF",
            "\N{EN DASH}",
            "\N{EN DASH}",
            "failed: killed",
            *["\N{EN DASH}"] * 5,
        )
    ]


def test_parts_stand_in_the_order_of_the_data_flow(maker, seven_study):
    outcome = maker.cost({"variant": "VLF"}, 1_000, 2e6, 2.0)

    table = parts_table(Results(seven_study, [outcome], maker.root))

    assert [name.split(" (")[0] for name in table.header[1:6]] == [
        "parameters",
        "parameters f",
        "parameters g",
        "parameters h",
        "parameters head",
    ]
    assert plain(table)[0][1:6] == ("1.00", "0.600", "0.150", "0.240", "0.0100")


def test_what_a_count_leaves_out_is_a_footnote_of_that_count_in_every_table(maker, seven_study):
    macs = "MACs leave out operators without a formula: _cdist_forward (2x)"
    idle, slow = "parameters: 7 of them take no part in a forward pass", "latency: few rounds"
    outcome = maker.cost({"variant": "VLF"}, 10, 1e6, 2.0, notes=(macs, idle, slow))
    results = Results(seven_study, [outcome], maker.root)

    main, parts = main_table(results), parts_table(results)

    for table in (main, parts):
        told = {
            heading.split(" (")[0]: entry.notes
            for heading, entry in zip(table.header, table.rows[0], strict=True)
            if entry.notes and entry.notes != ("not planned",)
        }
        assert told["parameters ↓" if table is main else "parameters"] == (idle,)
        assert told[next(name for name in told if name.startswith("MACs"))] == (macs,)
        assert macs in table.footnotes
    assert slow in main.footnotes
    assert slow not in parts.footnotes
    assert cost_table(results).footnotes.keys() == {slow}


def test_planned_is_the_sum_of_the_five_endings(maker, seven_study):
    levels = {"variant": "VLF"}
    outcomes = [
        maker.train(levels, 0, 80.0),
        maker.train(levels, 1, 80.0, status="reused"),
        maker.train(levels, 2, 0, status="failed", reason="killed"),
        Outcome("train", "variant=VLF", levels, {}, 3, "not run", "interrupted"),
        Outcome("cost", "variant=VLF", levels, {}, None, "skipped", "not asked for"),
    ]

    table = status_table(Results(seven_study, outcomes, maker.root))

    assert table.header == ("jobs", "planned", "done", "reused", "skipped", "failed", "not run")
    assert plain(table) == [
        ("train", "4", "1", "1", "\N{EN DASH}", "1", "1"),
        ("cost", "1", "\N{EN DASH}", "\N{EN DASH}", "1", "\N{EN DASH}", "\N{EN DASH}"),
        ("all", "5", "1", "1", "1", "1", "1"),
    ]
    assert "variant=VLF, seed 2: failed: killed" in table.footnotes


def with_more(outcome, *measurements, notes=()):
    more = (*outcome.record.measurements, *measurements)
    return with_record(outcome, measurements=more, notes=tuple(notes))


def at(metric, batch, *values):
    return Measurement(metric, "", "lower", values, conditions={"batch_size": batch})


def test_memory_of_training_stands_beside_that_of_inference_or_says_why_not(maker, seven_study):
    note = "training memory at batch 8 not measured: ValueError: one value"
    cost = maker.cost({"variant": "VLF"}, 10, 1e6, 2.0)
    outcome = with_more(cost, at("training_memory", 1, 321.0), notes=[note])

    table = cost_table(Results(seven_study, [outcome], maker.root))

    assert table.header[-2:] == ("peak memory (MiB)", "of a training step (MiB)")
    assert [row[-1].text for row in table.rows] == ["321", "\N{EN DASH}"]
    assert [row[-1].notes for row in table.rows] == [(), (note,)]


def test_energy_has_a_column_where_a_meter_was_read_and_else_a_reason(maker, seven_study):
    why = "energy not measured: /sys/class/powercap has no RAPL counter"
    bare = maker.cost({"variant": "TSN"}, 10, 1e6, 2.0, notes=[why])

    table = cost_table(Results(seven_study, [bare], maker.root))
    assert not any("energy" in name for name in table.header)
    assert table.remarks == ("Energy not measured: /sys/class/powercap has no RAPL counter.",)
    assert main_table(Results(seven_study, [bare], maker.root)).footnotes == {}

    metered = with_more(maker.cost({"variant": "VLF"}, 10, 1e6, 2.0), at("energy", 1, 2.5))
    table = cost_table(Results(seven_study, [metered, bare], maker.root))
    column = table.header.index("energy (J/clip)")
    assert {row[column].text for row in table.rows} == {"2.50", "\N{EN DASH}"}


def test_a_sweep_shows_clips_a_second_and_memory_up_to_where_it_ended_and_why(maker, seven_study):
    why = "throughput sweep ends before batch 4: 900 MiB would be more than the cap of 800 MiB"
    swept = [at("sweep_throughput", b, 10.0 * b) for b in (1, 2)]
    swept += [at("sweep_memory", b, 100.0 * b) for b in (1, 2)]
    vlf = with_more(maker.cost({"variant": "VLF"}, 10, 1e6, 2.0), *swept, notes=[why])
    tsn = with_more(maker.cost({"variant": "TSN"}, 10, 1e6, 2.0), at("sweep_throughput", 4, 9.0))

    table = throughput_table(Results(seven_study, [vlf, tsn], maker.root))

    assert table.header == ("cell", "batch 1", "batch 2", "batch 4", "largest batch")
    dash = "\N{EN DASH}"
    assert plain(table) == [
        ("VLF", "10.0 (100)", "20.0 (200)", dash, "2"),
        ("TSN", dash, dash, "9.00", "4"),
    ]
    assert list(table.footnotes) == [why]
    bare = maker.cost({"variant": "TSN"}, 10, 1e6, 2.0)
    assert throughput_table(Results(seven_study, [bare], maker.root)) is None
