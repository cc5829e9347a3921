"""Comparisons of a claim: pairs of cells, and the samples and evidence of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.results.results import Results, Variant
from analysis.stats.anytime import anytime_median_evidence
from analysis.stats.clumps import Clumps
from analysis.stats.format import plural
from analysis.stats.regions import Evidence, exact_evidence
from study.spec.race import accuracy_evidence, hangs_on_clumps
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
        hangs: Whether training runs that get stuck could overturn it.
    """

    left: Variant
    right: Variant | None
    samples: tuple[float, ...]
    evidence: Evidence | None
    reason: str = ""
    is_same: bool = False
    hangs: bool = False


def compare(results: Results, claim: Claim) -> tuple[Comparison, ...]:
    """Every pair of cells that a claim compares, with what is known of it."""
    by_levels = {tuple(sorted(v.levels.items())): v for v in results.variants}

    def variant(levels: Mapping[str, str]) -> Variant:
        return by_levels[tuple(sorted(levels.items()))]

    pairs = claim.pairs(one.levels for one in results.variants)
    both = [(variant(left), None if right is None else variant(right)) for left, right in pairs]
    if claim.kind == "accuracy":
        clumps = results.clumps(claim.metric)
        return tuple(_by_seed(results, claim, left, right, clumps) for left, right in both)
    measure = _by_round if claim.kind == "timing" else _count
    return tuple(measure(results, claim, left, right) for left, right in both)


def _by_seed(
    results: Results, claim: Claim, left: Variant, right: Variant | None, clumps: Clumps | None
) -> Comparison:
    ours = results.by_seed(left, claim.metric)
    theirs = None if right is None else results.by_seed(right, claim.metric)
    samples = claim.effects(ours, theirs, results.study.seeds)
    if not samples:
        return Comparison(left, right, (), None, "no seed")
    evidence = accuracy_evidence(claim, samples)
    cells = (left.cell, right.cell if right else None)
    if clumps and hangs_on_clumps(claim, evidence, cells, clumps):
        reason = stuck_words(clumps)
        return Comparison(left, right, tuple(samples), evidence, reason, hangs=True)
    return Comparison(left, right, tuple(samples), evidence)


def stuck_words(clumps: Clumps) -> str:
    """Why a mean is not trusted."""
    stuck = sum(clumps.stuck.values())
    return (
        f"{stuck} of {plural(clumps.runs, 'run')} got stuck, {clumps.loss:.0f} points below or "
        "above the others; more such runs could overturn it"
    )


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
    if not samples:
        return Comparison(left, right, (), None, absent)
    evidence = anytime_median_evidence(samples, claim.region)
    return Comparison(left, right, tuple(samples), evidence)


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
    low, high = claim.region
    has_ends = claim.operator in (">=", "<=", "==")
    is_inside = low <= value <= high if has_ends else low < value < high
    return Comparison(left, right, (value,), exact_evidence(value, is_inside), is_same=is_same)
