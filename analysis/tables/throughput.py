"""Clips a second as the batch grows, until memory or the time budget ends it."""

from collections.abc import Sequence

from analysis.results.results import Results, Variant
from analysis.stats.format import NONE, fixed, significant
from analysis.tables.notes import aside_notes, eager_remarks, model_entry
from analysis.tables.table import Entry, Row, Table

RATE, MEMORY = "sweep_throughput", "sweep_memory"


def throughput_table(results: Results) -> Table | None:
    """One row a model, one column a batch size: clips/s and MiB; None where nothing was swept."""
    batches = results.batch_sizes(RATE)
    if not batches:
        return None
    return Table.of(
        "throughput",
        ("cell", *(f"batch {batch}" for batch in batches), "largest batch"),
        (_row(results, cells, batches) for cells in results.by_model),
        "Clips a second (and peak memory in MiB) over batch sizes: median of up to 3 calls "
        "in a fresh process each, not paired with other cells.",
        eager_remarks(results),
    )


def _row(results: Results, cells: Sequence[Variant], batches: list[int]) -> Row:
    variant = cells[0]
    rates = [_rate(results, variant, batch) for batch in batches]
    measured = [batch for batch in batches if results.values(variant, RATE, batch=batch)]
    why = aside_notes(results, variant, "throughput sweep", "memory at batch")
    largest = Entry(str(max(measured)) if measured else NONE, notes=why)
    return (model_entry(results, cells), *rates, largest)


def _rate(results: Results, variant: Variant, batch: int) -> str:
    rate = results.cost(variant, RATE, batch)
    if rate is None:
        return NONE
    memory = results.values(variant, MEMORY, batch=batch)
    return significant(rate.value) + (f" ({fixed(memory[0], 0)})" if memory else "")
