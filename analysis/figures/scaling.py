"""How accuracy and cost grow with a number: one line a series, with the exponents of the costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis.exponents import Fit, fit_exponents, scaled_factor, scaling_series
from analysis.figures.choice import at_baseline
from analysis.figures.style import (
    PAGE_WIDTH,
    Drawing,
    Look,
    log_axis,
    looks,
    mean_over_seeds,
    new_figure,
    panel_columns,
    plain_number,
    series_of,
    width_of,
)
from analysis.numbers import interval
from analysis.provenance import cost_machines
from analysis.results import Results, Variant, short_name
from analysis.statistics import Estimate
from analysis.tables.notes import quoted_batch

PANELS = 3
MOST_FITS = 6  # exponents that a panel has room for
MOST_LINES = 12  # of more, none can be followed
LINE = 0.065  # of a panel's height, that a line of its exponents takes


@dataclass(frozen=True)
class Quantity:
    """What a panel shows.

    Attributes:
        heading: With its unit.
        read: Its value at a cell.
        fits: Power laws of a cost, by series; none of an accuracy.
        is_cost: Whether it starts at 0, or is shown on a log axis.
    """

    heading: str
    read: Callable[[Variant], Estimate | None]
    fits: dict[str, Fit]
    is_cost: bool


@dataclass(frozen=True)
class Line:
    """A series: cells by size."""

    label: str
    look: Look
    cells: Sequence[Variant]


def draw_scaling(results: Results) -> Drawing | None:
    """Panels of top-1, latency and MACs over a numeric factor; None without one or its numbers."""
    factor = scaled_factor(results)
    if factor is None:
        return None
    panels = [one for one in _quantities(results) if any(map(one.read, results.variants))]
    if not panels:
        return None
    width = width_of(results, PAGE_WIDTH if len(panels) > 1 else PAGE_WIDTH / 2)
    columns = panel_columns(width, len(panels), PANELS)
    rows = -(-len(panels) // columns)
    figure = new_figure(width, 0.3 + 2.1 * rows)
    (lines, left_out), grid = _lines(results, factor), figure.subplots(rows, columns, squeeze=False)
    for axes, quantity in zip(grid.flat, panels, strict=True):
        _draw_panel(axes, factor, lines, quantity)
        axes.set_ylabel(quantity.heading)
        axes.set_xlabel(short_name(factor).capitalize())
    handles, names = figure.axes[0].get_legend_handles_labels()
    if len(names) > 1:
        names_a_row = 5 if columns > 1 else 3
        figure.legend(
            handles, names, loc="outside upper center", ncols=min(len(names), names_a_row)
        )
    return Drawing(figure, _caption(results, factor, panels) + left_out)


def _caption(results: Results, factor: str, panels: Sequence[Quantity]) -> str:
    machines = " and on ".join(cost_machines(results))
    caption = f"{' and '.join(_kinds(panels))} over {short_name(factor)}."
    if not panels[0].is_cost:
        caption += f" Top-1: {mean_over_seeds(results)}."
    if machines:
        caption += f" Latency: median over rounds and 95 % interval, on {machines}."
    if any(panel.fits for panel in panels):
        caption += (
            " Thin lines: power laws fitted to each series, with their exponents; intervals are "
            "over timing rounds and do not say that a power law holds."
        )
    return caption


def _kinds(panels: Sequence[Quantity]) -> list[str]:
    kinds = dict.fromkeys("cost" if panel.is_cost else "accuracy" for panel in panels)
    first, *rest = kinds
    return [first.capitalize(), *rest]


def _quantities(results: Results) -> list[Quantity]:
    batch = quoted_batch(results)

    def macs(variant: Variant) -> Estimate | None:
        count = results.count(variant, "macs")
        return Estimate(count, None, None, 1) if count else None

    quantities = [Quantity("Top-1 (%)", results.accuracy, {}, False)]
    if batch is not None:
        fits = {fit.label: fit for fit in fit_exponents(results, "latency", batch)}
        heading = f"Latency (ms, batch {batch})"
        quantities.append(
            Quantity(heading, lambda v: results.cost(v, "latency", batch), fits, True)
        )
    fits = {fit.label: fit for fit in fit_exponents(results, "macs")}
    return [*quantities, Quantity("MACs per clip", macs, fits, True)]


def _lines(results: Results, factor: str) -> tuple[list[Line], str]:
    """Up to `MOST_LINES` series, and words on those that are left out, for the caption.

    Of more, those are kept that differ in colour alone: the rest is at the baseline's levels.
    """
    series, words = scaling_series(results, factor), ""
    shown = list(series)
    if len(series) > MOST_LINES:
        firsts = {cells[0].cell: label for label, cells in series.items()}
        one_each = [cells[0] for cells in series.values()]
        alike, where = at_baseline(results, one_each, (factor, results.series_factor))
        shown = ([firsts[cell.cell] for cell in alike] or shown)[:MOST_LINES]
        which = f", those at {where}" if alike and where else ""
        words = f" {len(shown)} of {len(series)} series{which}; the main table has all cells."
    styles = looks(results)
    lines = [Line(one, styles[series_of(results, series[one][0])], series[one]) for one in shown]
    return lines, words


def _draw_panel(axes: Axes, factor: str, lines: Sequence[Line], quantity: Quantity) -> None:
    places, values = set(), []
    for number, line in enumerate(lines):
        known = [(c.numbers[factor], found) for c in line.cells if (found := quantity.read(c))]
        places |= {cell.numbers[factor] for cell in line.cells}
        values += [found.value for _, found in known]
        values += [end for _, found in known for end in (found.low, found.high) if end is not None]
        spread = [
            [0.0 if found.low is None else found.value - found.low for _, found in known],
            [0.0 if found.high is None else found.high - found.value for _, found in known],
        ]
        look = line.look
        axes.errorbar(
            [x for x, _ in known], [found.value for _, found in known], yerr=spread,
            color=look.color, marker=look.marker, label=line.label,
            linestyle="none" if line.label in quantity.fits else look.line,
            markeredgecolor="white", markeredgewidth=0.4, elinewidth=0.8, capsize=1.5,
            zorder=2 + number / 100,
        )  # fmt: skip
    if quantity.is_cost and values and min(values) > 0 and (quantity.fits or _is_wide(values)):
        log_axis(axes, "y", values)
    elif quantity.is_cost:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(plain_number))
    _set_places(axes, sorted(places), is_log=bool(quantity.fits))
    _draw_fits(axes, factor, lines, quantity.fits)


def _is_wide(values: Sequence[float]) -> bool:
    return max(values) > 3 * min(values)


def _draw_fits(axes: Axes, factor: str, lines: Sequence[Line], fits: dict[str, Fit]) -> None:
    """Each law as a line over its cells, and its exponent where there is room above."""
    shown = []
    for line in lines:
        if (fit := fits.get(line.label)) is None:
            continue
        ends = [fit.cells[0].numbers[factor], fit.cells[-1].numbers[factor]]
        (drawn,) = axes.plot(
            ends, [fit.factor * end**fit.exponent.value for end in ends], color=line.look.color,
            linestyle=line.look.line, linewidth=0.8, zorder=1.5, gid="fit",
        )  # fmt: skip
        shown.append((drawn, line.look, interval(fit.exponent, 2)))
    if not 0 < len(shown) <= MOST_FITS:
        return
    low, high = axes.get_ylim()
    axes.set_ylim(low, low * (high / low) ** (1 / (1 - LINE * (len(shown) + 1))))
    handles = [
        axes.plot([], [], color=k.color, marker=k.marker, linestyle=k.line)[0] for _, k, _ in shown
    ]
    legend = axes.legend(
        handles, [text for *_, text in shown], title="Exponent", loc="upper left", fontsize=6,
        title_fontsize=6, borderaxespad=0.1, handlelength=2.2, labelspacing=0.2,
    )  # fmt: skip
    legend.set_alignment("left")


def _set_places(axes: Axes, places: list[float], is_log: bool) -> None:
    if places[0] > 0 and (is_log or places[-1] >= 4 * places[0]):
        axes.set_xscale("log", base=2)
    axes.set_xticks(places, [plain_number(place) for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
