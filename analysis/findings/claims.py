"""Comparisons of a claim: pairs of cells, and the samples and evidence of each."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from analysis.results.results import Results, Variant
from analysis.stats.estimates import PERCENT
from analysis.stats.regions import (
    Evidence,
    Region,
    exact_evidence,
    sign_evidence,
    student_evidence,
)
from study.spec.study import Claim


@dataclass(frozen=True)
class Comparison:
    """One pair of cells that a claim compares.

    Attributes:
        left: The cell on the left.
        right: The cell on the right; None where a number stands there.
        samples: Differences by seed, or ratios by round; empty where there are none yet.
        evidence: What they say; None without samples.
        reason: Why there is no evidence, in words.
        is_same: Whether both are the same measurement of the same model: equal by definition.
    """

    left: Variant
    right: Variant | None
    samples: tuple[float, ...]
    evidence: Evidence | None
    reason: str = ""
    is_same: bool = False


def region_of(claim: Claim) -> Region:
    """Region of the effect if the claim is true.

    The effect of an accuracy is the left minus `factor` times the right, in points; of anything
    else it is the left over the right, or the left alone beside a number.
    """
    if claim.kind == "accuracy":
        low, high = -claim.margin, claim.margin
    else:
        low, high = claim.factor * (1 - claim.margin), claim.factor * (1 + claim.margin)
    if claim.operator == "==":
        return low, high
    return (low, math.inf) if claim.operator in (">", ">=") else (-math.inf, high)


def compare(results: Results, claim: Claim) -> tuple[Comparison, ...]:
    """Every pair of cells that a claim compares, with what is known of it."""
    by_levels = {tuple(sorted(v.levels.items())): v for v in results.variants}

    def variant(levels: Mapping[str, str]) -> Variant:
        return by_levels[tuple(sorted(levels.items()))]

    pairs = claim.pairs(one.levels for one in results.variants)
    both = [(variant(left), None if right is None else variant(right)) for left, right in pairs]
    measure = {"accuracy": _by_seed, "timing": _by_round, "count": _count}[claim.kind]
    return tuple(measure(results, claim, left, right) for left, right in both)


def _by_seed(results: Results, claim: Claim, left: Variant, right: Variant | None) -> Comparison:
    ours = results.by_seed(left, claim.metric)
    least, most = PERCENT
    if right is None:
        d = [ours[seed] - claim.factor for seed in sorted(ours)]
        possible = (least - claim.factor, most - claim.factor)
    else:
        theirs = results.by_seed(right, claim.metric)
        d = [ours[s] - claim.factor * theirs[s] for s in sorted(ours.keys() & theirs.keys())]
        possible = (least - claim.factor * most, most - claim.factor * least)
    evidence = partial(student_evidence, region=region_of(claim), within=possible)
    return _sampled(left, right, d, evidence, "no seed")


def _by_round(results: Results, claim: Claim, left: Variant, right: Variant | None) -> Comparison:
    default = results.study.cost.batch_sizes[0]
    size = claim.left.batch_size or default
    mine = results.by_round(left, claim.metric, size)
    absent = "not measured"
    if right is None or claim.right is None:
        samples = list(mine.values())
    else:
        ours, theirs = results.cost_record(left), results.cost_record(right)
        batch = claim.right.batch_size or default
        if mine and size == batch and results.same_model(left, right):
            return _exact(claim, left, right, 1.0, is_same=True)
        if ours and theirs and ours.timing_run != theirs.timing_run:
            other, absent = _rounds_beside(results, left, right, claim.metric, batch)
        else:
            other = results.by_round(right, claim.metric, batch)
        samples = [mine[r] / other[r] for r in sorted(mine.keys() & other.keys()) if other[r] > 0]
    evidence = partial(sign_evidence, region=region_of(claim))
    return _sampled(left, right, samples, evidence, absent)


def _rounds_beside(
    results: Results, left: Variant, right: Variant, metric: str, batch: int
) -> tuple[dict[int, float], str]:
    """Rounds of the right cell in the timing run of the left one, if it was the baseline there."""
    if results.baseline_of(left) is right:
        return results.reference_rounds(left, metric, batch), "not timed in one run"
    return {}, "not timed in one run"


def _count(results: Results, claim: Claim, left: Variant, right: Variant | None) -> Comparison:
    ours = results.count(left, claim.metric)
    theirs = 1.0 if right is None else results.count(right, claim.metric)
    if ours is None or not theirs:
        return Comparison(left, right, (), None, "not counted")
    return _exact(claim, left, right, ours / theirs)


def _exact(
    claim: Claim, left: Variant, right: Variant | None, value: float, is_same: bool = False
) -> Comparison:
    """A comparison of numbers without noise."""
    low, high = region_of(claim)
    has_ends = claim.operator in (">=", "<=", "==")
    is_inside = low <= value <= high if has_ends else low < value < high
    return Comparison(left, right, (value,), exact_evidence(value, is_inside), is_same=is_same)


def _sampled(
    left: Variant,
    right: Variant | None,
    samples: Sequence[float],
    evidence: Callable[[Sequence[float]], Evidence],
    absent: str,
) -> Comparison:
    if not samples:
        return Comparison(left, right, (), None, absent)
    return Comparison(left, right, tuple(samples), evidence(samples))
