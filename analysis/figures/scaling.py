"""Accuracy and cost against a numeric factor, with the exponents of the costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis.figures.choice import at_baseline
from analysis.figures.style import (
    PAGE_WIDTH,
    Drawing,
    Look,
    add_legend,
    log_axis,
    looks,
    mean_over_seeds,
    new_figure,
    panel_columns,
    panel_grid,
    plain_number,
    series_of,
    width_of,
)
from analysis.findings.scaling import Fit, fit_exponents, scaled_factors, scaling_series
from analysis.results.provenance import cost_machines
from analysis.results.results import BASELINE, Results, Variant, short_name
from analysis.stats.estimates import Estimate
from analysis.stats.format import interval
from analysis.tables.notes import quoted_batch

PANELS = 3
MOST_FITS = 6  # exponents that a panel has room for
MOST_LINES = 12  # of more, none can be followed
BESIDE = 0.6  # inches of a panel beside its axis
TICK_CHARACTER = 0.055  # inches of a tick's name
MOST_TICK = 8  # characters
LINE = 0.065  # of a panel's height, that a line of its exponents takes


@dataclass(frozen=True)
class Quantity:
    """A quantity of a panel.

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
    """Panels of top-1, latency and MACs over numeric factors; None without one or its numbers.

    Costs only over a factor that changes the model.
    """
    panels = [
        (factor, quantity)
        for factor in scaled_factors(results)
        for quantity in _quantities(results, factor)
        if any(map(quantity.read, results.variants))
    ]
    if not panels:
        return None
    width = width_of(results, PAGE_WIDTH if len(panels) > 1 else PAGE_WIDTH / 2)
    columns = panel_columns(width, len(panels), PANELS)
    figure = new_figure(width, 0.3 + 2.1 * -(-len(panels) // columns))
    grid = panel_grid(figure, len(panels), columns)
    words: dict[str, None] = {}
    named: dict[str, Artist] = {}
    for axes, (factor, quantity) in zip(grid, panels, strict=False):
        lines, left_out = _lines(results, factor)
        words[left_out] = None
        _draw_panel(axes, factor, lines, quantity, width / columns - BESIDE)
        axes.set_ylabel(quantity.heading)
        axes.set_xlabel(short_name(factor).capitalize())
        handles, names = axes.get_legend_handles_labels()
        named.update({name: handle for handle, name in zip(handles, names, strict=True)})
    if len(named) > 1:
        add_legend(figure, list(named.values()), list(named), 5 if columns > 1 else 3)
    return Drawing(figure, _caption(results, panels) + "".join(words))


def _caption(results: Results, shown: Sequence[tuple[str, Quantity]]) -> str:
    panels = [quantity for _, quantity in shown]
    over = " and over ".join(dict.fromkeys(short_name(factor) for factor, _ in shown))
    machines = " and on ".join(cost_machines(results))
    kinds = dict.fromkeys("cost" if panel.is_cost else "accuracy" for panel in panels)
    caption = f"{' and '.join(kinds).capitalize()} over {over}."
    if results.single_changes:
        caption += f" All other factors are as in {BASELINE}, or as the legend says."
    if not panels[0].is_cost:
        caption += f" Top-1: {mean_over_seeds(results)}."
    if machines and any(panel.is_cost for panel in panels):
        caption += f" Latency: median over rounds and 95 % interval, on {machines}."
    if any(panel.fits for panel in panels):
        caption += (
            " Thin lines: power laws fitted to each series, with their exponents; intervals are "
            "over timing rounds and do not say that a power law holds."
        )
    return caption


def _quantities(results: Results, factor: str) -> list[Quantity]:
    batch, series = quoted_batch(results), scaling_series(results, factor).values()

    def macs(variant: Variant) -> Estimate | None:
        count = results.count(variant, "macs")
        return Estimate(count, None, None, 1) if count else None

    quantities = [Quantity("Top-1 (%)", results.accuracy, {}, False)]
    if all(len({results.model_of(cell) for cell in cells}) == 1 for cells in series):
        return quantities
    if batch is not None:
        fits = {fit.label: fit for fit in fit_exponents(results, "latency", batch, factor)}
        heading = f"Latency (ms, batch {batch})"
        quantities.append(
            Quantity(heading, lambda v: results.cost(v, "latency", batch), fits, True)
        )
    fits = {fit.label: fit for fit in fit_exponents(results, "macs", factor=factor)}
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


def _draw_panel(
    axes: Axes, factor: str, lines: Sequence[Line], quantity: Quantity, room: float
) -> None:
    """A panel whose axis is so many inches long."""
    places: dict[float, str] = {}
    values = []
    for number, line in enumerate(lines):
        known = [(c.numbers[factor], found) for c in line.cells if (found := quantity.read(c))]
        places |= {cell.numbers[factor]: cell.levels[factor] for cell in line.cells}
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
    is_log = bool(quantity.fits) or bool(values and max(values) > 3 * min(values))
    if quantity.is_cost and values and min(values) > 0 and is_log:
        log_axis(axes, "y", values)
    elif quantity.is_cost:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(plain_number))
    _set_places(axes, dict(sorted(places.items())), room, is_log=bool(quantity.fits))
    _draw_fits(axes, factor, lines, quantity.fits)


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


def _set_places(axes: Axes, places: dict[float, str], room: float, is_log: bool) -> None:
    """A tick at each level, named as the study file has it where the name has room.

    Log where levels span a factor of 4 or more; from 0 on, the first step stands for a decade.
    """
    ends, above = list(places), [place for place in places if place > 0]
    if ends[0] > 0 and (is_log or ends[-1] >= 4 * ends[0]):
        axes.set_xscale("log", base=2)
    elif ends[0] == 0 and above and above[-1] >= 10 * above[0]:
        axes.set_xscale("symlog", linthresh=above[0], linscale=0.4)
    axes.set_xticks(ends)
    spans = axes.transData.transform([(place, 0.0) for place in ends])[:, 0]
    inches = (spans - spans[0]) * room / max(1e-9, spans[-1] - spans[0])
    names, taken = [], -1.0
    for place, (number, level) in zip(inches, places.items(), strict=True):
        name = level if len(level) <= MOST_TICK else plain_number(number)
        half = TICK_CHARACTER * (len(name) + 1) / 2
        names.append(name if place - half >= taken else "")
        taken = place + half if names[-1] else taken
    axes.set_xticks(ends, names)
    axes.xaxis.set_minor_locator(NullLocator())
