"""Which entries of a column are the best, as far as noise lets one say so."""

from collections.abc import Mapping

from analysis import statistics
from analysis.results import ALPHA, Results, Variant
from analysis.tables.table import Mark


def mark_counts(counts: Mapping[str, float]) -> dict[str, Mark]:
    """The smallest of numbers without noise; equal ones are ties."""
    lowest = [cell for cell, value in counts.items() if value == min(counts.values())]
    return _marks(lowest, len(counts))


def mark_accuracy(results: Results) -> dict[str, Mark]:
    """The highest mean top-1; best only if it beats all other cells.

    Each p is multiplied by the number of comparisons, as the best was picked by looking. This is
    never milder than the table's Holm correction, so a mark cannot contradict the p beside it.
    """
    means = {v.cell: found for v in results.variants if (found := results.accuracy(v))}
    if not means:
        return {}
    best = max(means, key=lambda cell: means[cell].value)
    by_cell = {v.cell: results.by_seed(v, "top1") for v in results.variants}
    others: dict[str, float] = {}
    for cell in means:
        if cell != best:
            difference = statistics.paired_difference(by_cell[best], by_cell[cell])
            p = None if difference is None else difference.p
            others[cell] = 1.0 if p is None else p  # untested is not told apart
    tied = [cell for cell, p in others.items() if p * len(others) >= ALPHA]
    return _marks([best, *tied], len(means))


def mark_costs(results: Results, metric: str, batch: int) -> dict[str, Mark]:
    """The best median of a timing; ties are those whose ratio to it does not exclude 1."""
    medians = {v.cell: found for v in results.variants if (found := results.cost(v, metric, batch))}
    if not medians:
        return {}
    pick = max if metric == "throughput" else min
    best = pick(medians, key=lambda cell: medians[cell].value)
    variants = {v.cell: v for v in results.variants}
    tied = [
        cell
        for cell in medians
        if cell != best and not _differs(results, variants[cell], variants[best], metric, batch)
    ]
    return _marks([best, *tied], len(medians))


def _differs(results: Results, ours: Variant, theirs: Variant, metric: str, batch: int) -> bool:
    ratio = results.ratio(ours, theirs, metric, batch)
    if ratio is None or ratio.low is None or ratio.high is None:
        return False  # of two timing runs, or one sample each: nothing to tell them apart with
    return not ratio.low <= 1 <= ratio.high


def _marks(leaders: list[str], compared: int) -> dict[str, Mark]:
    if len(leaders) == compared:  # all are alike, or there is one alone: nothing stands out
        return {}
    return dict.fromkeys(leaders, "best" if len(leaders) == 1 else "tie")
