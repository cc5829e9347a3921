"""Differences to the baseline asked twice: of other training runs, and of other test clips."""

from analysis.findings.clips import ClipComparison, compare_with_baselines
from analysis.results.results import Results, Variant
from analysis.stats.format import MINUS, NONE, p_value, signed
from analysis.tables.notes import p_words
from analysis.tables.table import Entry, Row, Table

HEADER = (
    "cell", "Δ top-1 (points)", "other training runs [95 %]", "p (t, seeds)",
    "other test clips [95 %]", "p by seed (McNemar)", "clips only one has right, by seed",
)  # fmt: skip
NO_SPREAD = "no spread: no interval"
MOST_LISTED = 3  # seeds whose numbers stand in an entry one by one


def clips_table(results: Results) -> Table | None:
    """One row a cell with stored predictions of the baseline's seeds and clips; else None."""
    rows = tuple(_row(results, *compared) for compared in compare_with_baselines(results))
    if not rows:
        return None
    name = results.baseline_label
    return Table.of(
        "clips",
        HEADER,
        rows,
        f"Differences to {name}, asked twice. Would other training runs say the same on "
        "these test clips? Student t over seeds. Would other test clips say the same of these "
        "trained models? Bootstrap over clips of the mean over seeds, and McNemar's test (mid-p) "
        "of each seed's two models. p not corrected.",
        (
            "A difference that holds over clips and not over seeds is one between these trained "
            "models and not between their recipes; the main table and the claims go by seeds. "
            "Clips are taken as independent of each other, which clips cut from one video are not.",
        ),
    )


def _row(results: Results, variant: Variant, comparison: ClipComparison) -> Row:
    found, _ = results.differences.get(variant.cell, (None, None))
    over_clips = comparison.difference
    over_seeds, p = "one seed: no interval", NONE
    if found and found.n > 1:
        over_seeds, p = _interval(found.low, found.high), p_words(found.p)
    seeds = comparison.seeds
    if len(seeds) <= MOST_LISTED:
        by_seed = ", ".join(p_value(one.p_mid) for one in seeds)
        counts = ", ".join(f"+{one.only_ours} {MINUS}{one.only_theirs}" for one in seeds)
    else:
        low, high = min(one.p_mid for one in seeds), max(one.p_mid for one in seeds)
        ends = dict.fromkeys((p_value(low), p_value(high)))
        by_seed = " to ".join(ends) if len(ends) > 1 else f"{p_value(low)} each"
        ours, theirs = sum(one.only_ours for one in seeds), sum(one.only_theirs for one in seeds)
        counts = f"+{ours} {MINUS}{theirs} in all"
    notes: tuple[str, ...] = ()
    if found and found.n != len(seeds):
        notes = (f"predictions of {len(seeds)} of {found.n} seeds",)
    return (
        Entry(variant.label, notes=notes),
        signed(over_clips.value, 1),
        over_seeds,
        p,
        _interval(over_clips.low, over_clips.high),
        by_seed,
        counts,
    )


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return NO_SPREAD
    return f"[{signed(low, 1)}, {signed(high, 1)}]"
