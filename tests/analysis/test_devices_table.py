import dataclasses

import pytest
from outcomes import rows_of, with_record

from analysis.results.results import Results
from analysis.stats.format import NONE
from analysis.tables.devices import devices_table
from analysis.tables.main import main_table
from study.records.record import Elsewhere

LABELS = ("VLF", "TSN")


def slower(record, factor, **environment):
    """The record of a device that is slower by a factor in every round."""
    measurements = tuple(
        dataclasses.replace(one, samples=tuple(factor * x for x in one.samples))
        if one.metric == "latency"
        else one
        for one in record.measurements
    )
    environment = {**record.environment, **environment}
    return dataclasses.replace(
        record, measurements=measurements, environment=environment, timing_run="there"
    )


@pytest.fixture
def here(maker):
    vlf = maker.cost({"variant": "VLF"}, 1e5, 6e7, 6.0)
    tsn = maker.cost({"variant": "TSN"}, 1e5, 4e7, 3.0)
    return [vlf, dataclasses.replace(tsn, reference=vlf.record)]


@pytest.fixture
def results(maker):
    study = maker.study({"variant": list(LABELS)}, seeds=())
    return lambda outcomes: Results(study, outcomes, maker.root)


def on_nano(outcomes, factors, **changes):
    """VLF and TSN on a device where each is slower by its own factor."""
    nano = {"device_model": "Small CPU", "device_name": "nano"}
    there = [slower(o.record, f, **nano) for o, f in zip(outcomes, factors, strict=True)]
    references = [None, there[0]]
    return [
        dataclasses.replace(one, elsewhere=(Elsewhere(record, reference, False, **changes),))
        for one, record, reference in zip(outcomes, there, references, strict=True)
    ]


def number(text):
    return float(text.split(" ")[0])


def test_each_device_has_latencies_and_ratios_of_its_own(results, here):
    table = devices_table(results(on_nano(here, (10, 20))))

    assert table.header == (
        "cell",
        "Some CPU @ 2.1 GHz: latency (ms)",
        "Some CPU @ 2.1 GHz: / baseline",
        "nano CPU: latency (ms)",
        "nano CPU: / baseline",
    )
    (vlf, tsn) = rows_of(table)
    assert (vlf[2], vlf[4]) == ("baseline", "baseline")
    assert number(vlf[3]) == pytest.approx(10 * number(vlf[1]), rel=0.01)
    assert number(tsn[3]) == pytest.approx(20 * number(tsn[1]), rel=0.01)
    assert number(tsn[4]) == pytest.approx(2 * number(tsn[2]), abs=0.02)
    assert "nano CPU: nano (Small CPU), 1 thread, torch 2.14.1." in table.remarks


def test_the_main_table_stays_with_one_device(results, here):
    alone, together = results(here), results(on_nano(here, (10, 20)))

    assert rows_of(main_table(together)) == rows_of(main_table(alone))


def test_costs_of_one_device_make_no_table(results, here):
    assert devices_table(results(here)) is None


def test_a_cell_that_failed_there_or_was_not_measured_keeps_its_row(results, here):
    vlf, tsn = on_nano(here, (10, 20))
    record = dataclasses.replace(
        tsn.elsewhere[0].record, status="failed", reason="out of memory", measurements=()
    )
    failed = dataclasses.replace(tsn, elsewhere=(Elsewhere(record, None, False),))

    table = devices_table(results([vlf, failed]))
    assert rows_of(table)[1][3:] == ["failed", NONE]
    assert list(table.footnotes) == ["out of memory"]

    table = devices_table(results([vlf, dataclasses.replace(tsn, elsewhere=())]))
    assert rows_of(table)[1][3:] == ["not measured", NONE]


def test_numbers_of_other_code_say_so(results, here):
    vlf, tsn = on_nano(here, (10, 20))
    (one,) = vlf.elsewhere
    marked = dataclasses.replace(vlf, elsewhere=(dataclasses.replace(one, is_other_code=True),))

    (note,) = devices_table(results([marked, tsn])).footnotes

    assert note == "nano CPU: made by other code or versions: commit 0123456789, torch 2.14.1"


def test_a_latency_there_whose_rounds_disagree_is_marked(results, here):
    vlf, tsn = on_nano(here, (10, 20))
    (one,) = vlf.elsewhere
    rounds = tuple(float(1 + number % 2 * 9) for number in range(40))
    wild = tuple(
        dataclasses.replace(m, samples=rounds) if m.metric == "latency" else m
        for m in one.record.measurements
    )
    marked = dataclasses.replace(vlf, elsewhere=(with_record(one, measurements=wild),))

    (note,) = devices_table(results([marked, tsn])).footnotes

    assert note.startswith("nano CPU: unstable: latency at batch 1 varies")


def test_a_study_of_costs_alone_shows_no_accuracy(results, here):
    header = main_table(results(here)).header

    assert not [name for name in header if "top-1" in name or name == "seeds"]
    assert any(name.startswith("latency") for name in header)
