"""Differences between a cell's confusions and its baseline's."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.figures.choice import choose
from analysis.figures.confusion import MOST_PANELS, draw_matrices, seed_matrices
from analysis.figures.style import Drawing, seed_range
from analysis.results.results import Results, Variant
from analysis.stats.format import MINUS, signed

# Of the scale's end: entries this large carry their sign, for those who see grey.
SIGNED_FROM = 0.25
MOST_SIGNED = 15  # classes; signs of more cannot be read

Floats = NDArray[np.float64]
Matrices = tuple[dict[int, Floats], list[str], str]  # by seed; names of classes and head


@dataclass(frozen=True)
class Panel:
    """A cell less its baseline: (K, K) points, averaged over seeds, and the error of an entry."""

    variant: Variant
    matrix: Floats
    names: list[str]
    seeds: int
    error: float | None


def draw_confusion_difference(results: Results) -> Drawing | None:
    """Cell minus baseline in up to `MOST_PANELS` cells; None without predictions of both."""
    kept = [
        variant
        for variant in results.variants
        if results.has_artifact(variant, "predictions")
        and results.baseline_of(variant) not in (None, variant)
    ]
    chosen, left_out = choose(results, kept, MOST_PANELS)
    read: dict[str, Matrices] = {}  # baselines are asked for again and again
    shown = [panel for one in chosen if (panel := _panel(results, one, read))]
    if not shown:
        return None
    end = max(1.0, max(float(np.nanmax(np.abs(panel.matrix))) for panel in shown))
    panels = [(panel.variant.label, panel.matrix, panel.names) for panel in shown]
    figure, grid, bar = draw_matrices(
        results, panels, "Points of the true class", "PuOr_r", (-end, end)
    )
    bar.ax.yaxis.set_major_formatter(lambda value, _: signed(value, 0))
    for axes, panel in zip(grid, shown, strict=False):
        _sign(axes, panel.matrix, end)
    return Drawing(figure, _caption(results, shown) + left_out)


def _panel(results: Results, variant: Variant, read: dict[str, Matrices]) -> Panel | None:
    baseline = results.baseline_of(variant)
    if baseline is None or baseline is variant:
        return None
    if baseline.cell not in read:
        read[baseline.cell] = seed_matrices(results, baseline)
    (ours, names, _), (theirs, others, _) = seed_matrices(results, variant), read[baseline.cell]
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds or names != others:
        return None
    each = np.array([ours[seed] - theirs[seed] for seed in seeds])
    error = None
    if len(seeds) > 1:  # root mean square over entries of the standard error over seeds
        error = float(np.sqrt(np.nanmean(each.var(axis=0, ddof=1)) / len(seeds)))
    return Panel(variant, each.mean(axis=0), names, len(seeds), error)


def _sign(axes: Axes, matrix: Floats, end: float) -> None:
    if len(matrix) > MOST_SIGNED:
        return
    for row, column in np.argwhere(np.abs(np.nan_to_num(matrix)) >= SIGNED_FROM * end):
        value = matrix[row, column]
        dark = abs(value) > 0.6 * end
        axes.text(
            column, row, "+" if value > 0 else MINUS, ha="center", va="center", fontsize=5,
            color="white" if dark else "black",
        )  # fmt: skip


def _caption(results: Results, shown: list[Panel]) -> str:
    count = seed_range([panel.seeds for panel in shown])
    caption = (
        f"Confusion less that of {results.baseline_label}: of the clips of each true class (row), "
        f"how many points more (+) or fewer ({MINUS}) get each answer (column), over {count}, "
        "paired."
    )
    errors = [panel.error for panel in shown if panel.error is not None]
    if errors:
        low, high = min(errors), max(errors)
        size = f"{low:.0f}" if f"{low:.0f}" == f"{high:.0f}" else f"{low:.0f} to {high:.0f}"
        caption += (
            f" An entry's standard error over seeds is about {size} points (root mean square of a "
            "panel); entries are not tested, classes are in the table of changes."
        )
    else:
        caption += " One seed: nothing is known of the noise in an entry."
    return caption
