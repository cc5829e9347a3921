"""Top-1 over two numeric factors."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from analysis.figures.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    Drawing,
    mean_over_seeds,
    new_figure,
    numeric_factors,
    panel_columns,
    width_of,
    wrapped,
)
from analysis.numbers import fixed
from analysis.results import Results, Variant, short_label, short_name
from analysis.statistics import Estimate

MOST_PANELS = 6
PANEL_COLUMNS = 3
TITLE_WIDTH = 26  # characters that fit above a panel
MOST_NUMBERED = 10  # levels a side; more numbers than that cannot be read


def draw_heatmap(results: Results) -> Drawing | None:
    """One map a level of the other factors; None unless two factors are numbers."""
    factors = numeric_factors(results)[:2]
    if len(factors) < 2 or not any(results.accuracy(v) for v in results.variants):
        return None
    rows, columns = factors
    panels: dict[str, list[Variant]] = {}
    for variant in results.variants:
        others = {name: level for name, level in variant.levels.items() if name not in factors}
        panels.setdefault(short_label(others) if others else "", []).append(variant)
    shown = list(panels.items())[:MOST_PANELS]
    width = width_of(results, COLUMN_WIDTH if len(shown) == 1 else PAGE_WIDTH)
    across = panel_columns(width, len(shown), PANEL_COLUMNS)
    down = -(-len(shown) // across)
    figure = new_figure(width, 0.4 + 2.1 * down)
    grid = figure.subplots(down, across, squeeze=False)
    means = [found.value for v in results.variants if (found := results.accuracy(v))]
    image = None
    for axes, (title, variants) in zip(grid.flat, shown, strict=False):
        image = _draw_map(axes, results, variants, rows, columns, (min(means), max(means)))
        axes.set_title(wrapped(title, TITLE_WIDTH))
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    assert image is not None
    bar = figure.colorbar(image, ax=list(grid.flat), shrink=0.8, pad=0.02)
    bar.set_label("Top-1 (%)")
    bar.outline.set_visible(False)
    is_known = any(found.has_interval for v in results.variants if (found := results.accuracy(v)))
    where = "; below a mean stands its interval" if is_known else ""
    caption = (
        f"Top-1 on the test split over {short_name(rows)} and {short_name(columns)} "
        f"({mean_over_seeds(results)}{where}). Empty: no result."
    )
    if len(panels) > len(shown):
        caption += f" The first {len(shown)} of {len(panels)} maps."
    return Drawing(figure, caption)


def _draw_map(
    axes: Axes, results: Results, variants: list[Variant], rows: str, columns: str,
    limits: tuple[float, float],
) -> QuadMesh:  # fmt: skip
    import seaborn  # takes a second and a half; the other figures do without

    down = sorted({v.numbers[rows] for v in variants})
    across = sorted({v.numbers[columns] for v in variants})
    means = np.full((len(down), len(across)), np.nan)
    texts = np.full(means.shape, "", dtype=object)
    for variant in variants:
        if estimate := results.accuracy(variant):
            place = down.index(variant.numbers[rows]), across.index(variant.numbers[columns])
            means[place] = estimate.value
            texts[place] = _text(estimate)
    low, high = limits
    seaborn.heatmap(
        means, ax=axes, annot=texts if max(means.shape) <= MOST_NUMBERED else None, fmt="",
        annot_kws={"fontsize": 6}, cmap="Blues", vmin=low - 0.15 * (high - low), vmax=high + 1e-9,
        cbar=False, xticklabels=[f"{x:g}" for x in across], yticklabels=[f"{y:g}" for y in down],
    )  # fmt: skip
    axes.invert_yaxis()  # the smallest level at the bottom, as on any axis
    axes.tick_params(axis="y", rotation=0)
    axes.set_xlabel(short_name(columns).capitalize())
    axes.set_ylabel(short_name(rows).capitalize())
    (mesh,) = axes.collections
    assert isinstance(mesh, QuadMesh)
    return mesh


def _text(estimate: Estimate) -> str:
    """The mean, and below it its interval, which is uneven where 0 or 100 % cuts it."""
    text = fixed(estimate.value, 1)
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text}\n[{fixed(estimate.low, 0)}, {fixed(estimate.high, 0)}]"
