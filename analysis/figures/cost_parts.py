"""MACs and parameters by part, stacked."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from analysis.figures.choice import choose
from analysis.figures.style import (
    PAGE_WIDTH,
    Drawing,
    add_legend,
    is_page,
    new_figure,
    row_labels,
    width_of,
)
from analysis.results.provenance import clip_shape
from analysis.results.results import Results, Variant
from analysis.stats.format import prefix_for, significant
from analysis.tables.parts import ordered_parts

MOST_BARS = 40
# Light to dark as the data flows, so that the parts differ in grey; hatches distinguish them too.
FILLS = (("#cfe3f2", ""), ("#E69F00", "////"), ("#0072B2", ""), ("#222222", ""))
OTHER = ("#999999", "xxxx")


def draw_cost_parts(results: Results) -> Drawing | None:
    """Stacked bars of f, g, h and head, one a model.

    None where no cost was counted by part, or all cells share a model.
    """
    counted = [cells[0] for cells in results.by_model if results.parts(cells[0], "macs")]
    bars, left_out = choose(results, counted, MOST_BARS)
    if not bars or results.is_one_model:
        return None
    width = width_of(results, PAGE_WIDTH)
    labels, lines = row_labels([_name(results, variant) for variant in bars], width)
    rows, columns = (1, 2) if is_page(width) else (2, 1)
    figure = new_figure(width, 0.25 + rows * (0.5 + 0.19 * len(bars) + 0.1 * lines))
    left, right = figure.subplots(rows, columns, sharey=True).flat
    _draw_bars(left, results, bars, "macs", "MACs per clip")
    _draw_bars(right, results, bars, "parameters", "Parameters")
    left.set_yticks(range(len(bars)), labels)
    left.set_ylim(len(bars) - 0.4, -0.6)
    handles, names = left.get_legend_handles_labels()
    add_legend(figure, handles, names, len(names))
    shape = clip_shape(results)
    caption = (
        f"Multiply-accumulates of one clip{f' ({shape})' if shape else ''} and parameters, by part:"
        " f backbone, g spatial transformer, h spatiotemporal transformer, head."
    )
    return Drawing(figure, caption + left_out)


def _name(results: Results, variant: Variant) -> str:
    """A model: what its cells have in common, as they share one bar."""
    group = next(cells for cells in results.by_model if variant in cells)
    shared = set.intersection(*(set(cell.levels.items()) for cell in group))
    levels = {name: level for name, level in variant.levels.items() if (name, level) in shared}
    if len(group) == 1:
        return variant.label
    return results.name(levels) if levels else variant.label


def _draw_bars(
    axes: Axes, results: Results, bars: Sequence[Variant], metric: str, heading: str
) -> None:
    totals = [results.count(variant, metric) or 0.0 for variant in bars]
    factor, prefix = prefix_for(totals)
    starts = [0.0] * len(bars)
    parts = ordered_parts(results, metric)
    for part in parts:
        widths = [(results.count(variant, metric, part) or 0.0) / factor for variant in bars]
        known = ("f", "g", "h", "head")
        color, hatch = FILLS[known.index(part)] if part in known else OTHER
        axes.barh(
            range(len(bars)), widths, left=starts, height=0.7, color=color, hatch=hatch,
            edgecolor="white", linewidth=0.4, label=part,
        )  # fmt: skip
        starts = [a + b for a, b in zip(starts, widths, strict=True)]
    for row, end in enumerate(starts):
        text = f"{significant(totals[row] / factor)} {prefix}".rstrip()
        axes.annotate(text, (end, row), (2, 0), textcoords="offset points", va="center", size=6)
    axes.set_xlim(0, max(starts) * 1.16 or 1)
    axes.set_xlabel(f"{heading} ({prefix})" if prefix else heading)
    axes.grid(visible=False, axis="y")
