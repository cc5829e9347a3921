"""Every timing in detail: batch sizes and tails."""

from collections.abc import Sequence

import numpy as np

from analysis.results.results import Results, Variant
from analysis.stats.format import NONE, decimals_for, fixed
from analysis.tables.notes import (
    absent,
    aside_notes,
    cost_notes,
    eager_remarks,
    model_entry,
    timing_entry,
    views_remarks,
)
from analysis.tables.table import Entry, Row, Table

HEADER = (
    "cell", "batch", "rounds", "latency (ms)", "p90", "p99", "throughput (clips/s)",
    "peak memory (MiB)", "of a training step (MiB)",
)  # fmt: skip
ENERGY = "energy (J/clip)"  # a column where a meter could be read
METRICS = ("latency", "throughput", "peak_memory", "training_memory")


def cost_table(results: Results) -> Table:
    """One row a model and batch size; a cell that was not timed has one row that says why."""
    batches = sorted({batch for metric in METRICS for batch in results.batch_sizes(metric)})
    return Table.of(
        "cost",
        (*HEADER, *([ENERGY] if has_energy(results) else [])),
        (row for cells in results.by_model for row in _rows(results, cells, batches)),
        "Timings in detail: median over timing rounds [95 % interval], and the "
        "slow tail of the latency. Peak memory, of an answer and of a training step with AdamW, is "
        "of a fresh process.",
        (*_energy_remarks(results), *eager_remarks(results), *views_remarks(results)),
    )


def has_energy(results: Results) -> bool:
    """Whether a meter could be read for some cell."""
    return bool(results.batch_sizes("energy"))


def _energy_remarks(results: Results) -> tuple[str, ...]:
    """Remarks on energy: its scope, or why there is none; none if no cell measured it."""
    if has_energy(results):
        return ("Energy: all that the meter saw, idle power included; mean over calls of 2 s.",)
    notes = [note for v in results.variants for note in aside_notes(results, v, "energy")]
    return tuple(f"{note[0].upper()}{note[1:]}." for note in dict.fromkeys(notes))


def _rows(results: Results, cells: Sequence[Variant], batches: list[int]) -> list[Row]:
    variant = cells[0]
    label = model_entry(results, cells, cost_notes(results, variant))
    rows: list[Row] = []
    for batch in batches:
        rounds = list(results.by_round(variant, "latency", batch).values())
        entries = [timing_entry(results.cost(variant, metric, batch)) for metric in METRICS]
        if all(entry.text == NONE for entry in entries):
            continue
        tail = [NONE, NONE]
        if len(rounds) > 1:
            digits = min(3, decimals_for([float(np.median(rounds))]))
            tail = [fixed(float(x), digits) for x in np.percentile(rounds, [90, 99])]
        first = label if not rows else Entry(label.text)
        latency, *others, training = entries
        if training.text == NONE:
            starts = (f"training memory at batch {batch} ", "training memory ends")
            training = Entry(NONE, notes=aside_notes(results, variant, *starts))
        others.append(training)
        if has_energy(results):
            energy = results.cost(variant, results.in_mode("energy", "eager"), batch)
            others.append(timing_entry(energy))
        rows.append((first, str(batch), str(len(rounds) or NONE), latency, *tail, *others))
    if not rows:
        missing = absent(results, variant, "cost", ())
        empty = [NONE] * (len(HEADER) - 4 + has_energy(results))
        rows.append((label, NONE, NONE, missing, *empty))
    return rows
