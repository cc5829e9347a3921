"""Stability of the order of the cells."""

import numpy as np

from analysis.findings.ranks import Rank, concordance, rank_cells
from analysis.results.results import Results
from analysis.stats.format import NONE, fixed, plain, plural
from analysis.tables.table import Row, Table

MOST_LISTED = 5  # seeds whose ranks stand in an entry one by one


def ranks_table(results: Results) -> Table | None:
    """One row a cell, best mean first; None with fewer than two cells that share a seed."""
    ranks = rank_cells(results)
    if not ranks:
        return None
    seeds = list(ranks[0].by_seed)
    remarks = [
        f"Ranks over the {plural(len(seeds), 'seed')} that all these cells have; equal values "
        "share the mean of their ranks."
    ]
    left_out = len(results.variants) - len(ranks)
    if left_out:
        remarks.append(f"{plural(left_out, 'cell')} without a result, not ranked.")
    if len(seeds) > 1:
        agreement = concordance(np.array([[one.by_seed[s] for one in ranks] for s in seeds]))
        remarks.append(
            f"Kendall's W over seeds: {fixed(agreement, 2)} (1: every seed gives the same order, "
            "0: no order in common). Ranks that data allow: all pairs tested by paired t over "
            "seeds, at 5 % over their number; with 95 % all rows hold at once. Few seeds allow "
            "many ranks: that is what they tell of an order, however alike it was in each of "
            "them."
        )
    else:
        remarks.append("One seed: nothing is known of how stable this order is.")
    return Table.of(
        "ranks",
        ("cell", "rank by mean", "rank in each seed", "alone first in", "ranks the data allow"),
        map(_row, ranks),
        "How stable the order by top-1 is (1 is the highest).",
        remarks,
    )


def _row(rank: Rank) -> Row:
    each = list(rank.by_seed.values())
    listed = ", ".join(map(plain, each))
    if len(each) > MOST_LISTED:
        listed = f"{plain(min(each))} to {plain(max(each))}"
    if rank.low is None or rank.high is None:
        allowed = NONE
    else:
        allowed = str(rank.low) if rank.low == rank.high else f"{rank.low} to {rank.high}"
    return (
        rank.variant.label,
        plain(rank.by_mean),
        listed,
        f"{sum(one == 1 for one in each)} of {len(each)}",
        allowed,
    )
