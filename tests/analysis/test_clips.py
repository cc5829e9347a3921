import numpy as np
import pytest
from outcomes import rows_of
from statsmodels.stats.contingency_tables import mcnemar as reference

from analysis.findings.clips import bootstrap_clips, compare_with_baselines, mcnemar
from analysis.results.results import Results
from analysis.tables.clips import clips_table


def outcome(maker, label, seed, right, labels=None):
    """A run whose model answers exactly these clips rightly."""
    labels = np.arange(len(right)) % 2 if labels is None else np.asarray(labels)
    answers = np.where(np.asarray(right, dtype=bool), labels, 1 - labels)
    return maker.answered(label, seed, answers, labels, ("a", "b"))


def results_of(maker, runs):
    """`runs`: label -> one list of right (1) and wrong (0) answers a seed."""
    outcomes = [
        outcome(maker, label, seed, right)
        for label, answers in runs.items()
        for seed, right in enumerate(answers)
    ]
    return Results(maker.study({"variant": list(runs)}), outcomes, maker.root)


def test_eight_to_one_by_hand():
    # exact: 2 * (1 + 9) / 2^9; mid-p: half of the 9 that are as seen are left out on each side
    assert mcnemar(8, 1) == pytest.approx((20 / 512, 11 / 512))


@pytest.mark.parametrize(("ours", "theirs"), [(0, 5), (12, 7), (40, 61), (3, 3), (0, 0)])
def test_the_exact_p_agrees_with_statsmodels(ours, theirs):
    truth = reference([[50, ours], [theirs, 50]], exact=True).pvalue

    assert mcnemar(ours, theirs)[0] == pytest.approx(1.0 if ours == theirs else truth)


def test_the_bootstrap_by_counts_agrees_with_one_that_draws_clips():
    rng = np.random.default_rng(1)
    d = rng.choice([-100.0, -50.0, 0.0, 50.0, 100.0], size=300, p=[0.1, 0.1, 0.5, 0.2, 0.1])

    found = bootstrap_clips(d)

    means = [rng.choice(d, size=300).mean() for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.value == pytest.approx(d.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06 * (high - low))


def test_intervals_over_clips_cover_the_difference_of_a_thousand_worlds():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(1000):
        ours, theirs = rng.random(200) < 0.7, rng.random(200) < 0.6
        found = bootstrap_clips(100.0 * ours - 100.0 * theirs)
        covered.append(found.low <= 10 <= found.high)
    assert np.mean(covered) > 0.93


def test_mid_p_raises_false_alarms_as_often_as_it_says():
    rng = np.random.default_rng(3)
    alarms = []
    for _ in range(4000):
        differing = rng.binomial(300, 0.2)
        ours = rng.binomial(differing, 0.5)
        alarms.append(mcnemar(ours, differing - ours)[1] < 0.05)
    assert np.mean(alarms) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 4000)


def test_clips_are_compared_seed_by_seed_and_averaged(maker):
    vlf = [[1, 1, 1, 0, 0, 1], [1, 1, 0, 0, 1, 1]]
    tsn = [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 1, 1]]
    results = results_of(maker, {"VLF": vlf, "TSN": tsn})

    ((variant, found),) = compare_with_baselines(results)

    assert variant.label == "TSN"
    assert [(one.only_ours, one.only_theirs) for one in found.seeds] == [(1, 3), (0, 1)]
    assert found.clips == 6
    assert found.difference.value == pytest.approx(100 * (2 + 3 - 4 - 4) / 12)


def test_predictions_of_other_clips_are_not_compared(maker):
    other = outcome(maker, "TSN", 0, [1, 1, 0], labels=[1, 1, 1])
    vlf = outcome(maker, "VLF", 0, [1, 1, 0], labels=[0, 1, 0])
    results = Results(maker.study({"variant": ["VLF", "TSN"]}), [vlf, other], maker.root)

    assert list(compare_with_baselines(results)) == []
    assert clips_table(results) is None


def test_the_table_asks_of_seeds_and_of_clips(maker):
    rng = np.random.default_rng(4)
    vlf = [rng.random(400) < 0.6 for _ in range(3)]
    # Better by far on the clips in one seed, worse in another: seeds disagree, clips do not.
    tsn = [rng.random(400) < share for share in (0.9, 0.5, 0.9)]
    table = clips_table(results_of(maker, {"VLF": vlf, "TSN": tsn}))

    (row,) = rows_of(table)
    label, _, over_seeds, p, over_clips, by_seed, counts = row
    assert label == "TSN"
    assert over_seeds.startswith("[\N{MINUS SIGN}")
    assert float(p) > 0.05
    assert over_clips.startswith("[+")
    assert by_seed.count("< 0.001") == 2
    assert counts.count("+") == 3


def test_one_seed_has_a_test_over_clips_alone(maker):
    results = results_of(maker, {"VLF": [[1, 1, 0, 1]], "TSN": [[0, 1, 0, 0]]})

    (row,) = clips_table(results).rows

    assert row[2].text == "one seed: no interval"
    assert row[4].text == "[\N{MINUS SIGN}100.0, 0.0]"


def test_many_seeds_are_told_by_their_range(maker):
    rng = np.random.default_rng(5)
    vlf = [rng.random(50) < 0.6 for _ in range(7)]
    tsn = [rng.random(50) < 0.6 for _ in range(7)]

    (row,) = clips_table(results_of(maker, {"VLF": vlf, "TSN": tsn})).rows

    assert " to " in row[5].text
    assert row[6].text.endswith(" in all")


def test_seeds_that_all_show_the_difference_are_told_once(maker):
    right, wrong = [[1] * 40] * 4, [[0] * 40] * 4

    (row,) = clips_table(results_of(maker, {"VLF": wrong, "TSN": right})).rows

    assert row[5].text == "< 0.001 each"
    assert row[6].text == "+160 \N{MINUS SIGN}0 in all"
