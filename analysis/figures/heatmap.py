"""Top-1 over two numeric factors."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from numpy.typing import NDArray

from analysis.figures.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    Drawing,
    add_scale,
    mean_over_seeds,
    new_figure,
    panel_columns,
    panel_grid,
    width_of,
    wrapped,
)
from analysis.results.results import Results, Variant, short_name
from analysis.stats.estimates import Estimate
from analysis.stats.format import fixed

MOST_PANELS = 6
PANEL_COLUMNS = 3
TITLE_WIDTH = 26  # characters that fit above a panel
MOST_SQUARES = 2500  # of a map that is drawn as shapes; more are pixels in PDF and SVG, too
TALL = 2.1  # inches of a panel, and what of it lies below the map
BELOW = 0.5
BAR, BESIDE = 0.65, 0.4  # inches beside all panels, and beside each map
DIGIT, LETTER, LINE = 0.055, 0.042, 0.1  # inches of a digit, of an interval's character, of a line
LIGHT = 0.19  # luminance on which white and dark ink are read alike; dark on what is lighter


def draw_heatmap(results: Results) -> Drawing | None:
    """One map a level of the other factors; None unless two factors are numbers and crossed."""
    factors = results.numeric_factors[:2]
    known = {v.cell: found for v in results.variants if (found := results.accuracy(v))}
    if len(factors) < 2 or not known:
        return None
    rows, columns = factors
    panels: dict[str, list[Variant]] = {}
    for variant in results.variants:
        others = {name: level for name, level in variant.levels.items() if name not in factors}
        panels.setdefault(results.name(others) if others else "", []).append(variant)
    if not any(_is_crossed(cells, factors) for cells in panels.values()):
        return None
    shown = list(panels.items())[:MOST_PANELS]
    width = width_of(results, COLUMN_WIDTH if len(shown) == 1 else PAGE_WIDTH)
    across = panel_columns(width, len(shown), PANEL_COLUMNS)
    figure = new_figure(width, 0.4 + TALL * -(-len(shown) // across))
    grid = panel_grid(figure, len(shown), across)
    room = (width - BAR) / across - BESIDE, TALL - BELOW
    most = [len(_levels(results.variants, name)) for name in (columns, rows)]
    texts = _texts(known, room[0] / most[0], room[1] / most[1])
    for axes, (title, variants) in zip(grid, shown, strict=False):
        _draw_map(axes, variants, factors, known, texts)
        _name_levels(axes, variants, factors, room)
        axes.set_title(wrapped(title, TITLE_WIDTH))
    add_scale(grid, grid[0].collections[0], "Top-1 (%)", shrink=0.8, aspect=20, pad=0.02)
    where = "; below a mean stands its interval" if any("\n" in x for x in texts.values()) else ""
    caption = (
        f"Top-1 on the test split over {short_name(rows)} and {short_name(columns)} "
        f"({mean_over_seeds(results)}{where}). Empty: no result."
        + ("" if texts else " The numbers stand in the main table.")
    )
    if len(panels) > len(shown):
        caption += f" The first {len(shown)} of {len(panels)} maps."
    return Drawing(figure, caption)


def _is_crossed(variants: Sequence[Variant], factors: Sequence[str]) -> bool:
    """Whether two levels of one factor are met at each of two levels of the other."""
    rows, columns = factors
    at: dict[float, set[float]] = {}
    for variant in variants:
        at.setdefault(variant.numbers[rows], set()).add(variant.numbers[columns])
    return any(len(one & other) > 1 for one, other in combinations(at.values(), 2))


def _draw_map(
    axes: Axes, variants: Sequence[Variant], factors: Sequence[str], known: Mapping[str, Estimate],
    texts: Mapping[str, str],
) -> None:  # fmt: skip
    """Rows and columns are the two factors' levels; `known` is of all maps, and sets the scale."""
    import seaborn  # takes a second and a half; the other figures do without

    down, across = (_levels(variants, name) for name in factors)
    means = np.full((len(down), len(across)), np.nan)
    for variant in variants:
        if variant.cell in known:
            row, column = (variant.numbers[name] for name in factors)
            means[down.index(row), across.index(column)] = known[variant.cell].value
    low, high = (end(one.value for one in known.values()) for end in (min, max))
    # The smallest level is at the bottom, as on any axis.
    seaborn.heatmap(
        means, ax=axes, cmap="Blues", vmin=low - 0.15 * (high - low), vmax=high + 1e-9, cbar=False,
        xticklabels=False, yticklabels=False, rasterized=means.size > MOST_SQUARES,
    )  # fmt: skip
    axes.invert_yaxis()
    (mesh,) = axes.collections
    assert isinstance(mesh, QuadMesh)
    for variant in variants:
        if variant.cell in texts:
            row, column = (variant.numbers[name] for name in factors)
            axes.text(
                across.index(column) + 0.5, down.index(row) + 0.5, texts[variant.cell],
                ha="center", va="center", fontsize=6,
                color=_ink(mesh.to_rgba(np.array(known[variant.cell].value))),
            )  # fmt: skip
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _levels(variants: Sequence[Variant], factor: str) -> list[float]:
    return sorted({variant.numbers[factor] for variant in variants})


def _name_levels(
    axes: Axes, variants: Sequence[Variant], factors: Sequence[str], room: tuple[float, float]
) -> None:
    """Label both axes of a map of a given size in inches, as far as labels fit."""
    down, across = ([f"{x:g}" for x in _levels(variants, name)] for name in factors)
    axes.set_xticks(*_fitting(across, (max(map(len, across)) + 1) * DIGIT, room[0]))
    axes.set_yticks(*_fitting(down, LINE, room[1]))
    axes.set_xlabel(short_name(factors[1]).capitalize())
    axes.set_ylabel(short_name(factors[0]).capitalize())


def _fitting(names: list[str], needed: float, room: float) -> tuple[list[float], list[str]]:
    """Places and names of evenly spaced levels, each of which has the inches that it needs."""
    every = max(1, math.ceil(needed * len(names) / room))
    return [place + 0.5 for place in range(0, len(names), every)], names[::every]


def _texts(known: Mapping[str, Estimate], width: float, height: float) -> dict[str, str]:
    """The mean of each cell and below it its interval, as far as its square of inches has room.

    The interval is uneven where 0 or 100 % cuts it.
    """
    means = {cell: fixed(one.value, 1) for cell, one in known.items()}
    spreads = {
        cell: f"[{fixed(one.low, 0)}, {fixed(one.high, 0)}]"
        for cell, one in known.items()
        if one.low is not None and one.high is not None
    }
    if max(map(len, means.values())) * DIGIT > width or height < LINE:
        return {}
    if max(map(len, spreads.values()), default=0) * LETTER > width or height < 2 * LINE:
        return means
    return {cell: f"{text}\n{spreads.get(cell, '')}".rstrip() for cell, text in means.items()}


def _ink(rgba: NDArray[np.float64]) -> str:
    """Text colour on a background, by its luminance (WCAG 2)."""
    linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in rgba[:3]]
    return "0.15" if np.dot(linear, (0.2126, 0.7152, 0.0722)) > LIGHT else "white"
