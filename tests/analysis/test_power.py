import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from statsmodels.stats.power import TTestPower

from analysis.stats.anytime import anytime_mean_evidence, t_sequence
from analysis.stats.power import (
    chance_to_decide,
    chance_to_decide_wins,
    rounds_to_decide,
    seeds_needed,
    seeds_to_decide,
    smallest_effect,
    t_power,
)


@pytest.mark.parametrize(
    ("effect", "samples", "alpha"),
    [*itertools.product([0.2, 0.8, 2.0], [2, 3, 8], [0.05, 0.002])],
)
def test_power_agrees_with_statsmodels(effect, samples, alpha):
    truth = TTestPower().power(effect, samples, alpha, alternative="two-sided")

    assert t_power(effect, samples, alpha) == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize(("effect", "samples"), [(6.0, 2), (6.0, 3), (20.0, 2), (2.0, 40)])
def test_power_of_large_effects_agrees_with_the_integral_over_the_spread(effect, samples):
    # There statsmodels gives nan. t = (z + shift) / (s / sigma), z normal, s by chi.
    limit = scipy.stats.t.ppf(0.975, samples - 1)
    shift = effect * np.sqrt(samples)
    spread = scipy.stats.chi(samples - 1, scale=1 / np.sqrt(samples - 1))

    def seen(s):
        sides = scipy.stats.norm.sf(limit * s - shift) + scipy.stats.norm.cdf(-limit * s - shift)
        return spread.pdf(s) * sides

    truth, _ = scipy.integrate.quad(seen, 0, 8, limit=200)
    assert t_power(effect, samples, 0.05) == pytest.approx(truth, abs=1e-6)


def test_power_is_how_often_a_simulated_test_sees_the_effect():
    rng = np.random.default_rng(1)
    x = rng.normal(1.0, 1.0, (20_000, 6))
    t = x.mean(1) / (x.std(1, ddof=1) / np.sqrt(6))

    assert t_power(1.0, 6, 0.05) == pytest.approx(np.mean(abs(t) > 2.5706), abs=0.012)


def test_power_far_out_is_one_and_the_smallest_effect_is_its_inverse():
    assert t_power(1e4, 3, 0.05) == 1.0
    assert t_power(smallest_effect(5, 0.05), 5, 0.05) == pytest.approx(0.8)


@pytest.mark.parametrize("effect", [0.3, 1.0, 3.0])
def test_the_seeds_needed_are_the_fewest_that_have_the_power(effect):
    found = seeds_needed(effect, 0.05)

    assert t_power(effect, found, 0.05) >= 0.8
    assert found == 2 or t_power(effect, found - 1, 0.05) < 0.8
    wanted = TTestPower().solve_power(effect, power=0.8, alpha=0.05, alternative="two-sided")
    assert found == pytest.approx(np.ceil(wanted))


@pytest.mark.parametrize("effect", [0.0, 0.01])
def test_no_number_of_seeds_is_promised_for_next_to_nothing(effect):
    assert seeds_needed(effect, 0.05) is None


def test_the_smallest_effect_is_the_inverse_of_the_power():
    assert t_power(smallest_effect(5, 0.05), 5, 0.05) == pytest.approx(0.8)


def test_rounds_that_all_lie_on_one_side_need_as_many_as_the_mixture_does():
    # (n + 1) / 2^n <= 0.01 from n = 11 on
    assert rounds_to_decide(1.0, 0.01) == 11


def test_the_rounds_needed_have_the_power_in_a_simulation():
    rounds = rounds_to_decide(0.7, 0.05)
    heads = np.random.default_rng(2).binomial(rounds, 0.7, 20_000)
    decides = [
        2**rounds / ((rounds + 1) * math.comb(rounds, k)) >= 20 and k > rounds / 2
        for k in range(rounds + 1)
    ]

    assert 0.78 < np.mean(np.array(decides)[heads]) < 0.87


def test_half_of_the_rounds_on_either_side_decide_nothing():
    assert rounds_to_decide(0.5, 0.05) is None


@pytest.mark.parametrize("strength", [0.8, 1.5, 3.0])
def test_the_seeds_that_decide_have_the_power_in_a_simulation(strength):
    seeds = seeds_to_decide(strength, 0.05)
    rng = np.random.default_rng(3)
    found = [
        anytime_mean_evidence(rng.normal(strength, 1, seeds), (0.0, math.inf)).p < 0.05
        for _ in range(2000)
    ]
    # Looks before the last one decide some studies too, and the spread is estimated.
    assert 0.75 < np.mean(found) < 0.95


def test_the_predicted_chance_is_how_often_the_last_seed_decides():
    rng = np.random.default_rng(4)
    predicted, decided = [], []
    for _ in range(1500):
        # A flat prior over means: effects of all sizes are as likely.
        x = rng.normal(rng.uniform(-4, 4), 1, 16)
        if abs(x[:6].mean()) < 2:
            predicted.append(chance_to_decide(x[:6], (0.0, math.inf), 16))
            low, high = t_sequence(x)
            decided.append(low[-1] > 0 or high[-1] < 0)
    assert len(predicted) > 500
    assert np.mean(predicted) == pytest.approx(np.mean(decided), abs=0.05)


def test_the_predicted_chance_of_a_region_counts_both_of_its_sides():
    near = [0.1, -0.2, 0.05, 0.0, -0.1, 0.15]
    assert chance_to_decide(near, (-2.0, 2.0), 12) > 0.99
    assert chance_to_decide([x + 9 for x in near], (-2.0, 2.0), 12) > 0.99
    assert chance_to_decide([x + 2 for x in near], (-2.0, 2.0), 12) < 0.5
    assert chance_to_decide(near, (-2.0, 2.0), 3) == 0.0  # three seeds decide nothing


def test_the_predicted_chance_of_wins_is_that_of_a_fair_draw_over_all_shares():
    # After 4 wins of 4, 8 seeds decide at 8 wins alone: B(9, 1) / B(5, 1) = 5 / 9.
    assert chance_to_decide_wins([1.0] * 4, 8) == pytest.approx(5 / 9)
    assert chance_to_decide_wins([-1.0] * 4, 8) == pytest.approx(5 / 9)
    assert chance_to_decide_wins([1.0, -1.0, 1.0], 8) == 0.0
    assert chance_to_decide_wins([1.0] * 8, 8) == 1.0
