"""Does compiling, casting or exporting pay? Each mode beside the quoted one, round by round."""

from collections.abc import Sequence

from analysis.results.results import Results, Variant
from analysis.stats import estimates
from analysis.stats.format import NONE, interval
from analysis.tables.notes import aside_notes, model_entry, timing_words
from analysis.tables.table import Entry, Row, Table

HEADER = ("cell", "batch", "mode", "latency (ms)", "latency / {}", "logits differ by")


def modes_table(results: Results) -> Table | None:
    """One row a model, batch size and mode; None where a study measures one mode only."""
    modes = results.study.cost.modes
    if len(modes) < 2:
        return None
    rows = (
        _row(results, cells, batch, mode)
        for cells in results.by_model
        for batch in results.batch_sizes("latency")
        for mode in modes
    )
    return Table.of(
        "modes",
        [word.format(modes[0]) for word in HEADER],
        rows,
        "Ways to run the same models: median over timing rounds [95 % interval]; ratios to "
        f"{modes[0]} are paired by round in one timing run. The last column is the largest "
        "difference from the logits of the model as it is, over the largest logit.",
        align="lrl",
    )


def _row(results: Results, cells: Sequence[Variant], batch: int, mode: str) -> Row:
    variant, name = cells[0], model_entry(results, cells)
    notes = aside_notes(results, variant, f"{mode}: ", f"{mode} at batch {batch}: ")
    latency = results.in_mode("latency", mode)
    estimate = results.cost(variant, latency, batch)
    if estimate is None:
        return (name, str(batch), mode, Entry("not measured", notes=notes), NONE, NONE)
    quoted = results.by_round(variant, results.in_mode("latency", results.mode), batch)
    ratio = estimates.median_ratio(results.by_round(variant, latency, batch), quoted)
    difference = results.by_round(variant, results.in_mode("logit_difference", mode), batch)
    return (
        name,
        str(batch),
        mode,
        Entry(timing_words(estimate), notes=notes),
        "baseline" if mode == results.mode else interval(ratio, 2) if ratio else NONE,
        f"{max(difference.values()):.1e}" if difference else NONE,
    )
