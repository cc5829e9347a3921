"""Every seed as a point: top-1, and its difference to the baseline."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from analysis.figures.choice import choose
from analysis.figures.style import (
    PAGE_WIDTH,
    Drawing,
    Look,
    is_page,
    looks,
    mean_over_seeds,
    new_figure,
    row_labels,
    series_of,
    width_of,
)
from analysis.results.results import Results, Variant
from analysis.stats.estimates import Difference, Estimate

MOST_ROWS = 40
INK = "#1a1a1a"
ABOVE, SPAN = 0.34, 0.26  # rows above the interval, of the first seed; rows that all seeds take
BELOW = 0.14  # rows below the middle that the interval lies


def draw_seeds(results: Results) -> Drawing | None:
    """One row a cell: its seeds, their mean and interval; None without an accuracy."""
    known = [v for v in results.variants if results.by_seed(v, "top1")]
    shown, left_out = choose(results, known, MOST_ROWS)
    if not shown:
        return None
    has_difference = any(v.cell in results.differences for v in shown)
    width = width_of(results, PAGE_WIDTH)
    beside = has_difference and is_page(width)
    stacked = has_difference and not beside
    labels, lines = row_labels([variant.label for variant in shown], width)
    height = 0.5 + 0.21 * len(shown) + 0.1 * lines
    figure = new_figure(width, height * (2 if stacked else 1))
    grid = figure.subplots(2 if stacked else 1, 2 if beside else 1, sharey=beside, squeeze=False)
    styles, order = looks(results), _order(results, shown)
    for row, variant in enumerate(shown):
        look = styles[series_of(results, variant)]
        tops = results.by_seed(variant, "top1")
        _draw_row(grid.flat[0], row, tops, order, results.accuracy(variant), look)
        if has_difference:
            _draw_difference(grid.flat[1], row, results, variant, order, look)
    grid.flat[0].set_xlabel("Top-1 (%)")
    if has_difference:
        grid.flat[1].axvline(0, color="#555555", linewidth=0.7, zorder=1)
        grid.flat[1].set_xlabel(f"Difference to {results.baseline_label} (points)")
    for axes in grid.flat:
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
    for axes in grid.flat[:1] if beside else grid.flat:
        axes.set_yticks(range(len(shown)), labels)
        axes.set_ylim(len(shown) - 0.4, -0.6)
    return Drawing(figure, _caption(results, order, has_difference) + left_out)


def _order(results: Results, shown: Sequence[Variant]) -> dict[int, float]:
    """Seed -> rows above the middle, the same in every row."""
    seeds = sorted({seed for v in shown for seed in results.by_seed(v, "top1")})
    places = np.linspace(ABOVE, ABOVE - SPAN, len(seeds)) if len(seeds) > 1 else [ABOVE - SPAN / 2]
    return dict(zip(seeds, map(float, places), strict=True))


def _draw_row(
    axes: Axes,
    row: int,
    values: Mapping[int, float],
    order: Mapping[int, float],
    found: Estimate | Difference | None,
    look: Look,
) -> None:
    axes.plot(
        list(values.values()), [row - order[seed] for seed in values], linestyle="none",
        color=look.color, marker=look.marker, markersize=3.2, markeredgecolor="white",
        markeredgewidth=0.3, zorder=3, gid="seeds",
    )  # fmt: skip
    if found is None:
        return
    if found.low is not None and found.high is not None:
        axes.plot(
            [found.low, found.high], [row + BELOW] * 2, color=INK, linewidth=0.9, gid="interval"
        )
    axes.plot(
        [found.value], [row + BELOW], linestyle="none", marker="|", markersize=7, color=INK,
        markeredgewidth=1.4, zorder=4, gid="mean",
    )  # fmt: skip


def _draw_difference(
    axes: Axes,
    row: int,
    results: Results,
    variant: Variant,
    order: Mapping[int, float],
    look: Look,
) -> None:
    baseline = results.baseline_of(variant)
    if baseline is variant:
        axes.annotate(
            "baseline", (0, row), (3, 0), textcoords="offset points", va="center", fontsize=6,
            color="#555555",
        )  # fmt: skip
    if baseline is None or baseline is variant:
        return
    ours, theirs = results.by_seed(variant, "top1"), results.by_seed(baseline, "top1")
    values = {seed: ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())}
    _draw_row(axes, row, values, order, results.paired(variant, baseline), look)


def _caption(results: Results, order: Mapping[int, float], has_difference: bool) -> str:
    caption = f"Top-1 on the test split: every seed, and below it {mean_over_seeds(results)}."
    if len(order) > 1:
        caption += f" In each row seed {min(order)} stands highest and seed {max(order)} lowest."
    if has_difference:
        caption += " Differences are paired by seed."
    return caption
