"""Accuracy class by class, and which classes a cell changes against its baseline.

Asked of seeds, as top-1 is: would other training runs say the same? A class has few clips and a
study many classes and cells, so that some class always looks changed: p is Holm-corrected over
every class of every cell, and a change that does not pass is called none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.results.artifacts import read_heads
from analysis.results.results import Results, Variant
from analysis.stats.estimates import (
    PERCENT,
    Difference,
    Estimate,
    holm,
    mean_interval,
    paired_difference,
)

Floats = NDArray[np.float64]

MOST_CELLS = 256  # beyond, tests are a hundred thousand and correction leaves nothing


@dataclass(frozen=True)
class PerClass:
    """A cell's accuracy by class.

    Attributes:
        names: K class names.
        clips: (K,) test clips of each.
        by_seed: Seed -> (K,) percent; nan for a class without clips.
    """

    names: tuple[str, ...]
    clips: NDArray[np.int64]
    by_seed: dict[int, Floats]

    def mean(self, number: int) -> Estimate:
        """Over seeds, of class `number`."""
        values = [float(one[number]) for one in self.by_seed.values()]
        return mean_interval(values, within=PERCENT)


@dataclass(frozen=True)
class ClassChange:
    """One class of a cell against its baseline's.

    Attributes:
        variant: The cell.
        name: Of the class.
        clips: Test clips of it.
        ours: Mean over the shared seeds, in percent.
        theirs: The baseline's.
        difference: Ours minus theirs, paired by seed, in points.
        p_holm: Corrected over all classes of all cells; None where it could not be tested.
    """

    variant: Variant
    name: str
    clips: int
    ours: float
    theirs: float
    difference: Difference
    p_holm: float | None


def class_accuracy(results: Results, variant: Variant) -> PerClass | None:
    """From the stored predictions; None without any, or where seeds have other test clips."""
    found: dict[int, Floats] = {}
    seen: list[tuple[tuple[str, ...], bytes]] = []
    clips: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    for seed, arrays in results.arrays_by_seed(variant, "predictions").items():
        for _, scores, labels, names in read_heads(arrays)[:1]:  # of verb and noun the verb
            right = scores.argmax(axis=1) == labels
            clips = np.bincount(labels, minlength=len(names))
            hits = np.bincount(labels, weights=right, minlength=len(names))
            shares = np.full(len(names), np.nan)
            found[seed] = np.divide(100 * hits, clips, out=shares, where=clips > 0)
            seen.append((names, labels.tobytes()))
    if not found or len(set(seen)) > 1:
        return None
    return PerClass(seen[0][0], clips, found)


def class_changes(results: Results) -> list[ClassChange]:
    """Every class of every cell that has a baseline with the same classes, in their order.

    None of more than `MOST_CELLS` cells.
    """
    if len(results.variants) > MOST_CELLS:
        return []
    known = {v.cell: found for v in results.variants if (found := class_accuracy(results, v))}
    pairs: list[tuple[Variant, PerClass, PerClass]] = []
    for variant in results.variants:
        baseline = results.baseline_of(variant)
        if baseline is None or baseline is variant:
            continue
        ours, theirs = known.get(variant.cell), known.get(baseline.cell)
        if ours and theirs and ours.names == theirs.names:
            pairs.append((variant, ours, theirs))
    return compare_classes(pairs)


def compare_classes(pairs: Sequence[tuple[Variant, PerClass, PerClass]]) -> list[ClassChange]:
    """Every class that both of a pair have clips of: a cell, its accuracy, and its baseline's."""
    made: list[ClassChange] = []
    for variant, ours, theirs in pairs:
        for number, name in enumerate(ours.names):
            if ours.clips[number] and theirs.clips[number]:
                made += _change(variant, name, number, ours, theirs)
    tested = [i for i, one in enumerate(made) if one.difference.p is not None]
    corrected = holm([made[i].difference.p or 0.0 for i in tested])
    for i, p in zip(tested, corrected, strict=True):
        made[i] = _with_p(made[i], p)
    return made


def shared_seeds(*cells: PerClass) -> list[int]:
    """Seeds that all of them have."""
    return sorted(set.intersection(*(set(one.by_seed) for one in cells)))


def _change(
    variant: Variant, name: str, number: int, ours: PerClass, theirs: PerClass
) -> list[ClassChange]:
    seeds = shared_seeds(ours, theirs)
    mine, other = (
        {seed: float(one.by_seed[seed][number]) for seed in seeds} for one in (ours, theirs)
    )
    difference = paired_difference(mine, other)
    if difference is None:
        return []
    means = float(np.mean(list(mine.values()))), float(np.mean(list(other.values())))
    return [ClassChange(variant, name, int(ours.clips[number]), *means, difference, None)]


def _with_p(change: ClassChange, p: float) -> ClassChange:
    values = {**change.__dict__, "p_holm": p}
    return ClassChange(**values)
