"""Tests and intervals that stay valid however often seeds are added and the results looked at.

An e-process is a running measure of evidence against "the effect is exactly at a border", which
exceeds 1 / alpha at any time with probability at most alpha if it is (Ville's inequality). A
confidence sequence holds the borders that are not yet rejected. Both are valid at every number of
samples at once, so a study may stop when a claim is decided.

- Means of normal samples of unknown spread: the scale-invariant t e-process (Wang and Ramdas,
  arXiv:2310.03722, Theorem 4.9). Runs that fail in clumps are not normal: the t test and this one
  then give more false alarms than they say.
- Shares of wins, and medians: the Beta(1, 1) mixture over the probability of a win (Ville 1939;
  Robbins, Ann. Math. Statist. 41, 1970), exact whatever the distribution.

Samples are given in the order in which they were collected.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from analysis.stats.estimates import (
    ALPHA,
    CONFIDENCE,
    PERCENT,
    POINTS,
    ROUNDING,
    Difference,
    Estimate,
    Floats,
    has_spread,
)
from analysis.stats.regions import Evidence, Region, edges

PRECISION = 0.3  # phi: of the normal mixture over effects in standard deviations, variance 1 / phi


def t_log_evidence(differences: Sequence[float] | Floats, phi: float = PRECISION) -> Floats:
    """Log e-process against a mean of 0, after each sample: (n,) -> (n,).

    A prefix of equal samples has no spread to test with and gives 0: accuracies are counts of
    clips, so a few seeds can agree by chance.

        e_n = sqrt(phi / (n + phi)) * (V / (V - S^2 / (n + phi)))^(n/2),  S = sum d, V = sum d^2
    """
    d = np.asarray(differences, dtype=float)
    n = np.arange(1, d.size + 1)
    total, squares = d.cumsum(), (d * d).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = squares / (squares - total**2 / (n + phi))
        log_e = 0.5 * np.log(phi / (n + phi)) + 0.5 * n * np.log(ratio)
    return np.where(_spreads(d), log_e, 0.0)


def t_sequence(
    samples: Sequence[float] | Floats,
    confidence: float = CONFIDENCE,
    phi: float = PRECISION,
) -> tuple[Floats, Floats]:
    """Lower and upper confidence sequence of the mean: (n,) -> two of (n,).

    Infinite where no finite interval is valid yet. With s the standard deviation so far, r = phi /
    (n + phi) and K = (1 / (r alpha^2))^(1/n):

        mean -+ s * sqrt((n - 1) / n * (K - 1) / (1 - K r))     unbounded while K r >= 1
    """
    x = np.asarray(samples, dtype=float)
    n = np.arange(1, x.size + 1)
    mean = x.cumsum() / n
    shifted = x - x[0]  # a large mean would swallow a small spread in sums of squares
    squares = (shifted * shifted).cumsum() - shifted.cumsum() ** 2 / n
    spread = _spreads(x)
    with np.errstate(invalid="ignore"):  # one sample: no spread times no bound
        deviation = np.sqrt(np.maximum(squares, 0) / np.maximum(n - 1, 1))
        half = np.where(spread, deviation * half_width(n, 1 - confidence, phi), math.inf)
    return mean - half, mean + half


def _spreads(x: Floats) -> NDArray[np.bool_]:
    """`has_spread` of every prefix: (n,) -> (n,)."""
    spread = np.maximum.accumulate(x) - np.minimum.accumulate(x)
    return spread > ROUNDING * np.maximum(1.0, np.maximum.accumulate(np.abs(x)))


def half_width(
    n: int | NDArray[np.int_], alpha: float = ALPHA, phi: float = PRECISION
) -> float | Floats:
    """Half width of the confidence sequence after n samples, in their standard deviations."""
    count = np.asarray(n, dtype=float)
    r = phi / (count + phi)
    k = (1 / (r * alpha**2)) ** (1 / count)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.sqrt((count - 1) / count * (k - 1) / (1 - k * r))
    half = np.where(k * r < 1, half, math.inf)
    return float(half) if half.ndim == 0 else half


def anytime_mean_evidence(
    samples: Sequence[float],
    region: Region,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Evidence:
    """Evidence of a mean's place in a region, valid at every number of samples at once.

    p is 1 over the largest e-value so far against the border, counted where the mean was on the
    side where it is now: what has been decided stays decided. The interval is the intersection of
    the confidence sequence so far, extended to the mean where that has left it.

    Args:
        samples: (n,) effects in the order of collection, n >= 1.
        region: Where the effect lies if the claim is true.
        within: Smallest and largest possible effect, where the interval is cut.

    Raises:
        ValueError: If there is no sample.
    """
    x = np.asarray(samples, dtype=float)
    if x.size == 0:
        raise ValueError("no samples: an effect needs at least one")
    mean, n = float(x.mean()), int(x.size)
    is_inside = region[0] < mean < region[1]
    if n < 2 or not has_spread(x):
        return Evidence(mean, None, None, None, is_inside, n, None)
    means = x.cumsum() / np.arange(1, n + 1)
    borders = edges(mean, region, is_inside)
    p = max((_p_at(x, means, border) for border in borders), default=None)
    lows, highs = t_sequence(x)
    low, high = min(float(lows.max()), mean), max(float(highs.min()), mean)
    deviation = float(x.std(ddof=1))
    strength = min((abs(mean - border) / deviation for border in borders), default=None)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Evidence(mean, None, None, p, is_inside, n, strength)
    bounded = max(low, within[0]), min(high, within[1])
    return Evidence(mean, *bounded, p, is_inside, n, strength)


def anytime_mean(values: Sequence[float], within: tuple[float, float] = PERCENT) -> Estimate:
    """Mean of accuracies with its confidence sequence; as `mean_interval`, at any time.

    Raises:
        ValueError: If there is no sample.
    """
    found = anytime_mean_evidence(values, (-math.inf, math.inf), within)
    return Estimate(found.value, found.low, found.high, found.n)


def anytime_difference(differences: Sequence[float]) -> Difference:
    """Mean of paired differences in points, its confidence sequence, and the p of no difference.

    Raises:
        ValueError: If there is no sample.
    """
    x = np.asarray(differences, dtype=float)
    found = anytime_mean_evidence(differences, (0.0, math.inf), POINTS)
    deviation = float(x.std(ddof=1)) if found.strength is not None else None
    p = 1.0 if found.n > 1 and found.p is None and not found.value else found.p
    return Difference(found.value, found.low, found.high, p, None, found.n, deviation)


def _p_at(x: Floats, means: Floats, border: float) -> float:
    side = np.sign(means - border) == np.sign(means[-1] - border)
    largest = float(np.where(side, t_log_evidence(x - border), 0.0).max())
    return math.exp(-max(largest, 0.0))


def win_log_evidence(wins: Sequence[bool] | NDArray[np.bool_]) -> Floats:
    """Log e-process against "a win is as likely as a loss", after each run: (n,) -> (n,).

    For k wins in n runs: log B(k + 1, n - k + 1) + n log 2, with the Beta function B.
    """
    won = np.asarray(wins, dtype=float)
    return win_log_evidence_of(np.arange(1, won.size + 1), won.cumsum())


def win_log_evidence_of(n: int | NDArray[np.int_], wins: int | Floats | NDArray[np.int_]) -> Floats:
    """Log e-process of `wins` in n runs: log B(k + 1, n - k + 1) + n log 2."""
    count, k = np.asarray(n), np.asarray(wins)
    return np.asarray(betaln(k + 1, count - k + 1) + count * math.log(2), dtype=np.float64)


def anytime_median_evidence(samples: Sequence[float], region: Region) -> Evidence:
    """Evidence of a median's place in a region: wins over each edge, and order statistics.

    Args:
        samples: (n,) independent effects, n >= 1.
        region: Where the effect lies if the claim is true.

    Raises:
        ValueError: If there is no sample.
    """
    x = np.sort(np.asarray(samples, dtype=float))
    if x.size == 0:
        raise ValueError("no samples: an effect needs at least one")
    median, n = float(np.median(x)), int(x.size)
    is_inside = region[0] < median < region[1]
    rejected = win_log_evidence_of(n, n - np.arange(n // 2)) >= -math.log(ALPHA)
    if not (rank := int(rejected.sum())):  # even all samples on one side would not be enough
        return Evidence(median, None, None, None, is_inside, n, None)
    # Ties with an edge speak for neither side, and so count on the side that makes p larger.
    wins = min(
        int(np.sum(x > edge if median > edge else x < edge))
        for edge in edges(median, region, is_inside)
    )
    p = math.exp(-max(float(win_log_evidence_of(n, wins)), 0.0)) if wins > n / 2 else 1.0
    low, high = float(x[rank - 1]), float(x[-rank])
    if low == high:  # so many samples are equal: the test holds, an interval would mislead
        return Evidence(median, None, None, p, is_inside, n, wins / n)
    return Evidence(median, low, high, p, is_inside, n, wins / n)


def anytime_win_evidence(samples: Sequence[float], border: float = 0.0) -> Evidence:
    """Evidence that more than half of all training runs have an effect above a border.

    The value is the share of runs above it. A tie speaks for neither side, and so counts for the
    side that the share is not on. There is no interval.

    Args:
        samples: (n,) effects in the order of collection, n >= 1.
        border: What an effect has to exceed to count as a win.

    Raises:
        ValueError: If there is no sample.
    """
    x = np.asarray(samples, dtype=float)
    if x.size == 0:
        raise ValueError("no samples: an effect needs at least one")
    above, below, n = int((x > border).sum()), int((x < border).sum()), int(x.size)
    wins = x > border if above >= below else x < border
    share = wins.cumsum() / np.arange(1, n + 1)
    largest = float(np.where(share > 0.5, win_log_evidence(wins), 0.0).max())
    p = math.exp(-max(largest, 0.0))
    return Evidence(above / n, None, None, p, above > n / 2, n, max(above, below) / n)
