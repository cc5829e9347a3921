"""Estimates with their uncertainty. Plain numpy in, plain floats out.

Over seeds: Student t (W. S. Gosset 1908), because a bootstrap of three values covers far less than
it says. Over timing rounds: the median between order statistics, wider where rounds that follow
each other are alike, since a machine that is slow in one round is often slow in the next.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # scipy.stats would cost a second to import

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
ALPHA = 0.05
PERCENT = (0.0, 100.0)  # smallest and largest possible share
ROUNDING = 1e-9  # by which samples differ that are equal on paper
POINTS = (-100.0, 100.0)  # of a difference of two shares
SIGN_FLIP_SEEDS = range(6, 21)  # below, p < 0.05 is out of reach; above, 2**n sums are too many


class Estimate(NamedTuple):
    """A point estimate in the samples' unit.

    `low` and `high` are None where no interval can be given: for one sample, and for several that
    are all equal, since a spread that was not seen may still be there.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def has_interval(self) -> bool:
        """False for a single sample, and for samples without spread."""
        return self.low is not None

    @classmethod
    def between(
        cls,
        value: float,
        low: float,
        high: float,
        n: int,
        within: tuple[float, float] = (-math.inf, math.inf),
    ) -> "Estimate":
        """An estimate; its interval is cut at the possible values, and none if it has no width."""
        low, high = max(low, within[0]), min(high, within[1])
        if low > high or math.isclose(low, high, rel_tol=ROUNDING):
            return cls(value, None, None, n)
        return cls(value, low, high, n)


class Difference(NamedTuple):
    """A paired difference: mean, t interval, the p of that same test, and the exact p.

    `low`, `high`, `p` and `deviation` (between pairs) are None for one pair and for pairs without
    spread; `p_flip` outside of `SIGN_FLIP_SEEDS`.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    p_flip: float | None
    n: int
    deviation: float | None = None


def mean_interval(
    samples: Sequence[float] | Floats,
    confidence: float = CONFIDENCE,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """Mean with its Student t interval; one sample has none, nor have samples that are all equal.

    Args:
        samples: (n,) values, n >= 1.
        confidence: Coverage of the interval, in (0, 1).
        within: Smallest and largest possible value, such as 0 and 100 %. The interval is cut there,
            which takes no coverage from it.

    Raises:
        ValueError: If there is no sample.
    """
    x = _samples(samples)
    mean = float(x.mean())
    if x.size < 2:
        return Estimate(mean, None, None, 1)
    half = _t_quantile(x.size - 1, confidence) * _standard_error(x)
    return Estimate.between(mean, mean - half, mean + half, x.size, within)


def paired_difference(
    ours: Mapping[int, float],
    theirs: Mapping[int, float],
    confidence: float = CONFIDENCE,
    within: tuple[float, float] = POINTS,
) -> Difference | None:
    """Ours minus theirs over the seeds that both have; None if they share none.

    Differences that are all equal have no spread to test with, and so no interval: a few seeds can
    agree to the last clip by chance. Their p is 1 where the difference is 0, else None.

    Args:
        ours: Seed -> value, in percent unless `within` says otherwise.
        theirs: As `ours`.
        confidence: As of `mean_interval`.
        within: Smallest and largest possible difference, where the interval is cut.
    """
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    d = np.array([ours[seed] - theirs[seed] for seed in shared])
    mean, low, high, n = mean_interval(d, confidence, within)
    if n == 1:
        return Difference(mean, None, None, None, None, n)
    error = _standard_error(d)
    if error == 0:
        return Difference(mean, None, None, None if mean else 1.0, sign_flip_p(d), n)
    p = 2 * float(stdtr(n - 1, -abs(mean) / error))
    return Difference(mean, low, high, p, sign_flip_p(d), n, error * math.sqrt(n))


def sign_flip_p(differences: Sequence[float] | Floats) -> float | None:
    """Exact two-sided p under "each difference could as well have had the other sign".

    None outside of `SIGN_FLIP_SEEDS`. Source: Fisher, The Design of Experiments (1935), ch. 3.
    """
    d = np.asarray(differences, dtype=float)
    if d.size not in SIGN_FLIP_SEEDS:
        return None
    sums = d[:1]  # the first sign is fixed: all sums are symmetric around 0
    for one in d[1:]:
        sums = np.concatenate([sums + one, sums - one])
    # Sums that are equal on paper differ in the last bits; they count as equal.
    observed = abs(d.sum()) * (1 - 1e-12) - 1e-12
    return float(np.mean(np.abs(sums) >= observed))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-corrected p values, in the order given. Source: Holm, Scand. J. Statist. 6 (1979)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    corrected = np.empty(p.size)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]


def median_interval(samples: Sequence[float] | Floats, confidence: float = CONFIDENCE) -> Estimate:
    """Median of samples in their order of time, with its interval.

    One sample has none, nor have samples of which so many are equal that it has no width.

    The interval lies between order statistics, interpolated (Hettmansperger and Sheather,
    Statist. Prob. Lett. 4, 1986), and takes n / `correlation_time` samples for independent. Where
    these are fewer than two, it is all that was seen.

    Raises:
        ValueError: If there is no sample.
    """
    return _median_interval(tuple(samples), confidence)


# Tables, figures and the page ask for the same ones, and cells may share an architecture.
@lru_cache(maxsize=1 << 15)
def _median_interval(samples: tuple[float, ...], confidence: float) -> Estimate:
    x = _samples(samples)
    if x.size < 2:
        return Estimate(float(x[0]), None, None, 1)
    time = correlation_time(samples)
    degrees = max(x.size / time - 1, 1.0)
    half = float(stdtrit(degrees, 0.5 + confidence / 2)) * math.sqrt(x.size * time) / 2
    middle, ranks = (x.size - 1) / 2, np.arange(x.size)
    low, high = np.interp([middle - half, middle + half], ranks, np.sort(x))
    return Estimate.between(float(np.median(x)), float(low), float(high), x.size)


def correlation_time(samples: Sequence[float] | Floats) -> float:
    """Number of consecutive samples worth one independent sample for the median; at least 1.

    Taken as an AR(1) process under a Gaussian copula: the lag-1 correlation of ranks, freed of its
    bias in short series (Marriott and Pope, Biometrika 41, 1954), gives that of the underlying
    process, and this the correlations of "above the median" at every lag, (2 / pi) arcsin(r^k).
    """
    return _correlation_time(tuple(samples))


@lru_cache(maxsize=1 << 15)
def _correlation_time(samples: tuple[float, ...]) -> float:
    x = _samples(samples)
    ranks = rankdata(x) - (x.size + 1) / 2
    square = float((ranks * ranks).sum())
    if x.size < 3 or square == 0:
        return 1.0
    lag1 = float((ranks[1:] * ranks[:-1]).sum()) / square
    lag1 = min(max(lag1 + (1 + 3 * lag1) / x.size, 0.0), 0.95)
    latent = 2 * math.sin(math.pi * lag1 / 6)
    lags = np.arange(1, x.size)
    above = 2 / math.pi * np.arcsin(latent**lags)
    return 1 + 2 * float(((1 - lags / x.size) * above).sum())


def median_ratio(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Estimate | None:
    """Median over timing rounds of ours / theirs, with interval; None if they share no round."""
    shared = sorted(ours.keys() & theirs.keys())
    ratios = [ours[r] / theirs[r] for r in shared if theirs[r] > 0]
    return median_interval(ratios) if ratios else None


def rankdata(x: Floats) -> Floats:
    """Ranks from 1, ties averaged: (n,) -> (n,). As scipy.stats, which takes a second to import."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def has_spread(x: Floats) -> bool:
    """True if samples differ by more than the last bits of their computation."""
    return float(np.ptp(x)) > ROUNDING * max(1.0, float(np.abs(x).max()))


def _samples(samples: Sequence[float] | Floats) -> Floats:
    x = np.asarray(samples, dtype=float)
    if x.size == 0:
        raise ValueError("no samples: an estimate needs at least one")
    return x


def _standard_error(x: Floats) -> float:
    if not has_spread(x):  # the mean may be off by a bit, and so would the error
        return 0.0
    return float(x.std(ddof=1)) / math.sqrt(x.size)


def _t_quantile(degrees: int, confidence: float) -> float:
    return float(stdtrit(degrees, 0.5 + confidence / 2))
