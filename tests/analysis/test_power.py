import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from statsmodels.stats.power import TTestPower

from analysis.stats.power import rounds_needed, seeds_needed, smallest_effect, t_power


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


def test_rounds_on_one_side_need_as_many_as_a_coin_does_and_on_either_decide_nothing():
    # 2 / 2^n < 0.01 from n = 8 on
    assert rounds_needed(1.0, 0.01) == 8
    assert rounds_needed(0.5, 0.05) is None


def test_the_rounds_needed_have_the_power_in_a_simulation():
    rounds = rounds_needed(0.7, 0.05)
    heads = np.random.default_rng(2).binomial(rounds, 0.7, 20_000)
    limit = max(k for k in range(rounds) if coin_p(k, rounds) < 0.05)

    assert 0.78 < np.mean(rounds - heads <= limit) < 0.87


def coin_p(k, n):
    return 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n
