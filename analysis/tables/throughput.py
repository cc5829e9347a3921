"""Clips a second as the batch grows, until memory or the time budget ends it."""

from collections.abc import Sequence

from analysis.results.results import Results, Variant
from analysis.stats.format import NONE, fixed, significant
from analysis.tables.notes import aside_notes, eager_remarks, model_entry
from analysis.tables.table import Align, Entry, Table

RATE, MEMORY = "sweep_throughput", "sweep_memory"


def throughput_table(results: Results) -> Table | None:
    """One row a model, one column a batch size: clips/s and MiB; None where nothing was swept."""
    batches = results.batch_sizes(RATE)
    if not batches:
        return None
    right: Align = "right"
    return Table(
        name="throughput",
        header=("cell", *(f"batch {batch}" for batch in batches), "largest batch"),
        rows=tuple(_row(results, cells, batches) for cells in results.by_model),
        align=("left", *[right] * (len(batches) + 1)),
        caption="Clips a second (and peak memory in MiB) over batch sizes: median of up to 3 calls "
        "in a fresh process each, not paired with other cells.",
        remarks=eager_remarks(results),
    )


def _row(results: Results, cells: Sequence[Variant], batches: list[int]) -> tuple[Entry, ...]:
    variant = cells[0]
    entries = [model_entry(results, cells)]
    entries += [_entry(results, variant, batch) for batch in batches]
    measured = [batch for batch in batches if results.values(variant, RATE, batch=batch)]
    why = aside_notes(results, variant, "throughput sweep", "memory at batch")
    return (*entries, Entry(str(max(measured)) if measured else NONE, notes=why))


def _entry(results: Results, variant: Variant, batch: int) -> Entry:
    rate = results.cost(variant, RATE, batch)
    if rate is None:
        return Entry(NONE)
    memory = results.values(variant, MEMORY, batch=batch)
    return Entry(significant(rate.value) + (f" ({fixed(memory[0], 0)})" if memory else ""))
