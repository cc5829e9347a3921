"""Evidence of a number's place in a region: one interval, and the p of leaving the region.

A claim is a region of an effect: above 0, below half, between -2 and 2. The p here belongs to the
interval beside it: the 1 - p interval is the widest that lies all inside the region (the claim's
side) or all outside of it (the other side). A claim "within a margin" has two edges, and the larger
p of both counts (two one-sided tests: Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987).
Evidence of samples is made in analysis/stats/anytime.py.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

Region = tuple[float, float]  # open ends: a measured number is never exactly on one


class Evidence(NamedTuple):
    """An effect and how it lies to a region.

    `low` and `high` are None where there is no interval or it has no width, `p` where nothing can
    be tested; `is_inside` is about `value` alone.
    `strength` is what more samples would add up: the distance to the region's edge in standard
    deviations, or the share of the samples on one side of it.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    is_inside: bool
    n: int
    strength: float | None

    @property
    def width(self) -> float:
        """Width of the interval; infinite without one."""
        return math.inf if self.low is None or self.high is None else self.high - self.low


def exact_evidence(value: float, is_inside: bool) -> Evidence:
    """Evidence about a number without noise."""
    return Evidence(value, None, None, None, is_inside, 1, None)


def edges(value: float, region: Region, is_inside: bool) -> list[float]:
    """Edges between a value and the other side of a region."""
    if is_inside:
        return [edge for edge in region if math.isfinite(edge)]
    return [region[0] if value <= region[0] else region[1]]


def joint_p(comparisons: Sequence[Evidence | None]) -> float | None:
    """The p of a claim about several comparisons at once; None if it cannot be tested.

    For the claim: the largest p, as all must hold (R. L. Berger, Technometrics 24, 1982). Against
    it: the smallest, times the number of comparisons, as one that fails is enough.
    """
    against = [one.p for one in comparisons if one and not one.is_inside and one.p is not None]
    if against:
        return min(1.0, min(against) * len(comparisons))
    p = [one.p for one in comparisons if one and one.p is not None]
    return max(p) if p and len(p) == len(comparisons) else None
