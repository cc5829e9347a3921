import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from outcomes import with_record

from analysis.findings.scaling import exponent_over_rounds, fit_exponents, power_law, scaled_factor
from analysis.results.results import Results
from analysis.tables.scaling import scaling_table

SIZES = (2.0, 4.0, 8.0, 16.0)
STUDY = {"variant": ["VLF", "TSN"], "data.frames": [2, 4, 8, 16]}


def timed(maker, label, size, macs, ms, run="run-1"):
    """A cell whose latency in round r at batch 1 is `ms[r]`."""
    levels = {"variant": label, "data.frames": str(int(size))}
    made = maker.cost(levels, 1000, macs, 1.0, run=run, numbers={"data.frames": size})
    measurements = [
        dataclasses.replace(one, samples=tuple(map(float, ms)), rounds=tuple(range(len(ms))))
        if one.metric == "latency" and one.conditions["batch_size"] == 1
        else one
        for one in made.record.measurements
    ]
    return with_record(made, measurements=tuple(measurements))


def results_of(maker, cells):
    return Results(maker.study(STUDY), [timed(maker, *cell) for cell in cells], maker.root)


def test_the_exponent_of_an_exact_power_law_is_found():
    assert power_law(SIZES, [3 * size**1.5 for size in SIZES]) == pytest.approx((1.5, 3.0))


def test_least_squares_by_hand():
    # log2: sizes 1, 2, 3; costs 0, 2, 3: slope (1 * 3 - 1 * 0) / 2 = 1.5, intercept 5/3 - 3
    slope, factor = power_law([2, 4, 8], [1, 4, 8])

    assert (slope, np.log2(factor)) == pytest.approx((1.5, 5 / 3 - 3))


def test_a_slow_round_slows_all_sizes_and_changes_no_exponent():
    slow = [1.0, 3.0, 1.0, 2.0, 1.5, 1.0, 7.0, 1.0]
    rounds = [{r: size * factor for r, factor in enumerate(slow)} for size in SIZES]

    found = exponent_over_rounds(SIZES, rounds)

    assert found.value == pytest.approx(1.0)
    assert (found.low, found.high, found.n) == (None, None, 8)  # the same in every round


def test_rounds_that_a_slow_cell_had_not_are_left_out():
    rounds = [{r: size for r in range(10 if size < 16 else 5)} for size in SIZES]

    assert exponent_over_rounds(SIZES, rounds).n == 5
    assert exponent_over_rounds(SIZES, [{0: 1.0}, {1: 2.0}, {2: 4.0}, {3: 8.0}]) is None


@pytest.mark.parametrize("alike", [0.0, 0.6])
def test_intervals_cover_the_true_exponent_also_where_rounds_are_alike(alike):
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(300):
        noise = rng.standard_normal((40, 4))
        for r in range(1, 40):
            noise[r] = alike * noise[r - 1] + np.sqrt(1 - alike**2) * noise[r]
        ms = np.array(SIZES) ** 1.2 * np.exp(0.05 * noise)
        found = exponent_over_rounds(SIZES, [dict(enumerate(column)) for column in ms.T])
        covered.append(found.low <= 1.2 <= found.high)
    assert np.mean(covered) > 0.93 - 3 * np.sqrt(0.93 * 0.07 / 300)


def test_a_sum_of_two_laws_shows_in_the_slopes_between_neighbours(maker):
    def cost(size):
        return 1e6 * (size + size**2 / 4)

    cells = [("VLF", size, cost(size), [1.0] * 8) for size in SIZES]

    (fit,) = fit_exponents(results_of(maker, cells), "macs")

    truth = [np.log2(cost(b) / cost(a)) for a, b in pairwise(SIZES)]
    assert fit.local == pytest.approx((truth[0], truth[2]))
    assert fit.local[0] < fit.exponent.value < fit.local[1]
    assert not fit.exponent.has_interval  # a count has no noise
    assert [cell.numbers["data.frames"] for cell in fit.cells] == list(SIZES)


def test_cells_of_two_timing_runs_have_an_exponent_and_no_interval(maker):
    cells = [("VLF", s, 1e6 * s, [s, 1.1 * s] * 4, f"run-{s > 8}") for s in SIZES]

    (fit,) = fit_exponents(results_of(maker, cells), "latency", 1)

    assert fit.exponent.value == pytest.approx(1.0)
    assert not fit.exponent.has_interval


def test_two_sizes_are_no_law(maker):
    cells = [("VLF", size, 1e6 * size, [1.0] * 8) for size in SIZES[:2]]
    results = results_of(maker, cells)

    assert scaled_factor(results) == "data.frames"
    assert fit_exponents(results, "macs") == []
    assert scaling_table(results) is None


def test_the_table_has_a_row_a_series_and_cost(maker):
    cells = [
        (label, size, 1e6 * size**power, [size**power * f for f in (1.0, 1.1, 0.9, 1.0, 1.2, 1.0)])
        for label, power in (("VLF", 1.5), ("TSN", 1.0))
        for size in SIZES
    ]

    rows = [[entry.text for entry in row] for row in scaling_table(results_of(maker, cells)).rows]

    assert rows == [
        ["VLF", "MACs", "1.50", "1.50", "2 to 16", "exact"],
        ["TSN", "MACs", "1.00", "1.00", "2 to 16", "exact"],
        ["VLF", "latency (batch 1)", "1.50", "1.50", "2 to 16", "6"],
        ["TSN", "latency (batch 1)", "1.00", "1.00", "2 to 16", "6"],
    ]
