"""Every timing in detail: batch sizes and tails."""

import numpy as np

from analysis.numbers import NONE, decimals_for, fixed, interval
from analysis.results import Results, Variant
from analysis.tables.notes import absent, cost_notes, views_remarks
from analysis.tables.table import Align, Entry, Table

HEADER = (
    "cell", "batch", "rounds", "latency (ms)", "p90", "p99", "throughput (clips/s)",
    "peak memory (MiB)",
)  # fmt: skip
METRICS = ("latency", "throughput", "peak_memory")


def cost_table(results: Results) -> Table:
    """One row a cell and batch size; a cell that was not timed has one row that says why."""
    batches = sorted({batch for metric in METRICS for batch in results.batch_sizes(metric)})
    rows = [row for variant in results.variants for row in _rows(results, variant, batches)]
    right: Align = "right"
    return Table(
        name="cost",
        header=HEADER,
        rows=tuple(rows),
        align=("left", *[right] * (len(HEADER) - 1)),
        caption="Timings in detail: median over timing rounds [95 % interval], and the "
        "slow tail of the latency. Peak memory is of a fresh process.",
        remarks=views_remarks(results),
    )


def _rows(results: Results, variant: Variant, batches: list[int]) -> list[tuple[Entry, ...]]:
    notes = cost_notes(results, variant)
    label = Entry(variant.label, notes=notes)
    rows: list[tuple[Entry, ...]] = []
    for batch in batches:
        rounds = list(results.by_round(variant, "latency", batch).values())
        entries = [_median(results, variant, metric, batch) for metric in METRICS]
        if all(entry.text == NONE for entry in entries):
            continue
        tail = [NONE, NONE]
        if len(rounds) > 1:
            digits = min(3, decimals_for([float(np.median(rounds))]))
            tail = [fixed(float(x), digits) for x in np.percentile(rounds, [90, 99])]
        first = label if not rows else Entry(variant.label)
        latency, *others = entries
        counts = Entry(str(batch)), Entry(str(len(rounds) or NONE))
        rows.append((first, *counts, latency, Entry(tail[0]), Entry(tail[1]), *others))
    if not rows:
        missing = absent(results, variant, "cost", ())
        empty = [Entry(NONE)] * (len(HEADER) - 4)
        rows.append((label, Entry(NONE), Entry(NONE), missing, *empty))
    return rows


def _median(results: Results, variant: Variant, metric: str, batch: int) -> Entry:
    estimate = results.cost(variant, metric, batch)
    if estimate is None:
        return Entry(NONE)
    return Entry(interval(estimate, min(3, decimals_for([estimate.value]))))
