"""Power analysis: the samples that a difference needs, from the observed spread.

The power of the paired t test is that of the noncentral t distribution (J. Cohen, Statistical Power
Analysis for the Behavioral Sciences, 2nd ed. 1988); tests hold it to statsmodels' `TTestPower`,
which would cost a report a second to import.
"""

import math
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, nctdtr, stdtrit

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


def rounds_needed(share: float, alpha: float, power: float = POWER) -> int | None:
    """Rounds at which a two-sided sign test sees that `share` of them lie on one side.

    To a twentieth; None above `MOST_ROUNDS`, or where the share is one half.
    """
    n = 6
    while n <= MOST_ROUNDS:
        # The most rounds on the other side that still give p < alpha.
        spread = np.arange(n // 2 + 1)
        allowed = int(np.sum(2 * bdtr(spread, n, 0.5) < alpha)) - 1
        if allowed >= 0 and float(bdtr(allowed, n, 1 - share)) >= power:
            return n
        n += max(1, n // 20)
    return None
