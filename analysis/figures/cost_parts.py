"""Where the cost is: MACs and parameters by part, stacked."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from analysis.figures.choice import choose
from analysis.figures.style import PAGE_WIDTH, Drawing, is_page, new_figure, width_of
from analysis.numbers import prefix_for, significant
from analysis.provenance import clip_shape
from analysis.results import Results, Variant
from analysis.tables.parts import ordered_parts

MOST_BARS = 40
# Light to dark as the data flows, so that the parts differ in grey; hatches tell them apart too.
FILLS = (("#cfe3f2", ""), ("#E69F00", "////"), ("#0072B2", ""), ("#222222", ""))
OTHER = ("#999999", "xxxx")


def draw_cost_parts(results: Results) -> Drawing | None:
    """Stacked bars of f, g, h and head; None where no cost was counted by part."""
    counted = [v for v in results.variants if results.parts(v, "macs")]
    bars, left_out = choose(results, counted, MOST_BARS)
    if not bars:
        return None
    width = width_of(results, PAGE_WIDTH)
    rows, columns = (1, 2) if is_page(width) else (2, 1)
    figure = new_figure(width, 0.25 + rows * (0.5 + 0.19 * len(bars)))
    left, right = figure.subplots(rows, columns, sharey=True).flat
    _draw_bars(left, results, bars, "macs", "MACs per clip")
    _draw_bars(right, results, bars, "parameters", "Parameters")
    left.set_yticks(range(len(bars)), [variant.label for variant in bars])
    left.set_ylim(len(bars) - 0.4, -0.6)
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    shape = clip_shape(results)
    caption = (
        f"Multiply-accumulates of one clip{f' ({shape})' if shape else ''} and parameters, by part:"
        " f backbone, g spatial transformer, h spatiotemporal transformer, head."
    )
    return Drawing(figure, caption + left_out)


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
