"""Power analysis: the samples that a difference needs, from the observed spread.

The power of the paired t test is that of the noncentral t distribution (J. Cohen, Statistical Power
Analysis for the Behavioral Sciences, 2nd ed. 1988); tests hold it to statsmodels' `TTestPower`,
which would cost a report a second to import.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaln, nctdtr, ndtri, stdtr, stdtrit

from analysis.stats.anytime import half_width, win_log_evidence_of
from analysis.stats.estimates import ALPHA, Floats
from analysis.stats.regions import Region

POWER = 0.8  # the usual chance to see what is there
MOST_SEEDS = 1000  # more than this is an answer by itself
MOST_ROUNDS = 100_000


@lru_cache(maxsize=4096)
def t_power(effect: float, samples: int, alpha: float) -> float:
    """Chance that a two-sided one-sample (paired) t test gives p < alpha.

    Args:
        effect: True mean in standard deviations of the samples (of the differences).
        samples: Seeds, at least 2.
        alpha: Threshold of p.
    """
    degrees = samples - 1
    limit = float(stdtrit(degrees, 1 - alpha / 2))
    shift = abs(effect) * math.sqrt(samples)
    right = 1 - float(nctdtr(degrees, shift, limit))
    left = float(nctdtr(degrees, shift, -limit))
    # Far out the distribution function underflows to nan, and the power there is 1.
    return right + (left if left == left else 0.0) if right == right else 1.0


def seeds_needed(effect: float, alpha: float, power: float = POWER) -> int | None:
    """Fewest seeds that see a mean of `effect` standard deviations; None above `MOST_SEEDS`."""
    if not effect or t_power(effect, MOST_SEEDS, alpha) < power:
        return None
    low, high = 1, MOST_SEEDS  # power at `low` is too little (one seed has no test), at `high` not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if t_power(effect, middle, alpha) >= power else (middle, high)
    return high


def smallest_effect(samples: int, alpha: float, power: float = POWER) -> float:
    """The mean, in standard deviations, that so many seeds (at least 2) see with this power."""
    low, high = 0.0, 1.0
    while t_power(high, samples, alpha) < power:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if t_power(middle, samples, alpha) >= power else (middle, high)
    return high


def seeds_to_decide(strength: float, alpha: float, power: float = POWER) -> int | None:
    """Fewest seeds that decide a mean this far from its border with a probability of `power`.

    Args:
        strength: Distance to the border in standard deviations, taken for the true one.
        alpha: Threshold of p.
        power: Probability, in (0, 1).

    Returns:
        None above `MOST_SEEDS`.
    """
    n = np.arange(2, MOST_SEEDS + 1)
    enough = np.asarray(visible_effect(n, alpha, power)) <= strength
    return int(n[enough.argmax()]) if enough.any() else None


def visible_effect(
    n: int | NDArray[np.int_], alpha: float = ALPHA, power: float = POWER
) -> float | Floats:
    """The distance to a border, in standard deviations, that n seeds decide with this power."""
    return half_width(n, alpha) + float(ndtri(power)) / np.sqrt(n)


def rounds_to_decide(share: float, alpha: float, power: float = POWER) -> int | None:
    """Rounds that decide a median with this share of them on one side of the border.

    To a twentieth; None above `MOST_ROUNDS`, or where the share is one half.
    """
    n = 6
    while n <= MOST_ROUNDS:
        losses = np.arange(n // 2 + 1)  # the most that still decide
        allowed = int(np.sum(win_log_evidence_of(n, n - losses) >= -math.log(alpha))) - 1
        if allowed >= 0 and float(bdtr(allowed, n, 1 - share)) >= power:
            return n
        n += max(1, n // 20)
    return None


def chance_to_decide(
    samples: Sequence[float], region: Region, total: int, alpha: float = ALPHA
) -> float:
    """Predicted probability that `total` seeds decide on which side of a region the mean lies.

    The mean of all seeds, given those so far, has a t distribution around their mean (flat prior),
    with the spread taken as it is; it decides if the confidence sequence is then clear of a border.

    Args:
        samples: (n,) effects so far, n >= 2, with a spread.
        region: Where the effect lies if the claim is true.
        total: Seeds in the end.
        alpha: Threshold of p.
    """
    x = np.asarray(samples, dtype=float)
    n, deviation, mean = int(x.size), float(x.std(ddof=1)), float(x.mean())
    clear = deviation * float(half_width(total, alpha))
    if not math.isfinite(clear):
        return 0.0
    left = max(total - n, 0)
    scale = deviation * math.sqrt(left / (total * n)) if left else 0.0

    def below(value: float) -> float:
        if not scale:
            return float(mean < value)
        return float(stdtr(n - 1, (value - mean) / scale)) if math.isfinite(value) else value > 0

    low, high = region
    inside = max(below(high - clear) - below(low + clear), 0.0)
    return inside + below(low - clear) + 1 - below(high + clear)


def chance_to_decide_wins(
    samples: Sequence[float], total: int, alpha: float = ALPHA, border: float = 0.0
) -> float:
    """Predicted probability that `total` seeds decide which of two cells wins more often.

    The wins still to come, given those so far, are beta-binomial (flat prior).

    Args:
        samples: (n,) effects so far, n >= 1; ties count as losses of both.
        total: Seeds in the end.
        alpha: Threshold of p.
        border: What an effect has to exceed to count as a win.
    """
    x = np.asarray(samples, dtype=float)
    left = max(total - int(x.size), 0)
    more = np.arange(left + 1)
    chance = 0.0
    for wins in (int((x > border).sum()), int((x < border).sum())):
        losses = int(x.size) - wins
        decides = (win_log_evidence_of(total, wins + more) >= -math.log(alpha)) & (
            wins + more > total / 2
        )
        log_ways = -betaln(more + 1, left - more + 1) - math.log(left + 1)
        log_chance = betaln(wins + more + 1, losses + left - more + 1) - betaln(
            wins + 1, losses + 1
        )
        chance += float(np.exp(log_ways + log_chance)[decides].sum())
    return min(chance, 1.0)
