"""Confusion matrices: one a cell, averaged over seeds."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.choice import choose
from analysis.figures.style import (
    PAGE_WIDTH,
    Drawing,
    add_scale,
    is_page,
    new_figure,
    panel_columns,
    panel_grid,
    seed_range,
    width_of,
    wrapped,
)
from analysis.results.artifacts import read_heads
from analysis.results.results import Results, Variant

MOST_PANELS = 12
PANEL_COLUMNS = 4
MOST_NAMED_CLASSES = 30
# Inches: a letter of a class name, and of a title; a line of titles; the scale's bar.
CHARACTER, TITLE_CHARACTER, TITLE, SCALE = 0.045, 0.065, 0.2, 0.6


def draw_confusion(results: Results) -> Drawing | None:
    """Row-normalised confusion of up to `MOST_PANELS` cells; None without predictions."""
    kept = [v for v in results.variants if results.has_artifact(v, "predictions")]
    shown, left_out = choose(results, kept, MOST_PANELS)
    read = [(variant.label, *seed_matrices(results, variant)) for variant in shown]
    found = [cell for cell in read if cell[1]]
    if not found:
        return None
    panels = [
        (label, np.mean(list(matrices.values()), axis=0), names)
        for label, matrices, names, _ in found
    ]
    figure, _, _ = draw_matrices(results, panels, "Share of the true class (%)", "Blues", (0, 100))
    return Drawing(figure, _caption(found[0][3], [len(cell[1]) for cell in found]) + left_out)


def confusion_matrix(
    labels: NDArray[np.integer], answers: NDArray[np.integer], classes: int
) -> NDArray[np.float64]:
    """Percent of each true class (row) that is given each answer (column): (K, K).

    A class without clips has a row of nan.
    """
    counts: NDArray[np.float64] = np.zeros((classes, classes))
    np.add.at(counts, (labels, answers), 1)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.full_like(counts, np.nan)
    np.divide(100 * counts, totals, out=shares, where=totals > 0)
    return shares


def seed_matrices(
    results: Results, variant: Variant
) -> tuple[dict[int, NDArray[np.float64]], list[str], str]:
    """Seed -> confusion matrix from its stored predictions; names of the classes and the head.

    Of several heads the first: of verb and noun the verb.
    """
    matrices, names, name = {}, [], ""
    for seed, arrays in results.arrays_by_seed(variant, "predictions").items():
        for head in read_heads(arrays)[:1]:
            name, names = head.name, list(head.classes)
            answers = head.scores.argmax(axis=1)
            matrices[seed] = confusion_matrix(head.labels, answers, head.scores.shape[1])
    return matrices, names, name


def draw_matrices(
    results: Results,
    panels: Sequence[tuple[str, NDArray[np.float64], list[str]]],
    scale: str,
    colours: str,
    ends: tuple[float, float],
) -> tuple[Figure, list[Axes], Colorbar]:
    """A figure of square panels (title, matrix, class names) with room for the names of classes."""
    names = panels[0][2]
    named = max(map(len, names)) if len(names) <= MOST_NAMED_CLASSES else 0
    width, room = width_of(results, PAGE_WIDTH), 0.3 + CHARACTER * named
    most = panel_columns(width, 99, PANEL_COLUMNS)
    columns = panel_columns(width, len(panels), PANEL_COLUMNS)
    rows, side = -(-len(panels) // columns), (width - room - SCALE) / most
    has_gap = rows > 1 and len(panels) % columns  # then the row above the gap is named, too
    height = (side + TITLE) * rows + room * (2 if has_gap else 1) + 0.1
    figure = new_figure(min(width, side * columns + room + SCALE), height)
    grid = panel_grid(figure, len(panels), columns)
    for i, (title, matrix, names) in enumerate(panels):
        axes = grid[i]
        axes.imshow(
            matrix,
            cmap=colours,
            vmin=ends[0],
            vmax=ends[1],
            interpolation="nearest",
            aspect="equal",
        )
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(True)
        axes.set_title(wrapped(title, max(8, round(side / TITLE_CHARACTER))))
        is_bottom = i + columns >= len(panels)
        _name_classes(axes, names, is_left=i % columns == 0, is_bottom=is_bottom)
    figure.supxlabel("Predicted class", fontsize=7.5)
    figure.supylabel("True class", fontsize=7.5)
    return figure, grid, add_scale(grid, grid[0].images[0], scale)


def _name_classes(axes: Axes, names: list[str], *, is_left: bool, is_bottom: bool) -> None:
    """Class names at the outer panels' axes, where there are few enough to read."""
    ticks = range(len(names)) if len(names) <= MOST_NAMED_CLASSES else ()
    figure = axes.get_figure(root=True)
    size = 5.5 if len(names) <= 12 and figure and is_page(figure.get_figwidth()) else 4
    # An axis without names is hidden, which spares the layout most of its time.
    axes.xaxis.set_visible(is_bottom and bool(ticks))
    axes.yaxis.set_visible(is_left and bool(ticks))
    if is_left and ticks:
        axes.set_yticks(ticks, names, fontsize=size)
    if is_bottom and ticks:
        axes.set_xticks(ticks, names, fontsize=size, rotation=90)


def _caption(head: str, seeds: list[int]) -> str:
    what = f" of the {head}" if head else ""
    return (
        f"Confusion{what} on the test split: of the clips of each true class (row), the share "
        f"given each answer (column), averaged over {seed_range(seeds)}."
    )
