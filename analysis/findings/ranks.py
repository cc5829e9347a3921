"""Ranks of cells by the mean and by seed, and the ranks that the data allow.

A rank's set is simultaneous (Mogstad, Romano, Shaikh and Wilhelm, "Inference for Ranks", Rev.
Econ. Stud. 91, 2024): all pairs of cells are tested by paired t over seeds, each at 5 % over the
number of pairs, and a cell's rank lies between 1 plus the cells told to be above it and the
number of cells less those told to be below. With 95 % all sets hold at once. A bootstrap over
seeds is not used: 3 seeds have 10 different resamples, and intervals made of them hold 75 % where
they say 95 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from analysis.results.results import Results, Variant
from analysis.stats.estimates import ALPHA, paired_difference, rankdata

MOST_CELLS = 100  # beyond, pairs are thousands and no rank is told


@dataclass(frozen=True)
class Rank:
    """Rank of a cell; 1 is the highest top-1, equal values share the mean of their ranks.

    Attributes:
        variant: The cell.
        by_mean: Its rank by the mean over the shared seeds.
        by_seed: Seed -> its rank in that seed alone.
        low: The best rank that the data allow, at 95 % for all cells at once; None with one seed.
        high: The worst.
    """

    variant: Variant
    by_mean: float
    by_seed: Mapping[int, float]
    low: int | None
    high: int | None


def rank_cells(results: Results) -> list[Rank]:
    """Cells by their mean over the seeds that all have; those without a result are left out.

    Fewer than two, or more than `MOST_CELLS`, are not ranked.
    """
    tops = {v.cell: top for v in results.variants if (top := results.by_seed(v, "top1"))}
    variants = [v for v in results.variants if v.cell in tops]
    if not 2 <= len(variants) <= MOST_CELLS:
        return []
    seeds = sorted(set.intersection(*(set(one) for one in tops.values())))
    if not seeds:
        return []
    values = np.array([[tops[v.cell][seed] for seed in seeds] for v in variants])  # (cells, seeds)
    by_mean, by_seed = _ranks(values.mean(axis=1)), np.array([_ranks(one) for one in values.T])
    sets = rank_sets(values)
    found = [
        Rank(v, float(by_mean[i]), dict(zip(seeds, by_seed[:, i].tolist(), strict=True)), *sets[i])
        for i, v in enumerate(variants)
    ]
    return sorted(found, key=lambda rank: rank.by_mean)


def rank_sets(values: NDArray[np.float64]) -> list[tuple[int, int] | tuple[None, None]]:
    """The best and worst rank that the data allow each cell: (cells, seeds) -> one a cell.

    Differences that are the same in all seeds have no spread and are not tested.
    """
    cells, seeds = values.shape
    if seeds < 2:
        return [(None, None)] * cells
    above, below = [0] * cells, [0] * cells
    threshold = ALPHA / (cells * (cells - 1) / 2)
    for i, j in combinations(range(cells), 2):
        found = paired_difference(dict(enumerate(values[i])), dict(enumerate(values[j])))
        if found is None or found.p is None or found.p >= threshold:
            continue
        better, worse = (i, j) if found.value > 0 else (j, i)
        above[worse] += 1
        below[better] += 1
    return [(1 + above[i], cells - below[i]) for i in range(cells)]


def concordance(ranks: NDArray[np.float64]) -> float:
    """Kendall's W of (seeds, cells) ranks: 1 where all seeds give one order, 0 where none is.

    Corrected for ties. Source: Kendall and Babington Smith, Ann. Math. Statist. 10 (1939).
    """
    seeds, cells = ranks.shape
    sums = ranks.sum(axis=0)
    ties = sum(
        int((c**3 - c).sum()) for one in ranks for _, c in [np.unique(one, return_counts=True)]
    )
    most = seeds**2 * (cells**3 - cells) - seeds * ties
    return float(12 * ((sums - sums.mean()) ** 2).sum() / most) if most else 1.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return rankdata(-values)
