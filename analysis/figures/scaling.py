"""How accuracy and cost grow with a number: one line a series."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis.figures.style import (
    PAGE_WIDTH,
    Drawing,
    Look,
    log_axis,
    looks,
    mean_over_seeds,
    new_figure,
    numeric_factors,
    plain_number,
    series_factor,
    series_of,
)
from analysis.provenance import cost_machines
from analysis.results import Results, Variant, short_label, short_name
from analysis.statistics import Estimate
from analysis.tables.notes import quoted_batch

Reader = Callable[[Variant], Estimate | None]


def draw_scaling(results: Results) -> Drawing | None:
    """Panels of top-1, latency and MACs over a numeric factor; None without one or its numbers."""
    factor = _scaled_factor(results)
    if factor is None:
        return None
    panels = [
        (heading, read, is_cost)
        for heading, read, is_cost in _quantities(results)
        if any(read(variant) for variant in results.variants)
    ]
    if not panels:
        return None
    figure = new_figure(PAGE_WIDTH if len(panels) > 1 else PAGE_WIDTH / 2, 2.4)
    lines = _lines(results, factor)
    for axes, (heading, read, is_cost) in zip(
        figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True
    ):
        _draw_panel(axes, factor, lines, read, is_cost)
        axes.set_ylabel(heading)
        axes.set_xlabel(short_name(factor).capitalize())
    handles, names = figure.axes[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 5))
    machines = " and on ".join(cost_machines(results))
    caption = f"Accuracy and cost over {short_name(factor)}. Top-1: {mean_over_seeds(results)}."
    if machines:
        caption += f" Latency: median over rounds and 95 % interval, on {machines}."
    return Drawing(figure, caption)


def _scaled_factor(results: Results) -> str | None:
    """The last numeric factor that is not told apart by colour, or the only factor there is."""
    numbers = numeric_factors(results)
    series = series_factor(results)
    others = [name for name in numbers if name != series]
    return next(reversed(others), series if series in numbers else None)


def _quantities(results: Results) -> list[tuple[str, Reader, bool]]:
    batch = quoted_batch(results)

    def macs(variant: Variant) -> Estimate | None:
        count = results.count(variant, "macs")
        return Estimate(count, None, None, 1) if count else None

    quantities: list[tuple[str, Reader, bool]] = [("Top-1 (%)", results.accuracy, False)]
    if batch is not None:
        heading = f"Latency (ms, batch {batch})"
        quantities.append((heading, lambda v: results.cost(v, "latency", batch), True))
    return [*quantities, ("MACs per clip", macs, True)]


def _lines(results: Results, factor: str) -> list[tuple[str, Look, list[Variant]]]:
    """Label, look and cells of each combination of the other factors."""
    groups: dict[str, list[Variant]] = {}
    for variant in results.variants:
        others = {name: level for name, level in variant.levels.items() if name != factor}
        groups.setdefault(short_label(others) if others else "", []).append(variant)
    styles = looks(results)
    return [
        (
            label,
            styles[series_of(results, cells[0])],
            sorted(cells, key=lambda cell: cell.numbers[factor]),
        )
        for label, cells in groups.items()
    ]


def _draw_panel(
    axes: Axes,
    factor: str,
    lines: Sequence[tuple[str, Look, list[Variant]]],
    read: Reader,
    is_cost: bool,
) -> None:
    places, values = set(), []
    for number, (label, look, cells) in enumerate(lines):
        known = [(cell.numbers[factor], found) for cell in cells if (found := read(cell))]
        places |= {cell.numbers[factor] for cell in cells}
        values += [found.value for _, found in known]
        spread = [
            [0.0 if found.low is None else found.value - found.low for _, found in known],
            [0.0 if found.high is None else found.high - found.value for _, found in known],
        ]
        axes.errorbar(
            [x for x, _ in known], [found.value for _, found in known], yerr=spread,
            color=look.color, marker=look.marker, linestyle=look.line, label=label,
            markeredgecolor="white", markeredgewidth=0.4, elinewidth=0.8, capsize=1.5,
            zorder=2 + number / 100,
        )  # fmt: skip
    if is_cost and values and max(values) > 3 * min(values) > 0:
        log_axis(axes, "y", values)
    elif is_cost:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(plain_number))
    _set_places(axes, sorted(places))


def _set_places(axes: Axes, places: list[float]) -> None:
    if places[0] > 0 and places[-1] >= 4 * places[0]:
        axes.set_xscale("log", base=2)
    axes.set_xticks(places, [plain_number(place) for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
