import numpy as np
import pytest
from outcomes import rows_of

from analysis.findings.ranks import concordance, rank_cells, rank_sets
from analysis.results.results import Results
from analysis.tables.ranks import ranks_table


def results_of(maker, runs):
    outcomes = [
        maker.train({"variant": name}, seed, top1)
        for name, values in runs.items()
        for seed, top1 in values.items()
    ]
    return Results(maker.study({"variant": list(runs)}), outcomes, maker.root)


def by_seed(*values):
    return dict(enumerate(values))


def test_ranks_by_mean_and_in_each_seed_are_those_counted_by_hand(maker):
    runs = {"a": by_seed(50, 60, 70), "b": by_seed(60, 59, 80), "c": by_seed(10, 60, 12)}

    b, a, c = rank_cells(results_of(maker, runs))

    assert [one.variant.label for one in (b, a, c)] == ["b", "a", "c"]
    assert [one.by_mean for one in (b, a, c)] == [1, 2, 3]
    assert dict(a.by_seed) == {0: 2, 1: 1.5, 2: 2}  # in seed 1 as high as c
    assert dict(b.by_seed) == {0: 1, 1: 3, 2: 1}


def test_three_seeds_that_agree_in_order_still_allow_many_ranks(maker):
    runs = {"a": by_seed(60, 70, 80), "b": by_seed(59, 60, 61), "c": by_seed(30, 58, 20)}

    found = rank_cells(results_of(maker, runs))

    assert [set(one.by_seed.values()) for one in found] == [{1}, {2}, {3}]
    assert [(one.low, one.high) for one in found] == [(1, 3)] * 3


def test_cells_told_apart_from_all_others_have_one_rank():
    values = np.array([[80.0, 80.1, 79.9], [50.0, 50.2, 49.9], [10.0, 9.9, 10.2]])

    assert rank_sets(values) == [(1, 1), (2, 2), (3, 3)]


def test_differences_without_spread_tell_nothing_apart():
    assert rank_sets(np.array([[80.0, 81.0], [70.0, 71.0]])) == [(1, 2), (1, 2)]


def test_all_sets_hold_at_once_in_95_percent_of_studies():
    rng = np.random.default_rng(6)
    truth = np.array([0.0, 0.0, 1.0, 3.0, 9.0])  # the first two are equal: ranks 4 and 5, any way
    allowed = [(4, 5), (4, 5), (3, 3), (2, 2), (1, 1)]
    held, studies = 0, 400
    for _ in range(studies):
        values = truth[:, None] + rng.standard_normal((5, 3))
        sets = rank_sets(values)
        # Of equal cells no order is true: neither may be said to be above the other.
        held += all(
            low <= best and high >= worst
            for (low, high), (best, worst) in zip(sets, allowed, strict=True)
        )
    assert held / studies > 0.95 - 3 * np.sqrt(0.05 * 0.95 / studies)


def test_concordance_by_hand():
    # sums 5, 4, 9; mean 6; squares 1 + 4 + 9 = 14; W = 12 * 14 / (9 * 24) = 7/9
    ranks = np.array([[1, 2, 3], [2, 1, 3], [2, 1, 3.0]])

    assert concordance(ranks) == pytest.approx(7 / 9)
    assert concordance(ranks[[0, 0, 0]]) == pytest.approx(1)


def test_concordance_with_ties_agrees_with_friedman_s_test():
    from scipy.stats import friedmanchisquare

    rng = np.random.default_rng(7)
    values = rng.integers(0, 4, (6, 5)).astype(float)  # (seeds, cells)
    ranks = np.array(
        [[1 + (v > row).sum() + ((v == row).sum() - 1) / 2 for v in row] for row in values]
    )

    chi2 = friedmanchisquare(*values.T).statistic

    assert concordance(ranks) == pytest.approx(chi2 / (6 * 4))  # W = chi2 / (m (k - 1))


def test_only_seeds_that_all_cells_have_are_ranked(maker):
    runs = {"a": by_seed(50, 60), "b": {1: 70.0, 2: 80.0}}

    _, a = rank_cells(results_of(maker, runs))

    assert dict(a.by_seed) == {1: 2}
    assert (a.low, a.high) == (None, None)


def test_the_table_says_what_one_seed_knows(maker):
    table = ranks_table(results_of(maker, {"a": by_seed(50), "b": by_seed(60)}))

    assert rows_of(table) == [
        ["b", "1", "1", "1 of 1", "\N{EN DASH}"],
        ["a", "2", "2", "0 of 1", "\N{EN DASH}"],
    ]
    assert any("One seed" in remark for remark in table.remarks)


def test_one_cell_has_no_rank(maker):
    assert ranks_table(results_of(maker, {"a": by_seed(50, 60, 70)})) is None
