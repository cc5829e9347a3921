"""Smallest visible difference of a study, and the seeds that smaller ones would need."""

import math
from dataclasses import dataclass

from scipy.special import chdtri

from analysis.results.results import Results
from analysis.stats.estimates import ALPHA, CONFIDENCE
from analysis.stats.format import NONE, fixed, plural, significant
from analysis.stats.power import MOST_SEEDS, POWER, seeds_needed, smallest_effect
from analysis.tables.table import Row, Table

SIZES = (0.5, 1.0, 2.0, 5.0, 10.0)  # points of top-1
MOST_ROWS = 24
POOLED = "all, pooled"


@dataclass(frozen=True)
class Spread:
    """Paired differences: name, standard deviation in points, degrees of freedom, seeds."""

    label: str
    deviation: float
    degrees: int
    seeds: int

    @property
    def bounds(self) -> tuple[float, float]:
        """The standard deviation's own 95 % interval, by chi-square, for normal differences."""
        tail = (1 - CONFIDENCE) / 2
        squares = self.degrees * self.deviation**2
        # chdtri takes the probability above.
        low = math.sqrt(squares / float(chdtri(self.degrees, tail)))
        return low, math.sqrt(squares / float(chdtri(self.degrees, 1 - tail)))


def power_table(results: Results) -> Table | None:
    """One row a cell compared over two seeds or more, and one of all; None without any.

    None of a race either, which takes the seeds that it needs (`--plan` says how many).
    """
    spreads = [] if results.study.race else _spreads(results)
    if not spreads:
        return None
    tested = len(spreads)
    alpha = ALPHA / tested
    shown = spreads[:MOST_ROWS]
    if tested > 1:
        shown = [_pooled(spreads), *shown]
    remarks = [
        "Read it as a plan for a next study: the spread is itself known from a few seeds only (its "
        "interval is for normal differences), and a study that adds seeds after having looked "
        "owes a correction (docs/statistics.md)."
    ]
    sizes = [f"for {points:g} point{'' if points == 1 else 's'}" for points in SIZES]
    if tested > MOST_ROWS:
        remarks.append(f"The first {MOST_ROWS} of {tested} cells.")
    return Table.of(
        "power",
        ("cell", "seeds", "SD of Δ [95 %]", "visible now", *sizes),
        (_row(spread, alpha) for spread in shown),
        "Seeds needed to see a difference in top-1 to the baseline, given the spread of "
        f"the paired differences (SD, points): {100 * POWER:g} % power, two-sided paired t test "
        f"at {100 * ALPHA:g} % over {plural(tested, 'comparison')}"
        + (" (Holm's first step)" if tested > 1 else "")
        + ". Visible now: the smallest true difference that the seeds that were run would show "
        "with this power.",
        remarks,
    )


def _spreads(results: Results) -> list[Spread]:
    found = []
    for variant in results.variants:
        difference, _ = results.differences.get(variant.cell, (None, None))
        if difference is not None and difference.deviation:
            spread = Spread(variant.label, difference.deviation, difference.n - 1, difference.n)
            found.append(spread)
    return found


def _pooled(spreads: list[Spread]) -> Spread:
    # Pairs share the baseline's runs, so this has fewer free values than it counts; the interval
    # is left out for that reason.
    degrees = sum(one.degrees for one in spreads)
    square = sum(one.degrees * one.deviation**2 for one in spreads) / degrees
    return Spread(POOLED, math.sqrt(square), degrees, min(one.seeds for one in spreads))


def _row(spread: Spread, alpha: float) -> Row:
    visible = smallest_effect(spread.seeds, alpha) * spread.deviation
    text = significant(spread.deviation)
    if spread.label != POOLED:
        low, high = spread.bounds
        text += f" [{significant(low, 2)}, {significant(high, 2)}]"
    needed = [seeds_needed(size / spread.deviation, alpha) for size in SIZES]
    return (
        spread.label,
        str(spread.seeds),
        text,
        f"{fixed(visible, 1)} points" if visible < 100 else NONE,
        *[f"> {MOST_SEEDS}" if n is None else str(n) for n in needed],
    )
