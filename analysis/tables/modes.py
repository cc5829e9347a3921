"""Does compiling, casting or exporting pay? Each mode beside the quoted one, round by round."""

from collections.abc import Sequence

from analysis.results.results import Results, Variant
from analysis.stats import estimates
from analysis.stats.format import NONE, decimals_for, interval
from analysis.tables.notes import aside_notes, model_entry
from analysis.tables.table import Align, Entry, Table

HEADER = ("cell", "batch", "mode", "latency (ms)", "latency / {}", "logits differ by")


def modes_table(results: Results) -> Table | None:
    """One row a model, batch size and mode; None where a study measures one mode only."""
    modes = results.study.cost.modes
    if len(modes) < 2:
        return None
    batches = results.batch_sizes("latency")
    rows = [
        row
        for cells in results.by_model
        for batch in batches
        for mode in modes
        if (row := _row(results, cells, batch, mode))
    ]
    right: Align = "right"
    return Table(
        name="modes",
        header=tuple(word.format(modes[0]) for word in HEADER),
        rows=tuple(rows),
        align=("left", right, "left", right, right, right),
        caption="Ways to run the same models: median over timing rounds [95 % interval]; ratios to "
        f"{modes[0]} are paired by round in one timing run. The last column is the largest "
        "difference from the logits of the model as it is, over the largest logit.",
    )


def _row(
    results: Results, cells: Sequence[Variant], batch: int, mode: str
) -> tuple[Entry, ...] | None:
    variant, name = cells[0], model_entry(results, cells)
    notes = aside_notes(results, variant, f"{mode}: ", f"{mode} at batch {batch}: ")
    latency = results.in_mode("latency", mode)
    estimate = results.cost(variant, latency, batch)
    if estimate is None:
        missing = [Entry("not measured", notes=notes), Entry(NONE), Entry(NONE)]
        return (name, Entry(str(batch)), Entry(mode), *missing)
    quoted = results.by_round(variant, results.in_mode("latency", results.mode), batch)
    ratio = estimates.median_ratio(results.by_round(variant, latency, batch), quoted)
    difference = results.by_round(variant, results.in_mode("logit_difference", mode), batch)
    return (
        name,
        Entry(str(batch)),
        Entry(mode),
        Entry(interval(estimate, min(3, decimals_for([estimate.value]))), notes=notes),
        Entry("baseline" if mode == results.mode else interval(ratio, 2) if ratio else NONE),
        Entry(f"{max(difference.values()):.1e}" if difference else NONE),
    )
