"""Validation top-1 by epoch, with the spread over seeds."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    Drawing,
    Look,
    add_legend,
    is_page,
    looks,
    new_figure,
    panel_columns,
    panel_grid,
    seed_range,
    series_label,
    series_of,
    width_of,
    wrapped,
)
from analysis.results.results import Results, Variant

MOST_PANELS = 12
PANEL_COLUMNS = 4
TITLE_WIDTH = 24  # characters that fit above a panel


def draw_training_curves(results: Results) -> Drawing | None:
    """Mean and range over seeds, one line a series, one panel a level of the other factors.

    None where no validation curve was kept.
    """
    curves = {v.cell: found for v in results.variants if (found := _curves(results, v))}
    panels = _panels(results, [v for v in results.variants if v.cell in curves])
    shown = list(panels.items())[:MOST_PANELS]
    if not shown:
        return None
    width = width_of(results, COLUMN_WIDTH if len(shown) == 1 else PAGE_WIDTH)
    columns = panel_columns(width, len(shown), PANEL_COLUMNS)
    rows = -(-len(shown) // columns)
    figure = new_figure(width, 0.5 + (2.3 if rows == 1 else 1.6 * rows))
    grid = panel_grid(figure, len(shown), columns, sharex=True, sharey=True)
    styles = looks(results)
    drawn: dict[str, Look] = {}
    for axes, (title, variants) in zip(grid, shown, strict=False):
        axes.set_title(wrapped(title, TITLE_WIDTH))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        for variant in variants:
            name = series_of(results, variant)
            drawn[name] = styles[name]
            _draw_curve(axes, curves[variant.cell], styles[name])
    if all(len(epoch) == 1 for found in curves.values() for epoch, _ in found):
        grid[0].set_xlim(0.5, 1.5)
    for axes in grid[max(0, len(shown) - columns) : len(shown)]:  # also above a gap
        axes.tick_params(axis="x", labelbottom=True)
    figure.supxlabel("Epoch", fontsize=7.5)
    figure.supylabel("Validation top-1 (%)", fontsize=7.5)
    _add_legend(figure, results, drawn, 7 if is_page(width) else 3)
    seeds = [len(found) for found in curves.values()]
    caption = "Top-1 on the validation split after each epoch (one seed: no spread)."
    if max(seeds) > 1:
        caption = (
            f"Top-1 on the validation split after each epoch: mean over {seed_range(seeds)}; the "
            "band is their range, from the lowest to the highest."
        )
    if len(panels) > len(shown):
        caption += f" The first {len(shown)} of {len(panels)} panels."
    return Drawing(figure, caption)


def _curves(results: Results, variant: Variant) -> list[tuple[NDArray[np.float64], ...]]:
    """Epochs and validation top-1 of every seed that has any."""
    found: list[tuple[NDArray[np.float64], ...]] = []
    for arrays in results.arrays(variant, "curves"):
        epoch, top1 = arrays.get("epoch"), arrays.get("val_top1")
        if epoch is None or top1 is None or len(epoch) != len(top1):
            continue
        finite = np.isfinite(top1)
        if finite.any():
            found.append((epoch[finite].astype(float), top1[finite].astype(float)))
    return found


def _panels(results: Results, variants: Sequence[Variant]) -> dict[str, list[Variant]]:
    panels: dict[str, list[Variant]] = {}
    for variant in variants:
        levels = variant.levels.items()
        others = {name: level for name, level in levels if name != results.series_factor}
        panels.setdefault(results.name(others) if others else "", []).append(variant)
    return panels


def _draw_curve(axes: Axes, curves: list[tuple[NDArray[np.float64], ...]], look: Look) -> None:
    shared = sorted(set.intersection(*(set(epoch) for epoch, _ in curves)))
    values = np.array([top1[np.isin(epoch, shared)] for epoch, top1 in curves])  # (seeds, epochs)
    every = max(1, len(shared) // 6)
    axes.plot(
        shared, values.mean(axis=0), color=look.color, linestyle=look.line, marker=look.marker,
        markevery=every, markersize=3.2, markeredgecolor="white", markeredgewidth=0.3,
    )  # fmt: skip
    if len(curves) > 1:
        axes.fill_between(
            shared, values.min(axis=0), values.max(axis=0), color=look.color, alpha=0.18,
            linewidth=0,
        )  # fmt: skip


def _add_legend(figure: Figure, results: Results, drawn: dict[str, Look], columns: int) -> None:
    if len(drawn) < 2:
        return
    axes = figure.axes[0]
    for name, look in drawn.items():
        axes.plot(
            [], [], color=look.color, linestyle=look.line, marker=look.marker, markersize=3.2,
            label=series_label(results, name),
        )  # fmt: skip
    add_legend(figure, *axes.get_legend_handles_labels(), columns, handlelength=2.4)
