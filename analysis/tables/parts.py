"""Parameters and multiply-accumulates by part."""

from analysis.results.results import Results
from analysis.stats.format import NONE, prefix_for, significant
from analysis.tables.notes import count_notes, model_entry
from analysis.tables.table import Entry, Row, Table

PARTS = ("f", "g", "h", "head")  # as the data flow; parts of other names follow
METRICS = (("parameters", "parameters"), ("macs", "MACs"))


def ordered_parts(results: Results, metric: str) -> list[str]:
    """Every part that is not empty in some cell, in the order of the data flow."""
    found = {
        part
        for variant in results.variants
        for part in results.parts(variant, metric)
        if results.count(variant, metric, part)
    }
    return [part for part in PARTS if part in found] + sorted(found - set(PARTS))


def parts_table(results: Results) -> Table:
    """One row a model: parameters and MACs of the whole and of each part."""
    columns = []
    for metric, name in METRICS:
        totals = [n for v in results.variants if (n := results.count(v, metric)) is not None]
        factor, prefix = prefix_for(totals)
        unit = f" ({prefix})" if prefix else ""
        for part in ("", *ordered_parts(results, metric)) if totals else ():
            columns.append((f"{name} {part}".rstrip() + unit, metric, part, factor))
    rows: list[Row] = []
    for cells in results.by_model:
        variant, row = cells[0], [model_entry(results, cells)]
        for _, metric, part, factor in columns:
            value = results.count(variant, metric, part)
            notes = () if part else count_notes(results, variant, metric)
            row.append(Entry(NONE if value is None else significant(value / factor), notes=notes))
        rows.append(tuple(row))
    return Table.of(
        "parts",
        ("cell", *(column[0] for column in columns)),
        rows,
        "Parameters, and multiply-accumulates (MACs) of one clip and one view, by part: "
        "f backbone, g spatial transformer, h spatiotemporal transformer, head.",
    )
