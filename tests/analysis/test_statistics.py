import itertools
import math

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from analysis.findings.clips import bootstrap_clips
from analysis.stats import estimates


def test_the_mean_of_three_seeds_has_the_t_interval_worked_out_by_hand():
    # mean 80, s = 2, standard error 2 / sqrt(3), t(0.975, 2) = 4.302653 (table value)
    found = estimates.mean_interval([78.0, 80.0, 82.0])

    half = 4.302653 * 2 / math.sqrt(3)
    assert found.value == 80.0
    assert (found.low, found.high) == pytest.approx((80 - half, 80 + half), abs=1e-5)
    assert found.n == 3


def test_one_seed_has_no_interval_instead_of_a_width_of_zero():
    found = estimates.mean_interval([78.0])

    assert found == (78.0, None, None, 1)
    assert not found.has_interval


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        estimates.mean_interval([])


def test_the_paired_difference_agrees_with_scipys_paired_t_test():
    ours = {0: 80.1, 1: 81.4, 2: 79.9, 3: 82.0}
    theirs = {0: 78.0, 1: 80.9, 2: 78.8, 3: 79.1}

    found = estimates.paired_difference(ours, theirs)

    truth = scipy.stats.ttest_rel(list(ours.values()), list(theirs.values()))
    interval = truth.confidence_interval(0.95)
    assert found.p == pytest.approx(truth.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.value == pytest.approx(1.65)


def test_only_seeds_that_both_have_are_paired():
    found = estimates.paired_difference({0: 5.0, 1: 7.0, 9: 100.0}, {1: 6.0, 0: 3.0, 8: 0.0})

    assert found.value == 1.5  # (5 - 3 + 7 - 6) / 2
    assert found.n == 2


def test_without_a_shared_seed_there_is_no_difference():
    assert estimates.paired_difference({0: 5.0}, {1: 6.0}) is None


def test_one_shared_seed_gives_a_difference_without_interval_or_p():
    found = estimates.paired_difference({0: 5.0}, {0: 6.0})

    assert found == (-1.0, None, None, None, None, 1, None)


def test_equal_runs_are_no_evidence():
    assert estimates.paired_difference({0: 5.0, 1: 6.0}, {0: 5.0, 1: 6.0}).p == 1.0


def test_seeds_that_differ_by_the_same_amount_have_no_spread_to_test_with():
    found = estimates.paired_difference({0: 5.0, 1: 6.0}, {0: 4.0, 1: 5.0})

    assert (found.value, found.low, found.high, found.p) == (1.0, None, None, None)


def test_six_seeds_that_all_agree_have_the_sign_flip_p_of_two_in_sixty_four():
    found = estimates.paired_difference(
        {seed: 10.0 + seed for seed in range(6)}, {seed: 9.0 for seed in range(6)}
    )

    assert found.p_flip == pytest.approx(2 / 64)


def test_five_seeds_are_too_few_for_a_sign_flip_p():
    assert estimates.sign_flip_p([1.0] * 5) is None


def test_the_sign_flip_p_counts_every_assignment_of_signs():
    d = [0.3, -0.1, 0.5, 0.2, 0.2, -0.4, 0.1]
    sums = [abs(np.dot(signs, d)) for signs in itertools.product((1, -1), repeat=len(d))]
    truth = np.mean([total >= abs(sum(d)) - 1e-9 for total in sums])

    assert estimates.sign_flip_p(d) == pytest.approx(truth)


def test_holm_is_worked_out_by_hand():
    # sorted 0.01, 0.02, 0.04 times 3, 2, 1 = 0.03, 0.04, 0.04
    assert estimates.holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_holm_agrees_with_statsmodels():
    p = np.random.default_rng(3).random(30) ** 3

    assert estimates.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_of_nothing_is_nothing():
    assert estimates.holm([]) == []


def ar1(rng, correlation, runs, rounds):
    """Series whose neighbours correlate; each value standard normal."""
    noise = rng.normal(size=(runs, rounds))
    x = noise.copy()
    for at in range(1, rounds):
        x[:, at] = correlation * x[:, at - 1] + math.sqrt(1 - correlation**2) * noise[:, at]
    return x


def test_ranks_are_scipys():
    x = np.random.default_rng(0).integers(0, 9, 40).astype(float)

    assert (estimates.rankdata(x) == scipy.stats.rankdata(x)).all()


def test_a_median_between_alternating_samples_has_the_interval_of_independent_ones():
    # Neighbours are as unlike as can be, so nothing is added for likeness: 16 samples, ranks
    # 7.5 -+ t(15) * 4 / 2 = 3.24 and 11.76 of 0..15.
    samples = [value for pair in zip(range(8), range(15, 7, -1), strict=True) for value in pair]

    assert estimates.correlation_time(samples) == 1
    found = estimates.median_interval(samples)
    half = scipy.stats.t.ppf(0.975, 15) * 2
    assert found.value == 7.5
    assert (found.low, found.high) == pytest.approx((7.5 - half, 7.5 + half))


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.8])
def test_the_correlation_time_of_a_long_series_is_that_of_its_process(correlation):
    (series,) = ar1(np.random.default_rng(3), correlation, 1, 20_000)
    above = series > 0
    centred = above - above.mean()
    lags = [float((centred[k:] * centred[: len(centred) - k]).mean()) for k in range(1, 60)]
    truth = 1 + 2 * sum(lags) / float((centred**2).mean())

    assert estimates.correlation_time(np.exp(series)) == pytest.approx(truth, rel=0.2)


def test_a_ratio_is_paired_by_round_so_that_drift_cancels():
    drift = [1.0, 2.0, 4.0, 8.0]
    ours = {i: 3 * x for i, x in enumerate(drift)}
    theirs = {i: x for i, x in enumerate(drift)} | {99: 1e9}

    # Equal in every round: no spread, and so no interval.
    assert estimates.median_ratio(ours, theirs) == (3.0, None, None, 4)


def test_without_a_shared_round_there_is_no_ratio():
    assert estimates.median_ratio({0: 1.0}, {1: 1.0}) is None


@pytest.mark.parametrize("seeds", [3, 5])
def test_t_intervals_of_few_seeds_cover_the_truth_as_often_as_they_say(seeds):
    rng = np.random.default_rng(seeds)
    found = [estimates.mean_interval(rng.normal(7, 2, seeds)) for _ in range(4000)]

    coverage = np.mean([one.low <= 7 <= one.high for one in found])
    assert 0.935 < coverage < 0.965  # four standard errors of 0.95 over 4000


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("rounds", [20, 40])
def test_median_intervals_cover_the_truth_in_correlated_rounds_too(correlation, rounds):
    series = np.exp(ar1(np.random.default_rng(5), correlation, 2000, rounds))

    found = [estimates.median_interval(one) for one in series]

    coverage = np.mean([one.low <= 1 <= one.high for one in found])
    assert 0.93 < coverage < 0.99


def test_corrected_p_values_of_equal_variants_raise_few_false_alarms():
    rng = np.random.default_rng(6)
    alarms = 0
    for _ in range(1000):
        base = dict(enumerate(rng.normal(size=4)))
        p = [
            estimates.paired_difference(dict(enumerate(rng.normal(size=4))), base).p
            for _ in range(6)
        ]
        alarms += min(estimates.holm(p)) < 0.05
    assert alarms / 1000 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 1000)


def test_an_interval_of_a_share_ends_where_shares_end():
    free = estimates.mean_interval([70.0, 80.0, 95.0])
    cut = estimates.mean_interval([70.0, 80.0, 95.0], within=(0.0, 100.0))

    assert free.high > 100
    assert (cut.value, cut.low, cut.high) == (free.value, free.low, 100.0)


def test_seeds_that_agree_have_no_interval_since_no_spread_seen_is_no_certainty():
    assert estimates.mean_interval([50.0, 50.0, 50.0]) == (50.0, None, None, 3)


def test_rounds_that_agree_have_no_interval_either():
    assert estimates.median_interval([5.0] * 40) == (5.0, None, None, 40)
    # All but two equal: the ends of the interval are, too, and it would look like certainty.
    assert estimates.median_interval([5.0] * 38 + [5.1, 5.2]) == (5.0, None, None, 40)


def test_clips_on_which_two_models_agree_have_no_interval():
    assert bootstrap_clips(np.zeros(100)) == (0.0, None, None, 100)


def test_the_difference_of_two_shares_stays_within_what_is_possible():
    ours, theirs = {0: 99.0, 1: 60.0}, {0: 1.0, 1: 40.0}

    found = estimates.paired_difference(ours, theirs)

    truth = scipy.stats.ttest_rel(list(ours.values()), list(theirs.values()))
    assert truth.confidence_interval(0.95).high > 100  # 59 + 12.7 * 39
    assert (found.low, found.high) == (-100.0, 100.0)
    assert found.p == pytest.approx(truth.pvalue)  # the test is not cut


def test_an_interval_that_is_cut_at_the_possible_values_keeps_its_coverage():
    rng = np.random.default_rng(0)
    truth, hits, cut = 92.0, 0, 0
    for _ in range(2000):
        found = estimates.mean_interval(
            np.minimum(rng.normal(truth, 4.0, 3), 100), within=estimates.PERCENT
        )
        hits += found.low <= truth <= found.high
        cut += found.high == 100.0

    assert cut > 500
    assert hits / 2000 > 0.93


def test_differences_that_are_equal_but_for_rounding_have_no_spread():
    ours, theirs = {0: 50.1, 1: 60.3, 2: 70.7}, {0: 48.0, 1: 58.2, 2: 68.6}
    assert len({ours[seed] - theirs[seed] for seed in ours}) > 1  # in the last bits

    found = estimates.paired_difference(ours, theirs)

    assert found.value == pytest.approx(2.1)
    assert (found.low, found.high, found.p, found.deviation) == (None, None, None, None)
