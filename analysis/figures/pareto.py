"""Top-1 against each cost, with the Pareto front."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from numpy.typing import NDArray

from analysis.figures.labels import label_points
from analysis.figures.style import (
    COLUMN_WIDTH,
    Drawing,
    Look,
    add_legend,
    freeze_layout,
    log_axis,
    looks,
    mean_over_seeds,
    new_figure,
    series_label,
    series_of,
    width_of,
    wrapped,
)
from analysis.results.provenance import clip_shape, cost_machines
from analysis.results.results import Results, Variant
from analysis.stats.estimates import Estimate
from analysis.tables.notes import quoted_batch

MOST_LABELS = 16  # more names than this cover each other at column width
MANY = 100  # points; fewer are drawn one by one, each an artist of its own
LABEL_WIDTH = 24  # characters of a line beside a point
DOMINATED = 0.45  # opacity of error bars of dominated cells

Errors = NDArray[np.float64] | None  # (2, 1): below and above


@dataclass(frozen=True)
class Point:
    """A cell with both numbers."""

    variant: Variant
    cost: Estimate
    accuracy: Estimate


class Gathered:
    """Stands in for axes where `errorbar` is called a point at a time; `draw` draws them.

    Those of one style in one call: each call takes long.
    """

    def __init__(self, axes: Axes) -> None:
        self._axes = axes
        self._groups: dict[Any, list[tuple[float, float, Errors, Errors]]] = {}
        self._styles: dict[Any, dict[str, Any]] = {}

    def errorbar(self, x: float, y: float, xerr: Errors, yerr: Errors, **style: Any) -> None:
        """Arguments of `Axes.errorbar` for one point, without drawing it."""
        key = (xerr is None, yerr is None, repr(sorted(style.items())))
        self._styles[key] = style
        self._groups.setdefault(key, []).append((x, y, xerr, yerr))

    def draw(self) -> None:
        """One call a style and kind of interval."""
        for key, points in self._groups.items():
            x, y, xerr, yerr = zip(*points, strict=True)
            self._axes.errorbar(x, y, xerr=_joined(xerr), yerr=_joined(yerr), **self._styles[key])


def _joined(errors: tuple[Errors, ...]) -> Errors:
    known = [one for one in errors if one is not None]
    return np.hstack(known) if known else None


def draw_accuracy_macs(results: Results) -> Drawing | None:
    """Top-1 against MACs of one clip; None without a cell that has both."""
    shape = clip_shape(results)
    what = f"MACs of one clip{f' ({shape})' if shape else ''}"
    return _draw(results, _counted(results, "macs"), "MACs per clip", what)


def draw_accuracy_parameters(results: Results) -> Drawing | None:
    """Top-1 against parameters; None without a cell that has both."""
    return _draw(results, _counted(results, "parameters"), "Parameters", "parameters")


def draw_accuracy_latency(results: Results) -> Drawing | None:
    """Top-1 against median latency; None without a cell that has both."""
    batch = quoted_batch(results)
    if batch is None:
        return None
    what = f"median latency at batch size {batch} with its 95 % interval"
    return _draw_measured(results, "latency", batch, f"Latency (ms, batch {batch})", what)


def draw_accuracy_memory(results: Results) -> Drawing | None:
    """Top-1 against peak memory at the batch size of the main table; None without both."""
    sizes = results.batch_sizes("peak_memory")
    if not sizes:
        return None
    heading = f"Peak memory (MiB, batch {sizes[-1]})"
    what = f"peak memory of one forward call at batch size {sizes[-1]}"
    return _draw_measured(results, "peak_memory", sizes[-1], heading, what)


def draw_accuracy_energy(results: Results) -> Drawing | None:
    """Top-1 against energy of a clip; None where no meter could be read."""
    sizes = results.batch_sizes("energy")
    if not sizes:
        return None
    what = (
        f"energy of a clip at batch size {sizes[0]}, idle power included (median and range of few "
        "readings of the machine's meter)"
    )
    heading = f"Energy (J per clip, batch {sizes[0]})"
    return _draw_measured(results, "energy", sizes[0], heading, what)


def pareto_front(costs: list[float], accuracies: list[float]) -> list[int]:
    """Indices of points that no other one matches or beats in both, from cheap to dear."""
    front: list[int] = []
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -accuracies[i])):
        if not front or accuracies[i] > accuracies[front[-1]]:
            front.append(i)
    return front


def _points(results: Results, costs: dict[str, Estimate]) -> list[Point]:
    return [
        Point(variant, costs[variant.cell], accuracy)
        for variant in results.variants
        if variant.cell in costs and (accuracy := results.accuracy(variant))
    ]


def _counted(results: Results, metric: str) -> list[Point]:
    counts = {v.cell: results.count(v, metric) for v in results.variants}
    known = {cell: Estimate(n, None, None, 1) for cell, n in counts.items() if n is not None}
    return _points(results, known)


def _draw_measured(
    results: Results, metric: str, batch: int, heading: str, what: str
) -> Drawing | None:
    found = {v.cell: results.cost(v, metric, batch) for v in results.variants}
    points = _points(results, {cell: cost for cell, cost in found.items() if cost})
    where = " and on ".join(cost_machines(results))
    return _draw(results, points, heading, f"{what}, on {where}")


def _draw(results: Results, points: list[Point], heading: str, what: str) -> Drawing | None:
    if results.is_one_model or not any(point.cost.value > 0 for point in points):
        return None  # at one cost there is nothing to weigh against accuracy
    points = [point for point in points if point.cost.value > 0]  # no place on a log axis
    figure = new_figure(width_of(results, COLUMN_WIDTH), 2.7)
    axes = figure.add_subplot()
    styles = looks(results)
    front = _front(points)
    axes.plot(
        [p.cost.value for p in front], [p.accuracy.value for p in front],
        color="#888888", linestyle="--", linewidth=0.9, zorder=1, gid="front",
    )  # fmt: skip
    pen = Gathered(axes) if len(points) > MANY else axes
    for point in points:
        look = styles[series_of(results, point.variant)]
        _draw_point(pen, point, look, is_dominated=point not in front)
    if isinstance(pen, Gathered):
        pen.draw()
    log_axis(axes, "x", [x for p in points for x in _bounds(p.cost)])
    axes.set_xlabel(heading)
    axes.set_ylabel("Top-1 (%)")
    axes.margins(y=0.12)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -3), min(high, 103))  # a share has no room beyond
    is_several = len(results.factors) > 1
    lines = max(wrapped(point.variant.label, LABEL_WIDTH).count("\n") + 1 for point in points)
    has_labels = len(points) <= MOST_LABELS and (is_several or lines <= 2)
    if is_several or not has_labels:
        for name in dict.fromkeys(series_of(results, point.variant) for point in points):
            look, label = styles[name], series_label(results, name)
            axes.plot([], [], color=look.color, marker=look.marker, linestyle="none", label=label)
        add_legend(figure, *axes.get_legend_handles_labels(), 3, handletextpad=0.2)
    freeze_layout(figure)
    if has_labels:
        _label(axes, results, points, styles, is_several)
    missing = len(results.variants) - len(points)
    caption = (
        f"Top-1 on the test split ({mean_over_seeds(results)}) against {what}. Dashed: the Pareto "
        "front of the means; hollow: dominated (another cell costs no more and has a mean at least "
        "as high). Overlapping intervals show no significant difference."
    )
    if missing:
        caption += f" {missing} of {len(results.variants)} cells lack one of the two numbers."
    return Drawing(figure, caption)


def _front(points: list[Point]) -> list[Point]:
    """Points on the front by cost, with those equal to one of them in both numbers."""
    costs, accuracies = [p.cost.value for p in points], [p.accuracy.value for p in points]
    found = {(costs[i], accuracies[i]) for i in pareto_front(costs, accuracies)}
    kept = [p for p in points if (p.cost.value, p.accuracy.value) in found]
    return sorted(kept, key=lambda point: point.cost.value)


def _draw_point(axes: Axes | Gathered, point: Point, look: Look, is_dominated: bool) -> None:
    x, y = point.cost, point.accuracy
    edge, fill, width = (look.color, "white", 0.9) if is_dominated else ("white", look.color, 0.4)
    axes.errorbar(
        x.value, y.value, xerr=_error(x), yerr=_error(y), color=look.color, marker=look.marker,
        markeredgecolor=edge, markerfacecolor=fill, markeredgewidth=width, elinewidth=0.8,
        ecolor=to_rgba(look.color, DOMINATED if is_dominated else 1), capsize=1.5, capthick=0.8,
        linestyle="none", zorder=2.5 if is_dominated else 3,
    )  # fmt: skip


def _error(estimate: Estimate) -> Errors:
    if estimate.low is None or estimate.high is None:
        return None
    return np.array([[estimate.value - estimate.low], [estimate.high - estimate.value]])


def _bounds(estimate: Estimate) -> tuple[float, float]:
    low, high = estimate.low, estimate.high
    return (estimate.value if low is None else low, estimate.value if high is None else high)


def _label(
    axes: Axes, results: Results, points: list[Point], styles: dict[str, Look], is_several: bool
) -> None:
    texts = []
    for point in points:
        levels = point.variant.levels.items()
        others = {name: level for name, level in levels if name != results.series_factor}
        text = ", ".join(others.values()) if is_several else point.variant.label
        text = point.variant.label if results.single_changes else text
        texts.append(wrapped(text, LABEL_WIDTH))
    ends = [(point.cost.value, point.accuracy.value) for point in _front(points)]
    lines = [bar for point in points for bar in _bars(point)]
    lines += [(*start, *end) for start, end in pairwise(ends)]
    label_points(
        axes,
        [(p.cost.value, p.accuracy.value) for p in points],
        texts,
        [styles[series_of(results, p.variant)].color for p in points],
        lines,
        size=5.5 if is_several else 6.5,
    )


def _bars(point: Point) -> list[tuple[float, float, float, float]]:
    (left, right), (low, high) = _bounds(point.cost), _bounds(point.accuracy)
    x, y = point.cost.value, point.accuracy.value
    return [(left, y, right, y), (x, low, x, high)]
