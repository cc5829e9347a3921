"""Shares of the peak, with truth made by hand."""

import dataclasses

import pytest

from analysis.results.results import Results
from analysis.stats.format import NONE
from analysis.tables.peak import peak_table
from study.records.record import Measurement

AT = {"batch_size": 1, "mode": "eager"}
ROUNDS = (0, 1, 2)


def peak(arithmetic, *rates):
    return Measurement(f"peak_rate_{arithmetic}", "GMAC/s", "higher", rates)


def timed(part, ms, metric="part_latency"):
    return Measurement(metric, "ms", "lower", (ms,) * 3, part, AT, ROUNDS)


def counted(part, macs):
    return Measurement("macs", "MAC", "lower", (float(macs),), part)


VLF = [counted(None, 100e6), counted("f", 80e6), counted("g", 0), counted("h", 20e6)]
VLF += [timed(None, 5.0, "latency")]  # 100e6 MACs in 5 ms are 20 GMAC/s
VLF += [timed(None, 8.0), timed("f", 4.0), timed("h", 2.0)]


@pytest.fixture
def table(maker):
    def make(measurements):
        outcome = maker.cost({"variant": "VLF"}, 1e5, 6e7, 6.0)
        record = dataclasses.replace(outcome.record, measurements=tuple(measurements))
        bare = maker.cost({"variant": "TSN"}, 1e5, 6e7, 6.0)  # has no peak in its record
        study = maker.study({"variant": ["VLF", "TSN"]})
        outcomes = [dataclasses.replace(outcome, record=record), bare]
        return peak_table(Results(study, outcomes, maker.root))

    return make


def row(table, number=0):
    return dict(zip(table.header, (entry.text for entry in table.rows[number]), strict=True))


def test_shares_are_macs_over_time_against_the_fastest_product(table):
    found = row(table([*VLF, peak("fp32", 30.0, 40.0), peak("fp32", 25.0)]))

    assert found == {
        "cell": "VLF",
        "latency (ms)": "5.00",
        "GMAC/s": "20.0",
        "of the peak (%)": "50.0",
        "f: time (%)": "50.0",
        "f: of the peak (%)": "50.0",  # 80e6 in 4 ms
        "h: time (%)": "25.0",
        "h: of the peak (%)": "25.0",  # 20e6 in 2 ms
        "between parts: time (%)": "25.0",
    }


def test_a_shares_of_the_time_are_paired_within_calls(table):
    def samples(part, *ms):
        return Measurement("part_latency", "ms", "lower", ms, part, AT, (0, 1, 2))

    # Two of three calls were held up between the parts, where the medians would blame one of them.
    parts = [samples(None, 10.0, 20.0, 40.0), samples("f", 5.0, 10.0, 5.0)]
    found = row(table([*VLF[:5], *parts, samples("h", 4.0, 8.0, 4.0), peak("fp32", 40.0)]))

    assert (found["f: time (%)"], found["h: time (%)"]) == ("50.0", "40.0")
    assert found["between parts: time (%)"] == "10.0"


def test_where_convolutions_may_use_tf32_its_peak_is_the_ceiling(table):
    found = row(table([*VLF, peak("fp32", 40.0), peak("tf32", 200.0)]))

    assert found["of the peak (%)"] == "10.0"


def test_a_cell_without_a_peak_has_no_share_and_a_study_without_one_no_table(table):
    other = row(table([*VLF, peak("fp32", 40.0)]), 1)

    assert other["of the peak (%)"] == NONE
    assert other["GMAC/s"] != NONE
    assert table(VLF) is None
