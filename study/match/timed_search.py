"""Search for the value nearest to a target's latency, in few timings.

Pure: counts and timings are handed in. MACs tell where to look first: at the values with half, once
and twice the target's. Then, in each further run, the two values below and the two above the point
at which the line through what was timed (logarithms of both) crosses the target. It ends when a run
has two neighbours on both sides of the target, or an end of the values on its near side; of that
run the nearest is taken, the smaller of equals.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from study.match.search import nearest_value

FACTORS = (0.5, 1.0, 2.0)  # of the target's MACs, in the first run
NEIGHBOURS = 2  # on each side, in further runs
MOST_RUNS = 6
LEAST_STEP, MOST_STEP = math.log(1.2), math.log(4.0)  # beyond what was timed, of the value


@dataclass(frozen=True)
class Tried:
    """A value as it was timed beside the target.

    Attributes:
        value: Of the key.
        ratio: Median over rounds of its latency as a multiple of the target's; None where it could
            not be run.
        low: Lower end of the 95 % interval of the ratio; None where there is none.
        high: Upper end, alike.
        run: Number of the timing run, from 0; ratios of one run compare.
        reason: Why it could not be run.
    """

    value: int
    ratio: float | None
    low: float | None = None
    high: float | None = None
    run: int = 0
    reason: str = ""


Count = Callable[[int], float | None]  # MACs; None for a value that cannot be built
Time = Callable[[Sequence[int]], Mapping[int, Tried]]  # one timing run, beside the target


def find_value(
    values: Sequence[int], count: Count, target: float, time: Time
) -> tuple[Tried, list[Tried]]:
    """The value whose latency is nearest to the target's, and all that was tried.

    Args:
        values: Ascending, at least one.
        count: Of each value; asked for few.
        target: MACs of the target.
        time: Called once a timing run, with values in ascending order.

    Raises:
        ValueError: If no value can be built or run.
    """
    left = list(values)
    first = {nearest_value(left, count, target * factor)[0] for factor in FACTORS}
    candidates, tried = sorted(first), list[Tried]()
    best: Tried | None = None
    for _ in range(MOST_RUNS):
        run = time(candidates)
        tried += run.values()
        left = [v for v in left if v not in run or run[v].ratio is not None]
        timed = {v: one.ratio for v, one in run.items() if one.ratio is not None}
        if timed:
            nearest = min(timed, key=lambda v: (abs(timed[v] - 1), v))
            best = run[nearest]
        known = {one.value: one.ratio for one in tried if one.ratio is not None}
        if not left or (timed and _is_settled(left, timed)):
            break
        candidates = _next_candidates(left, known, count)
        if not candidates or (set(candidates) <= set(timed)):
            break
    if best is None:
        why = next((one.reason for one in tried if one.reason), "")
        raise ValueError(f"no value of it can be run ({why})")
    return best, tried


def _is_settled(values: Sequence[int], timed: Mapping[int, float]) -> bool:
    """Whether one run has neighbours on both sides, or an end beyond which there is nothing."""
    for lower, upper in pairwise(values):
        if lower in timed and upper in timed and (timed[lower] < 1) != (timed[upper] < 1):
            return True
    nearest = min(timed, key=lambda v: (abs(timed[v] - 1), v))
    same_side = len({ratio < 1 for ratio in timed.values()}) == 1
    has_neighbour = len(values) == 1 or len(timed) > 1
    return nearest in (values[0], values[-1]) and same_side and has_neighbour


def _next_candidates(values: Sequence[int], known: Mapping[int, float], count: Count) -> list[int]:
    """Values around the point at which the target is expected; those that can be built."""
    if not known:
        return []
    at = bisect_right(values, math.exp(_crossing(known)) - 1 + 1e-9)
    below, above = reversed(values[:at]), values[at:]
    return sorted([*_first_buildable(below, count), *_first_buildable(above, count)])


def _first_buildable(values: Iterable[int], count: Count) -> list[int]:
    buildable = (value for value in values if count(value) is not None)
    return list(islice(buildable, NEIGHBOURS))


def _crossing(known: Mapping[int, float]) -> float:
    """log(value + 1) at which the ratio is expected to be 1."""
    points = sorted((math.log(value + 1), math.log(ratio)) for value, ratio in known.items())
    pairs = [
        (abs(y0) + abs(y1), x0 + (x1 - x0) * (y0 / (y0 - y1)))
        for (x0, y0), (x1, y1) in pairwise(points)
        if (y0 < 0) != (y1 < 0)
    ]
    if pairs:
        return min(pairs)[1]
    x, y = min(points, key=lambda point: abs(point[1]))
    others = [point for point in points if point[0] != x]
    if not others:
        return x
    # All on one side of the target: beyond the nearest, by the slope to what lies next to it.
    x0, y0 = min(others, key=lambda point: abs(point[0] - x))
    step = y * (x - x0) / (y0 - y) if y0 != y else x - x0
    return x + math.copysign(min(max(abs(step), LEAST_STEP), MOST_STEP), step)
