"""Does compiling, casting or exporting pay? Each mode beside the quoted one, round by round."""

from analysis import statistics
from analysis.numbers import NONE, decimals_for, interval
from analysis.results import Results, Variant
from analysis.tables.table import Align, Entry, Table

HEADER = ("cell", "batch", "mode", "latency (ms)", "latency / {}", "logits differ by")


def modes_table(results: Results) -> Table | None:
    """One row a cell, batch size and mode; None where a study measures one mode only."""
    modes = results.study.cost.modes
    if len(modes) < 2:
        return None
    batches = results.batch_sizes("latency")
    rows = [
        row
        for variant in results.variants
        for batch in batches
        for mode in modes
        if (row := _row(results, variant, batch, mode))
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


def _row(results: Results, variant: Variant, batch: int, mode: str) -> tuple[Entry, ...] | None:
    latency = results.in_mode("latency", mode)
    estimate = results.cost(variant, latency, batch)
    if estimate is None:
        return (Entry(variant.label), Entry(str(batch)), Entry(mode), *[_not_measured()] * 3)
    quoted = results.by_round(variant, results.in_mode("latency", results.mode), batch)
    ratio = statistics.median_ratio(results.by_round(variant, latency, batch), quoted)
    difference = results.by_round(variant, results.in_mode("logit_difference", mode), batch)
    return (
        Entry(variant.label),
        Entry(str(batch)),
        Entry(mode),
        Entry(interval(estimate, min(3, decimals_for([estimate.value])))),
        Entry("baseline" if mode == results.mode else interval(ratio, 2) if ratio else NONE),
        Entry(f"{max(difference.values()):.1e}" if difference else NONE),
    )


def _not_measured() -> Entry:
    return Entry("not measured")
