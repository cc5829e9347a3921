"""Training runs that get stuck: accuracies of one cell in two clumps, and their weight in a mean.

No test of a mean is valid with few seeds where a share of all runs fails by a constant amount: the
runs so far may hold none of those that will. What can be said is how far unseen ones could move the
mean, once any of the compared cells has shown how large the loss is.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

FEWEST = 3  # runs of a cell in which a clump can be seen
GAP = 6.0  # between the clumps, in standard deviations within them
SURE = 0.99  # of the limit of their share; claims are judged again and again, and several of them
OWN_SHARE = 0.6  # of the spread of a cell's own clumps that its gap is measured against, at least


class Clumps(NamedTuple):
    """Cells whose runs fall in two clumps.

    Attributes:
        stuck: Cell -> runs of its smaller clump, for cells that have two.
        loss: Largest distance between the means of two clumps, in the unit of the values.
        runs: Runs of these cells.
    """

    stuck: Mapping[str, int]
    loss: float
    runs: int

    def shift(self, cells: Sequence[str | None], runs: int) -> float:
        """The most that stuck runs not seen yet may move a mean over so many runs of these cells.

        The upper 99 % limit of the share of stuck runs (Clopper and Pearson, Biometrika 26, 1934),
        less the share that was seen, times the loss.
        """
        seen = max(self.stuck.get(cell or "", 0) for cell in cells)
        if seen >= runs:
            return self.loss
        most = float(betaincinv(seen + 1, runs - seen, SURE))
        return (most - seen / runs) * self.loss


def find_clumps(values: Mapping[str, Sequence[float]]) -> Clumps | None:
    """Look for cells whose runs fall in two clumps, split at the largest gap of each.

    The gap is compared with the pooled spread within clumps of all cells, since a cell of three
    runs cannot tell its own.

    Args:
        values: Cell -> one value a training run.

    Returns:
        None if there is no such cell.
    """
    parts = {name: _split(x) for name, x in values.items() if len(x) >= FEWEST}
    if not parts:
        return None
    degrees = {name: len(values[name]) - 2 for name in parts}
    squares = sum(degrees[name] * part.deviation**2 for name, part in parts.items())
    usual = math.sqrt(squares / sum(degrees.values()))
    found = {
        name: part
        for name, part in parts.items()
        if part.gap > GAP * max(usual, OWN_SHARE * part.deviation) > 0
    }
    if not found:
        return None
    return Clumps(
        {name: part.smaller for name, part in found.items()},
        max(part.distance for part in found.values()),
        sum(len(values[name]) for name in found),
    )


class _Split(NamedTuple):
    deviation: float  # within the two clumps
    gap: float
    distance: float  # of their means
    smaller: int  # runs of the smaller clump


def _split(values: Sequence[float]) -> _Split:
    x = np.sort(np.asarray(values, dtype=float))
    gaps = np.diff(x)
    at = int(gaps.argmax()) + 1
    low, high = x[:at], x[at:]
    squares = float(((low - low.mean()) ** 2).sum() + ((high - high.mean()) ** 2).sum())
    distance = float(high.mean() - low.mean())
    return _Split(
        math.sqrt(squares / (x.size - 2)), float(gaps.max()), distance, min(at, x.size - at)
    )
