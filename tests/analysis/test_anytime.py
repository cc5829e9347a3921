"""Evidence that may be looked at after every seed, against numerical integration and simulation."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from analysis.stats.anytime import (
    PRECISION,
    anytime_mean_evidence,
    anytime_win_evidence,
    t_log_evidence,
    t_sequence,
    win_log_evidence,
)

ABOVE_ZERO = (0.0, math.inf)


def integrated_evidence(d):
    """The mixture, integrated: density of the t statistic with an effect over that without."""
    n = len(d)
    t = np.mean(d) / (np.std(d, ddof=1) / math.sqrt(n))
    scale = 1 / math.sqrt(PRECISION)

    def weighted(effect):
        shifted = stats.nct.pdf(t, n - 1, effect * math.sqrt(n))
        return shifted * stats.norm.pdf(effect, scale=scale)

    mixture = integrate.quad(weighted, -8 * scale, 8 * scale, points=[0, t / math.sqrt(n)])[0]
    return math.log(mixture / stats.t.pdf(t, n - 1))


@pytest.mark.parametrize("seed", range(4))
def test_the_t_evidence_is_the_mixture_of_likelihood_ratios_of_t_statistics(seed):
    d = np.random.default_rng(seed).normal(0.4, 1.0, 9)
    ours = t_log_evidence(d)
    for n in (2, 3, 5, 9):
        assert ours[n - 1] == pytest.approx(integrated_evidence(d[:n]), abs=1e-6)


def test_the_confidence_sequence_ends_where_the_evidence_reaches_twenty():
    x = np.random.default_rng(1).normal(3.0, 2.0, 30)
    lows, highs = t_sequence(x)
    for n in (8, 15, 30):
        for border in (lows[n - 1], highs[n - 1]):
            assert t_log_evidence(x[:n] - border)[-1] == pytest.approx(math.log(20), abs=1e-9)


def test_the_confidence_sequence_is_unbounded_while_no_border_can_be_rejected():
    lows, highs = t_sequence([1.0, 2.0, 4.0])
    assert lows.tolist() == [-math.inf] * 3
    assert highs.tolist() == [math.inf] * 3
    found = anytime_mean_evidence([1.0, 2.0, 4.0], ABOVE_ZERO)
    assert (found.low, found.high) == (None, None)
    assert 0.05 < found.p < 1


def test_a_large_mean_does_not_swallow_a_small_spread():
    x = np.random.default_rng(2).normal(0.0, 1e-3, 20)
    near, far = t_sequence(x), t_sequence(x + 1e6)
    assert far[1][-1] - far[0][-1] == pytest.approx(near[1][-1] - near[0][-1], rel=1e-5)


def false_alarms(draw, evidence, studies=3000, looks=40):
    """Share of studies with a p of at most 0.05 at any of their looks; the mean is truly 0."""
    rng, alarms = np.random.default_rng(3), 0
    for _ in range(studies):
        alarms += evidence(draw(rng, looks)).max() >= math.log(20)
    return alarms / studies


@pytest.mark.parametrize(
    ("draw", "evidence", "most"),
    [
        (lambda rng, n: rng.normal(size=n), t_log_evidence, 0.05),
        (lambda rng, n: rng.standard_t(3, size=n), t_log_evidence, 0.05),
        (lambda rng, n: rng.random(n) < 0.5, win_log_evidence, 0.05),
    ],
    ids=["normal", "heavy tails", "wins"],
)
def test_forty_looks_give_at_most_five_percent_of_false_alarms(draw, evidence, most):
    assert false_alarms(draw, evidence) < most + 2.6 * math.sqrt(most * (1 - most) / 3000)


def test_an_ordinary_t_test_at_each_look_gives_more_false_alarms_than_that():
    def looks(d):
        n = np.arange(2, d.size + 1)
        mean = d.cumsum()[1:] / n
        deviation = np.sqrt(((d * d).cumsum()[1:] - n * mean**2) / (n - 1))
        p = 2 * stats.t.sf(abs(mean) / deviation * np.sqrt(n), n - 1)
        return np.where(p < 0.05, math.log(21), 0.0)

    assert false_alarms(lambda rng, n: rng.normal(size=n), looks, studies=500) > 0.2


def test_what_was_decided_stays_decided_while_the_mean_keeps_its_side():
    x = [2.0, 2.1, 1.9, 2.05, 1.95, 2.0]
    decided = anytime_mean_evidence(x, ABOVE_ZERO)
    later = anytime_mean_evidence([*x, 9.0, -4.9], ABOVE_ZERO)
    assert decided.p < 0.01
    assert later.p == decided.p
    assert later.low == decided.low
    assert later.high >= later.value


def test_a_decision_is_taken_back_when_the_mean_changes_its_side():
    x = [2.0, 2.1, 1.9, 2.05, 1.95, 2.0]
    changed = anytime_mean_evidence([*x, *[-40.0, -41.0, -39.0]], ABOVE_ZERO)
    assert not changed.is_inside
    assert changed.p > 0.05
    assert changed.low <= changed.value < 0


def test_within_a_margin_both_borders_have_to_be_rejected():
    x = [0.9, 1.0, 1.1, 0.95, 1.05, 1.0, 1.02, 0.98]
    wide, lopsided = (-3.0, 3.0), (-3.0, 1.05)
    assert anytime_mean_evidence(x, wide).p < 0.05
    nearer = anytime_mean_evidence(x, (-math.inf, 1.05)).p
    assert anytime_mean_evidence(x, lopsided).p == nearer > 0.05


@pytest.mark.parametrize("samples", [[1.0], [2.0, 2.0, 2.0, 2.0, 2.0, 2.0]])
def test_one_sample_and_equal_samples_decide_nothing(samples):
    evidence = anytime_mean_evidence(samples, ABOVE_ZERO)
    assert (evidence.p, evidence.low, evidence.high) == (None, None, None)


def test_equal_differences_at_the_beginning_are_no_evidence_until_there_is_spread():
    assert t_log_evidence([3.0, 3.0, 3.0])[:3].tolist() == [0.0, 0.0, 0.0]
    assert t_log_evidence([3.0, 3.0, 3.0, 3.1])[3] > 0


def test_the_interval_is_cut_at_the_possible_values():
    x = [99.0, 98.0, 97.0, 99.5, 98.5, 99.0, 97.5, 98.2]
    assert anytime_mean_evidence(x, ABOVE_ZERO, within=(0.0, 100.0)).high <= 100.0


def test_eight_wins_in_a_row_decide_and_seven_do_not():
    assert anytime_win_evidence([1.0] * 7).p > 0.05
    eight = anytime_win_evidence([0.5, 3, 2, 8, 1, 4, 2, 1])
    assert eight.p == pytest.approx(9 / 2**8)
    assert (eight.value, eight.is_inside) == (1.0, True)


def test_a_tie_counts_for_the_side_that_has_fewer_runs():
    above = anytime_win_evidence([1.0] * 8 + [0.0])
    below = anytime_win_evidence([-1.0] * 8 + [0.0])
    assert above.p == below.p == pytest.approx(9 / 2**8)
    assert anytime_win_evidence([0.0] + [1.0] * 8).p == pytest.approx(90 / 2**9)
    assert not below.is_inside


@pytest.mark.parametrize("evidence", [anytime_mean_evidence, anytime_win_evidence])
def test_no_sample_is_an_error(evidence):
    arguments = ([], ABOVE_ZERO) if evidence is anytime_mean_evidence else ([],)
    with pytest.raises(ValueError, match="at least one"):
        evidence(*arguments)
