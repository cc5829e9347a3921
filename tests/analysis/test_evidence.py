import math

import numpy as np
import pytest

from analysis.stats.anytime import anytime_mean_evidence, anytime_median_evidence

ABOVE = (0.0, math.inf)


def test_the_e_value_of_three_seeds_by_hand():
    # S = 6, V = 14, n + phi = 3.3: sqrt(0.3 / 3.3) * (14 / (14 - 36 / 3.3))^1.5 = 2.905
    found = anytime_mean_evidence([1.0, 2.0, 3.0], ABOVE)

    assert found.p == pytest.approx(1 / (math.sqrt(1 / 11) * (14 / (14 - 36 / 3.3)) ** 1.5))
    assert (found.value, found.is_inside, found.n, found.strength) == (2.0, True, 3, 2.0)


def test_within_a_margin_the_nearer_edge_decides():
    x = np.random.default_rng(4).normal(0.4, 1, 12)

    found = anytime_mean_evidence(x, (-2.0, 2.0))

    assert found.is_inside
    below = anytime_mean_evidence(x, (-math.inf, 2.0)).p
    above = anytime_mean_evidence(x, (-2.0, math.inf)).p
    assert found.p == max(below, above)


def test_beyond_a_margin_only_the_edge_that_was_crossed_counts():
    x = np.random.default_rng(5).normal(4, 1, 8)

    found = anytime_mean_evidence(x, (-2.0, 2.0))

    assert not found.is_inside
    assert found.p == anytime_mean_evidence(x, (-math.inf, 2.0)).p


@pytest.mark.parametrize("samples", [[3.0], [3.0, 3.0, 3.0]])
def test_one_seed_or_equal_seeds_are_no_evidence(samples):
    found = anytime_mean_evidence(samples, ABOVE)

    assert (found.value, found.low, found.high, found.p) == (3.0, None, None, None)


def test_nine_rounds_of_ten_on_one_side_have_the_p_of_the_mixture():
    # B(10, 2) = 1 / 110
    samples = [0.4, *(0.6 + i / 100 for i in range(9))]

    found = anytime_median_evidence(samples, (0.5, math.inf))

    assert found.p == pytest.approx(110 / 2**10)
    assert (found.is_inside, found.strength) == (True, 0.9)


def test_the_interval_of_twenty_rounds_ends_at_the_fifth_from_either_end():
    # 16 of 20: 2^20 / (21 * 4845) = 10.3; 17 of 20: 2^20 / (21 * 1140) = 43.8, more than 1 / 0.05
    found = anytime_median_evidence([float(i) for i in range(1, 21)], ABOVE)

    assert (found.low, found.high) == (4.0, 17.0)


def test_seven_rounds_cannot_enclose_a_median():
    assert anytime_median_evidence([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], ABOVE).p is None


def test_rounds_on_the_edge_speak_for_neither_side():
    samples = [0.5] * 2 + [0.7] * 10

    # as 10 wins of 12: B(11, 3) = 1 / 858
    assert anytime_median_evidence(samples, (0.5, math.inf)).p == pytest.approx(858 / 2**12)


def test_order_intervals_cover_a_skewed_median_as_often_as_they_say():
    rng = np.random.default_rng(6)
    found = [anytime_median_evidence(np.exp(rng.normal(size=20)), ABOVE) for _ in range(3000)]

    assert np.mean([one.low <= 1 <= one.high for one in found]) > 0.95 - 0.012


@pytest.mark.parametrize("evidence", [anytime_mean_evidence, anytime_median_evidence])
def test_the_interval_leaves_the_edge_out_exactly_where_p_says_so(evidence):
    rng = np.random.default_rng(7)
    told = []
    for _ in range(300):
        found = evidence(rng.normal(0.5, 1, 15), ABOVE)
        told.append((found.p < 0.05, not found.low <= 0 <= found.high))
    assert {decided for decided, _ in told} == {True, False}
    assert all(decided == excluded for decided, excluded in told)
