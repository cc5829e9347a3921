"""Two cells on the same clips: would other test clips say the same of these trained models?

Beside it stands the test over seeds, which asks whether other training runs would say the same on
these clips. The two have different answers and neither replaces the other.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from analysis.results.artifacts import read_heads
from analysis.results.results import Results, Variant
from analysis.stats.estimates import CONFIDENCE, Estimate

Answers = NDArray[np.bool_]
BySeed = dict[int, tuple[Answers, NDArray[np.int64]]]  # seed -> answered rightly, labels

RESAMPLES = 4000  # of clips


class Discordance(NamedTuple):
    """Clips of one seed that only one of the two models answers rightly, and McNemar's p's."""

    seed: int
    only_ours: int
    only_theirs: int
    p_exact: float
    p_mid: float


class ClipComparison(NamedTuple):
    """Two cells over the seeds and clips that both have.

    `difference` is ours minus theirs in points, averaged over seeds, with its bootstrap interval
    over clips: the trained models stay as they are.
    """

    clips: int
    difference: Estimate
    seeds: tuple[Discordance, ...]


def mcnemar(only_ours: int, only_theirs: int) -> tuple[float, float]:
    """Exact and mid-p two-sided p of McNemar's test.

    Exact is never too small and often too large; mid-p is the one recommended (M. W. Fagerland,
    S. Lydersen and P. Laake, BMC Med. Res. Methodol. 13:91, 2013).
    """
    n, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    if n == 0:
        return 1.0, 1.0
    below = float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0
    tail = float(bdtr(fewer, n, 0.5))
    # Mid-p counts half of what was seen in each tail; both are 1 where the two sides are equal.
    return min(1.0, 2 * tail), min(1.0, below + tail)


def bootstrap_clips(differences: NDArray[np.float64], seed: int = 0) -> Estimate:
    """Mean over clips with its percentile bootstrap interval, the same at every call.

    Differences that are all equal have none: resampling what shows no spread shows none either.

    Args:
        differences: (clips,) of few distinct values, which are resampled by their counts: the same
            as resampling clips, at a cost that does not grow with them.
        seed: Of the resampling.
    """
    values, counts = np.unique(differences, return_counts=True)
    n = int(counts.sum())
    draws = np.random.default_rng(seed).multinomial(n, counts / n, size=RESAMPLES)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws @ values / n, [tail, 1 - tail])
    return Estimate.between(float(differences.mean()), float(low), float(high), n)


def compare_with_baselines(results: Results) -> Iterator[tuple[Variant, ClipComparison]]:
    """Every cell with its baseline, from the stored predictions.

    Left out is what has none of them for a seed of the baseline's, or of other clips.
    """
    read: dict[str, BySeed] = {}  # baselines are asked for again and again
    for variant in results.variants:
        baseline = results.baseline_of(variant)
        if baseline is None or baseline is variant:
            continue
        if baseline.cell not in read:
            read[baseline.cell] = _answers(results, baseline)
        if found := _compare(_answers(results, variant), read[baseline.cell]):
            yield variant, found


def _compare(mine: BySeed, other: BySeed) -> ClipComparison | None:
    shared = [
        seed
        for seed in sorted(mine.keys() & other.keys())
        if np.array_equal(mine[seed][1], other[seed][1])
    ]
    if not shared:
        return None
    pairs = [(mine[seed][0], other[seed][0]) for seed in shared]
    sizes = {len(one) for one, _ in pairs}
    if len(sizes) > 1:  # clips of seeds that are not the same cannot be averaged
        return None
    mean = np.mean([100.0 * one - 100.0 * two for one, two in pairs], axis=0)
    discordances = [_discordance(seed, *pair) for seed, pair in zip(shared, pairs, strict=True)]
    return ClipComparison(sizes.pop(), bootstrap_clips(mean), tuple(discordances))


def _discordance(seed: int, ours: Answers, theirs: Answers) -> Discordance:
    only_ours, only_theirs = int(np.sum(ours & ~theirs)), int(np.sum(theirs & ~ours))
    return Discordance(seed, only_ours, only_theirs, *mcnemar(only_ours, only_theirs))


def _answers(results: Results, variant: Variant) -> BySeed:
    """Seed -> which clips are answered rightly, by every head, and their labels."""
    found = {}
    for seed, arrays in results.arrays_by_seed(variant, "predictions").items():
        if heads := read_heads(arrays):
            right = np.all([head.right for head in heads], axis=0)
            found[seed] = (right, np.stack([head.labels for head in heads]))
    return found
