import math

import numpy as np
import pytest
import scipy.stats
from outcomes import rows_of
from statsmodels.stats.power import TTestPower

from analysis.results.results import Results
from analysis.tables.power import SIZES, power_table

MINUS = "\N{MINUS SIGN}"


def table_of(maker, runs):
    return power_table(Results(maker.study({"variant": list(runs)}), maker.runs(runs), maker.root))


def test_the_seeds_needed_are_statsmodels_for_the_spread_of_the_differences(maker):
    runs = {"VLF": (80.0, 81.0, 82.0, 80.0), "TSN": (70.0, 74.0, 69.0, 72.0)}

    (row,) = rows_of(table_of(maker, runs))

    deviation = np.std([-10, -7, -13, -8], ddof=1)
    solve = TTestPower().solve_power
    truth = [str(math.ceil(solve(size / deviation, power=0.8, alpha=0.05))) for size in SIZES]
    assert row[4:] == truth
    visible = solve(None, nobs=4, power=0.8, alpha=0.05) * deviation
    assert row[3] == f"{visible:.1f} points"


def test_the_spread_has_the_interval_of_a_standard_deviation(maker):
    runs = {"VLF": (80.0, 81.0, 82.0), "TSN": (70.0, 74.0, 69.0)}

    (row,) = rows_of(table_of(maker, runs))

    squares = np.var([-10, -7, -13], ddof=1) * 2  # 18
    low, high = (math.sqrt(squares / scipy.stats.chi2.ppf(q, 2)) for q in (0.975, 0.025))
    assert (low, high) == pytest.approx((1.56, 18.9), abs=0.05)
    assert row[2] == "3.00 [1.6, 19]"


def test_several_comparisons_are_corrected_for_and_pooled(maker):
    runs = {
        "VLF": (80.0, 81.0, 82.0, 80.0),
        "TSN": (70.0, 74.0, 69.0, 72.0),
        "TSM": (79.0, 78.0, 82.0, 81.0),
    }

    table = table_of(maker, runs)

    pooled, tsn, _ = rows_of(table)
    deviations = [np.std(d, ddof=1) for d in ([-10, -7, -13, -8], [-1, -3, 0, 1])]
    together = math.sqrt(np.mean(np.square(deviations)))
    assert pooled[2] == f"{together:.2f}"
    wanted = TTestPower().solve_power(2 / deviations[0], power=0.8, alpha=0.025)
    assert tsn[6] == str(math.ceil(wanted))
    assert "over 2 comparisons (Holm's first step)" in table.caption


def test_one_seed_or_equal_seeds_tell_no_spread(maker):
    assert table_of(maker, {"VLF": (80.0,), "TSN": (70.0,)}) is None
    assert table_of(maker, {"VLF": (80.0, 81.0), "TSN": (70.0, 71.0)}) is None
