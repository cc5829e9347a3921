"""Accuracy class by class, and the largest changes against the baseline."""

import numpy as np

from analysis.findings.classes import ClassChange, PerClass, class_accuracy, class_changes
from analysis.results.results import Results, Variant
from analysis.stats.estimates import ALPHA
from analysis.stats.format import NONE, fixed, interval, signed
from analysis.tables.notes import p_words, spread_notes, untested_words
from analysis.tables.table import Entry, Row, Table

MOST_CLASSES = 40  # rows
MOST_CELLS = 12  # columns
MOST_CHANGES = 40
CHANGE_HEADER = ("Δ (points) [95 %]", "p (Holm)", "change")


def classes_table(results: Results) -> Table | None:
    """One row a class, one column a cell: mean over seeds; None without predictions.

    Of more than `MOST_CLASSES` classes those are shown in which the cells differ most.
    """
    shown: list[tuple[Variant, PerClass]] = []
    for variant in results.variants[:MOST_CELLS]:
        found = class_accuracy(results, variant)
        if found and (not shown or found.names == shown[0][1].names):
            shown.append((variant, found))
    if not shown:
        return None
    names = shown[0][1].names
    means = np.array([np.mean(list(one.by_seed.values()), axis=0) for _, one in shown])  # (V, K)
    spread = np.nan_to_num(means.max(axis=0) - means.min(axis=0), nan=-1.0)
    kept = sorted(np.argsort(-spread, kind="stable")[:MOST_CLASSES].tolist())
    remarks = []
    if len(kept) < len(names):
        remarks.append(
            f"{len(kept)} of {len(names)} classes: those in which the cells differ most."
        )
    if len(shown) < len(results.variants):
        remarks.append(f"{len(shown)} of {len(results.variants)} cells.")
    remarks.append("The table of changes tests the differences between cells.")
    return Table.of(
        "classes",
        ("class", "test clips", *(variant.label for variant, _ in shown)),
        (_class_row(number, [one for _, one in shown]) for number in kept),
        "Top-1 of the test clips of each class (%): mean over seeds [95 % Student t interval].",
        remarks,
    )


def class_changes_table(results: Results) -> Table | None:
    """The classes that changed most against the baseline; None without predictions of both."""
    changes = class_changes(results)
    if not changes:
        return None
    ordered = sorted(changes, key=lambda one: -abs(one.difference.value))[:MOST_CHANGES]
    tested = sum(one.p_holm is not None for one in changes)
    called = sum(_is_change(one) for one in changes)
    name = results.baseline_label
    return Table.of(
        "class_changes",
        ("cell", "class", "test clips", f"{name} (%)", "cell (%)", *CHANGE_HEADER),
        map(_change_row, ordered),
        f"Classes that changed most against {name}: {len(ordered)} of {len(changes)} "
        "classes of cells, by the size of the mean difference over shared seeds [95 % Student t "
        "interval].",
        (
            f"p: paired t test over seeds, Holm-corrected over all {tested} that could be tested, "
            f"shown or not; {called} changed at 5 %."
            if tested
            else untested_words(one.difference for one in changes),
            "The largest of many differences are large by chance, too: measured again they will be "
            "smaller. Intervals hold one by one and not for the largest.",
        ),
        align="llrrrrrl",
    )


def _class_row(number: int, cells: list[PerClass]) -> Row:
    clips = {int(one.clips[number]) for one in cells}
    count = str(clips.pop()) if len(clips) == 1 else f"{min(clips)} to {max(clips)}"
    return (cells[0].names[number], count, *(_mean(one, number) for one in cells))


def _mean(cell: PerClass, number: int) -> Entry:
    if not cell.clips[number]:
        return Entry(NONE)
    found = cell.mean(number)
    return Entry(interval(found, 0), notes=spread_notes(found))


def _is_change(change: ClassChange) -> bool:
    return change.p_holm is not None and change.p_holm < ALPHA


def _change_row(change: ClassChange) -> Row:
    return (
        change.variant.label,
        change.name,
        str(change.clips),
        fixed(change.theirs, 1),
        fixed(change.ours, 1),
        interval(change.difference, 1, signed),
        p_words(change.p_holm),
        _verdict(change),
    )


def _verdict(change: ClassChange) -> str:
    if change.difference.n == 1:
        return "one seed: not tested"
    if change.p_holm is None:
        return "no spread over seeds: not tested"
    if not _is_change(change):
        return "no significant difference"
    return "higher" if change.difference.value > 0 else "lower"
