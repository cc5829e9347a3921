"""Evidence of a number's place in a region: one interval, and the p of leaving the region.

A claim is a region of an effect: above 0, below half, between -2 and 2. The p here belongs to the
interval beside it: the 1 - p interval is the widest that lies all inside the region (the claim's
side) or all outside of it (the other side). For "above 0" that is the p of the ordinary two-sided
test, for "within a margin" twice that of two one-sided tests (Schuirmann, J. Pharmacokinet.
Biopharm. 15, 1987), which makes 5 % here as strict as it is for all other claims.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, stdtr

from analysis.stats.estimates import CONFIDENCE, Floats, has_spread, mean_interval

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


def student_evidence(
    samples: Sequence[float],
    region: Region,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Evidence:
    """Evidence about a mean, by Student's t; equal samples have no spread to test with.

    Args:
        samples: (n,) effects, n >= 1.
        region: Where the effect lies if the claim is true.
        within: Smallest and largest possible effect, where the interval is cut.

    Raises:
        ValueError: If there is no sample.
    """
    x = np.asarray(samples, dtype=float)
    mean, low, high, n = mean_interval(x, within=within)
    is_inside = region[0] < mean < region[1]
    deviation = float(x.std(ddof=1)) if n > 1 and has_spread(x) else 0.0
    if deviation == 0:
        return Evidence(mean, None, None, None, is_inside, n, None)
    distances = [abs(mean - edge) / deviation for edge in edges(mean, region, is_inside)]
    strength = min(distances)  # inside, the nearer edge decides; outside there is one to cross
    p = 2 * float(stdtr(n - 1, -strength * math.sqrt(n)))
    return Evidence(mean, low, high, p, is_inside, n, strength)


def sign_evidence(samples: Sequence[float], region: Region) -> Evidence:
    """Evidence about a median, by the exact sign test and the interval of order statistics.

    Nothing is assumed but that samples are independent. Source: Conover, Practical Nonparametric
    Statistics, 3rd ed. (1999), sections 3.2 and 3.4.

    Raises:
        ValueError: If there is no sample.
    """
    x = np.sort(np.asarray(samples, dtype=float))
    if x.size == 0:
        raise ValueError("no samples: an effect needs at least one")
    median, n = float(np.median(x)), int(x.size)
    is_inside = region[0] < median < region[1]
    low, high = _order_interval(x)
    if low is None:
        return Evidence(median, None, None, None, is_inside, n, None)
    # Ties with an edge speak for neither side, and so count on the side that makes p larger.
    shares = [
        float(np.mean(x > edge if median > edge else x < edge))
        for edge in edges(median, region, is_inside)
    ]
    strength = min(shares)
    p = min(1.0, 2 * float(bdtr(n - round(strength * n), n, 0.5)))
    if low == high:  # so many samples are equal: the test of signs holds, an interval would mislead
        low = high = None
    return Evidence(median, low, high, p, is_inside, n, strength)


def exact_evidence(value: float, is_inside: bool) -> Evidence:
    """Evidence about a number without noise."""
    return Evidence(value, None, None, None, is_inside, 1, None)


def edges(value: float, region: Region, is_inside: bool) -> list[float]:
    """Edges between a value and the other side of a region."""
    if is_inside:
        return [edge for edge in region if math.isfinite(edge)]
    return [region[0] if value <= region[0] else region[1]]


def _order_interval(x: Floats) -> tuple[float | None, float | None]:
    """From the j-th smallest to the j-th largest value, j as large as the confidence allows."""
    tails = 2 * bdtr(np.arange(x.size // 2), x.size, 0.5)
    rank = int(np.sum(tails <= 1 - CONFIDENCE))
    if rank == 0:  # fewer than 6: even the extremes do not enclose the median often enough
        return None, None
    return float(x[rank - 1]), float(x[-rank])
