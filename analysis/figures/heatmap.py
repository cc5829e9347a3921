"""Top-1 over two numeric factors."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from analysis.figures.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    Drawing,
    mean_over_seeds,
    new_figure,
    numeric_factors,
    wrapped,
)
from analysis.numbers import fixed
from analysis.results import Results, Variant, short_label, short_name

MOST_PANELS = 6
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
    width = COLUMN_WIDTH if len(shown) == 1 else PAGE_WIDTH
    figure = new_figure(width, 2.5 if len(shown) < 4 else 4.6)
    grid = figure.subplots(1 + (len(shown) > 3), min(len(shown), 3), squeeze=False)
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
    caption = (
        f"Top-1 on the test split over {short_name(rows)} and {short_name(columns)} "
        f"({mean_over_seeds(results)}; below a mean stands half of its interval). Empty: no result."
    )
    if len(panels) > len(shown):
        caption += f" The first {len(shown)} of {len(panels)} maps."
    return Drawing(figure, caption)


def _draw_map(
    axes: Axes, results: Results, variants: list[Variant], rows: str, columns: str,
    limits: tuple[float, float],
) -> AxesImage:  # fmt: skip
    down = sorted({v.numbers[rows] for v in variants})
    across = sorted({v.numbers[columns] for v in variants})
    means = np.full((len(down), len(across)), np.nan)
    halves = np.full_like(means, np.nan)
    for variant in variants:
        if estimate := results.accuracy(variant):
            place = down.index(variant.numbers[rows]), across.index(variant.numbers[columns])
            means[place] = estimate.value
            halves[place] = np.nan if estimate.high is None else estimate.high - estimate.value
    low, high = limits
    image = axes.imshow(
        means, cmap="Blues", vmin=low - 0.15 * (high - low), vmax=high + 1e-9, aspect="auto",
        origin="lower",
    )  # fmt: skip
    axes.grid(visible=False)
    axes.set_xticks(range(len(across)), [f"{x:g}" for x in across])
    axes.set_yticks(range(len(down)), [f"{y:g}" for y in down])
    axes.set_xlabel(short_name(columns).capitalize())
    axes.set_ylabel(short_name(rows).capitalize())
    if max(means.shape) <= MOST_NUMBERED:
        _write_numbers(axes, means, halves, (low + high) / 2)
    return image


def _write_numbers(axes: Axes, means: np.ndarray, halves: np.ndarray, middle: float) -> None:
    for (row, column), mean in np.ndenumerate(means):
        if np.isnan(mean):
            continue
        half = float(halves[row, column])
        text = fixed(float(mean), 1) + ("" if np.isnan(half) else f"\n± {fixed(half, 1)}")
        color = "white" if mean > middle else "black"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=6)
