"""Which values are timed, and which is taken, by latencies that are made up."""

import random

import pytest

from study.match.timed_search import MOST_RUNS, NEIGHBOURS, Tried, find_value

VALUES = list(range(4, 257, 4))


class Clock:
    """Times values by a formula, as multiples of a target; keeps what was asked for."""

    def __init__(self, latency, target, noise=0.0, broken=()):
        self.latency, self.target, self.noise, self.broken = latency, target, noise, broken
        self.random, self.runs = random.Random(0), []

    def __call__(self, values):
        self.runs.append(list(values))
        return {value: self.time(value) for value in values}

    def time(self, value):
        run = len(self.runs) - 1
        if value in self.broken:
            return Tried(value, None, run=run, reason="MemoryError while timing: no room")
        factor = 1 + self.noise * self.random.uniform(-1, 1)
        return Tried(value, factor * self.latency(value) / self.target, run=run)


def macs(value):
    return float(value * value)


def nearest(latency, target, values=VALUES):
    return min(values, key=lambda value: (abs(latency(value) / target - 1), value))


CURVES = {
    "mostly overhead": lambda value: 5 + 0.02 * value,
    "linear": lambda value: 1 + 0.5 * value,
    "as its MACs": lambda value: value**2.0,
    "in steps": lambda value: 1 + (value // 32) + 0.001 * value,
}


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("wanted", [8, 52, 130, 250])
@pytest.mark.parametrize("off", [0.25, 1.0, 6.0])
def test_it_finds_the_nearest_of_all_values_however_wrong_the_macs_are(curve, wanted, off):
    latency = CURVES[curve]
    target = 1.004 * latency(wanted)  # between two values
    clock = Clock(latency, target)

    best, tried = find_value(VALUES, macs, off * macs(wanted), clock)

    assert best.value == nearest(latency, target)
    assert best.ratio == latency(best.value) / target
    assert len(tried) == sum(map(len, clock.runs)) <= 3 + (MOST_RUNS - 1) * 2 * NEIGHBOURS


@pytest.mark.parametrize(("target", "end"), [(1e-3, 4), (1e6, 256)])
def test_a_target_that_is_out_of_reach_gets_the_end_that_is_nearest(target, end):
    best, _ = find_value(VALUES, macs, target, Clock(macs, target))

    assert best.value == end


def test_a_key_that_makes_a_model_faster_is_searched_as_well():
    best, _ = find_value(
        VALUES, lambda value: 1e6 / value, 1e6 / 60, Clock(lambda value: 100 / value, 100 / 36.2)
    )

    assert best.value == 36


def test_what_decides_is_one_timing_run_and_in_it_the_nearest():
    clock = Clock(CURVES["linear"], CURVES["linear"](101), noise=0.05)

    best, tried = find_value(VALUES, macs, macs(60), clock)

    last = [one for one in tried if one.run == len(clock.runs) - 1]
    assert best in last
    assert best == min(last, key=lambda one: abs(one.ratio - 1))
    assert len(clock.runs) <= MOST_RUNS


def test_what_cannot_be_built_is_not_timed():
    clock = Clock(CURVES["linear"], CURVES["linear"](101))

    best, _ = find_value(VALUES, lambda v: None if v % 8 else macs(v), macs(60), clock)

    assert best.value == 104
    assert not any(value % 8 for run in clock.runs for value in run)


def test_what_breaks_when_it_is_timed_is_told_and_another_is_taken():
    clock = Clock(macs, macs(101), broken=range(100, 300))

    best, tried = find_value(VALUES, macs, macs(101), clock)

    assert best.value == 96
    assert any(one.reason.startswith("MemoryError") for one in tried)


def test_where_nothing_can_be_run_the_reason_is_told():
    clock = Clock(macs, 1.0, broken=VALUES)

    with pytest.raises(ValueError, match=r"no value of it can be run \(MemoryError while timing"):
        find_value(VALUES, macs, macs(101), clock)


def test_a_key_with_one_value_is_timed_once():
    clock = Clock(macs, 1.0)

    best, _ = find_value([8], macs, 1.0, clock)

    assert (best.value, clock.runs) == (8, [[8]])
