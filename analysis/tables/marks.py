"""Marks of the significantly best entries of a column."""

from collections.abc import Callable, Mapping, Sequence

from analysis.results.results import ALPHA, Results
from analysis.stats import estimates
from analysis.tables.table import Mark


def mark_counts(counts: Mapping[str, float]) -> dict[str, Mark]:
    """The smallest of numbers without noise, and the next; equal ones share a place."""
    ordered = sorted(counts, key=lambda cell: counts[cell])
    return _marks(ordered, lambda one, other: counts[one] != counts[other])


def mark_accuracy(results: Results) -> dict[str, Mark]:
    """The highest mean top-1; best only if it beats all other cells, second as `_marks`.

    Each p is multiplied by the number of comparisons, as the best was picked by looking. This is
    never milder than the table's Holm correction, so a mark cannot contradict the p beside it.
    """
    means = {v.cell: found for v in results.variants if (found := results.accuracy(v))}
    by_cell = {v.cell: results.by_seed(v, "top1") for v in results.variants}

    def differs(one: str, other: str) -> bool:
        difference = estimates.paired_difference(by_cell[one], by_cell[other])
        p = None if difference is None else difference.p
        return p is not None and p * (len(means) - 1) < ALPHA  # untested: not significant

    return _marks(sorted(means, key=lambda cell: -means[cell].value), differs)


def mark_costs(results: Results, metric: str, batch: int) -> dict[str, Mark]:
    """The best median of a timing; ties are those whose ratio to it does not exclude 1."""
    groups = {cells[0].cell: cells for cells in results.by_model}
    firsts = (cells[0] for cells in groups.values())
    medians = {v.cell: found for v in firsts if (found := results.cost(v, metric, batch))}
    sign = -1 if metric == "throughput" else 1
    variants = {v.cell: v for v in results.variants}

    def differs(one: str, other: str) -> bool:
        ratio = results.ratio(variants[other], variants[one], metric, batch)
        if ratio is None or ratio.low is None or ratio.high is None:
            return False  # of two timing runs, or one sample each: not testable
        return not ratio.low <= 1 <= ratio.high

    marks = _marks(sorted(medians, key=lambda cell: sign * medians[cell].value), differs)
    return {one.cell: mark for cell, mark in marks.items() for one in groups[cell]}


def _marks(ordered: Sequence[str], differs: Callable[[str, str], bool]) -> dict[str, Mark]:
    """Marks of cells from the best value to the worst.

    Cells that are not significantly different from the best share the first place ("tie"). A
    second place exists only where the first is one cell's; cells that are not significantly
    different from the best of the rest share it.
    """
    first = _leaders(ordered, differs)
    if len(first) == len(ordered):  # no significant difference, or one cell alone
        return {}
    if len(first) > 1:
        return dict.fromkeys(first, "tie")
    rest = ordered[1:]
    second = _leaders(rest, differs)
    found: dict[str, Mark] = {first[0]: "best"}
    if len(second) < len(rest):
        found.update(dict.fromkeys(second, "second"))
    return found


def _leaders(ordered: Sequence[str], differs: Callable[[str, str], bool]) -> list[str]:
    return [cell for cell in ordered if cell == ordered[0] or not differs(ordered[0], cell)]
