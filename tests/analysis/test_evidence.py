import math

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.weightstats import DescrStatsW

from analysis.stats.regions import sign_evidence, student_evidence

ABOVE = (0.0, math.inf)


def test_the_p_of_above_zero_is_that_of_the_t_test_by_hand():
    # mean 2, deviation 1, three samples: t = 2 * sqrt(3), and with two degrees of freedom
    # p = 1 - t / sqrt(2 + t^2)
    found = student_evidence([1.0, 2.0, 3.0], ABOVE)

    t = 2 * math.sqrt(3)
    assert found.p == pytest.approx(1 - t / math.sqrt(2 + t * t))
    assert (found.value, found.is_inside, found.n, found.strength) == (2.0, True, 3, 2.0)


@pytest.mark.parametrize("shift", [-1.0, 0.3, 2.5])
def test_p_and_interval_agree_with_scipys(shift):
    x = np.random.default_rng(3).normal(shift, 1, 7)

    found = student_evidence(x, ABOVE)

    truth = scipy.stats.ttest_1samp(x, 0.0)
    assert found.p == pytest.approx(truth.pvalue)
    interval = truth.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.is_inside == (x.mean() > 0)


def test_within_a_margin_is_twice_the_p_of_two_one_sided_tests():
    x = np.random.default_rng(4).normal(0.4, 1, 12)

    found = student_evidence(x, (-2.0, 2.0))

    assert found.is_inside
    assert found.p == pytest.approx(2 * DescrStatsW(x).ttost_mean(-2.0, 2.0)[0])


def test_beyond_a_margin_only_the_edge_that_was_crossed_counts():
    x = np.random.default_rng(5).normal(4, 1, 8)

    found = student_evidence(x, (-2.0, 2.0))

    assert not found.is_inside
    assert found.p == pytest.approx(scipy.stats.ttest_1samp(x, 2.0).pvalue)


@pytest.mark.parametrize("samples", [[3.0], [3.0, 3.0, 3.0]])
def test_one_seed_or_equal_seeds_are_no_evidence(samples):
    found = student_evidence(samples, ABOVE)

    assert (found.value, found.low, found.high, found.p) == (3.0, None, None, None)


def test_nine_rounds_of_ten_on_one_side_have_the_p_of_a_coin():
    # 2 * (1 + 10) / 2^10
    samples = [0.4, *(0.6 + i / 100 for i in range(9))]

    found = sign_evidence(samples, (0.5, math.inf))

    assert found.p == pytest.approx(22 / 1024)
    assert (found.is_inside, found.strength) == (True, 0.9)


def test_the_interval_of_twenty_rounds_ends_at_the_sixth_from_either_end():
    # P(at most 5 heads of 20) = 21700 / 2^20 = 0.0207, of 6: 0.0577
    found = sign_evidence([float(i) for i in range(1, 21)], ABOVE)

    assert (found.low, found.high) == (6.0, 15.0)


def test_five_rounds_cannot_enclose_a_median():
    assert sign_evidence([1.0, 2.0, 3.0, 4.0, 5.0], ABOVE).p is None


def test_rounds_on_the_edge_speak_for_neither_side():
    samples = [0.5] * 4 + [0.7] * 6

    assert sign_evidence(samples, (0.5, math.inf)).p == pytest.approx(
        2 * sum(math.comb(10, k) for k in range(5)) / 1024
    )


def test_order_intervals_cover_a_skewed_median_as_often_as_they_say():
    rng = np.random.default_rng(6)
    found = [sign_evidence(np.exp(rng.normal(size=20)), ABOVE) for _ in range(3000)]

    assert np.mean([one.low <= 1 <= one.high for one in found]) > 0.95 - 0.012


@pytest.mark.parametrize("evidence", [student_evidence, sign_evidence])
def test_the_interval_leaves_the_edge_out_exactly_where_p_says_so(evidence):
    rng = np.random.default_rng(7)
    told = []
    for _ in range(300):
        found = evidence(rng.normal(0.3, 1, 15), ABOVE)
        told.append((found.p < 0.05, not found.low <= 0 <= found.high))
    assert {decided for decided, _ in told} == {True, False}
    assert all(decided == excluded for decided, excluded in told)
