"""Results of `match` in words and numbers for a plan. No torch."""

from collections.abc import Mapping

from study.measure.counts import CellCounts
from study.spec.grid import Cell
from study.spec.match import Matching

TIMES = "\N{MULTIPLICATION SIGN}"


def count_of(match: Matching, counts: CellCounts) -> float:
    """The count that is matched; for a latency the MACs, which say where to search."""
    return float(counts.parameters) if match.metric == "parameters" else counts.macs


def ratio_to_target(match: Matching, cell: Cell, counts: Mapping[str, CellCounts]) -> float | None:
    """A cell's cost as a multiple of its target's; None where it has none."""
    if cell.matched is None:
        return None
    target = match.to if isinstance(match.to, float) else None
    if cell.matched.target:
        target = count_of(match, counts[cell.matched.target])
    return count_of(match, counts[cell.name]) / target if target else None


def matched_words(match: Matching, cell: Cell, counts: Mapping[str, CellCounts]) -> str:
    """Text of a cell in a plan: the chosen value and its ratio to the target."""
    matched = cell.matched
    if matched is None:
        return "-"
    if matched.target == cell.name:
        return "target"
    what = f"{matched.key.removeprefix('model.')} {matched.value}" if matched.key else "as it is"
    ratio = ratio_to_target(match, cell, counts)
    return "-" if ratio is None else f"{what}, {ratio:.3f}{TIMES}"


def ratio_words(ratio: float | None, low: float | None, high: float | None) -> str:
    """A timed ratio with its interval, as "1.003x [0.981, 1.022]"."""
    if ratio is None:
        return "-"
    text = f"{ratio:.3f}{TIMES}"
    return text if low is None or high is None else f"{text} [{low:.3f}, {high:.3f}]"


def amount(count: float) -> str:
    """A count to four digits, as "51.23 M"."""
    for factor, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= factor:
            return f"{count / factor:.4g}{prefix}"
    return f"{count:.4g}"
