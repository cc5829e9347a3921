"""Attention of h in a few test clips: from place to place, and from frame to frame."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from numpy.typing import NDArray

from analysis.figures.strips import GAP, MOST_WIDE, Cell, Strips, clear, kept_cells, row_grid, write
from analysis.figures.style import PAGE_WIDTH, Drawing, add_scale, width_of
from analysis.results.artifacts import Arrays
from analysis.results.results import Results

MOST_CELLS = 4
MOST_CLIPS = 2
MAP = "cividis"  # its lightness grows evenly, so that it reads in grey


def draw_attention(results: Results) -> Drawing | None:
    """The share of h's attention that each place gets; None without a cell that kept it."""
    cells = kept_cells(results, "received")[:MOST_CELLS]
    if not cells:
        return None
    width = width_of(results, PAGE_WIDTH)
    strips = Strips.of(cells[0], width, MOST_CLIPS)
    count, label, frames = strips.count, strips.labels, len(strips.shown)
    strip = min((width - label - 0.75) / (frames + 1), MOST_WIDE) * frames
    rows = count * (1 + len(cells))
    height = strips.height(strip) * rows + 0.3
    figure, grid = row_grid(width, height, rows, (label, strip, width - label - strip - 0.6))
    top = max(float(_times_even(c.first, n).max()) for n in range(count) for c in cells)
    for number in range(count):
        start = number * (1 + len(cells))
        left, middle, corner = grid[start]
        strips.show(left, middle, number)
        corner.set_axis_off()
        corner.text(
            0.5, 0, "to frame", fontsize=5, ha="center", va="bottom", transform=corner.transAxes
        )
        for line, cell in enumerate(cells, start + 1):
            left, middle, corner = grid[line]
            write(left, cell.variant.label, label)
            _show_maps(middle, _times_even(cell.first, number)[strips.shown], strips, top)
            _show_between(corner, cell.first["between"][number, -1])
    strips.number_frames(grid[0][1])
    add_scale([*grid.flat], grid[1][1].images[0], "Attention, times the even share")
    return Drawing(figure, _caption(cells, strips))


def _times_even(examples: Arrays, number: int) -> NDArray[np.float64]:
    """(T, R, C): attention of the last block that each place gets, over its even share."""
    last: NDArray[np.float64] = examples["received"][number, -1].astype(np.float64)
    even: NDArray[np.float64] = last / last.mean()
    return even


def _show_maps(axes: Axes, even: NDArray[np.float64], strips: Strips, top: float) -> None:
    """(T, R, C) side by side, each map as large as its frame."""
    height, width = strips.frames.shape[2:4]
    for i, one in enumerate(even):
        left = i * (width + GAP) - 0.5
        axes.imshow(
            one, extent=(left, left + width, height - 0.5, -0.5), cmap=MAP, aspect="equal",
            norm=PowerNorm(0.5, 0, top), interpolation="nearest",
        )  # fmt: skip
    axes.set_xlim(-0.5, len(even) * (width + GAP) - GAP - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    clear(axes)


def _show_between(axes: Axes, between: NDArray[np.float64]) -> None:
    """From each frame (row) to each (column), over what is even; white is none."""
    even = between * len(between)
    top = max(1.0, float(even.max()))
    axes.imshow(even, vmin=0, vmax=top, cmap="Greys", interpolation="nearest")
    clear(axes)
    axes.spines[:].set_visible(True)
    axes.set_ylabel("from", fontsize=5, labelpad=1)


def _caption(cells: Sequence[Cell], strips: Strips) -> str:
    seeds = sorted({min(cell.examples) for cell in cells})
    return (
        "Attention in the last block of h: above, the clip; below, for each cell whose h sees "
        "all frames, the attention that each place of each frame is paid, averaged over heads "
        "and asking places, over the even share. Right: from each frame (row) to each (column), "
        f"darker is more, a scale a matrix. {strips.words} Seed "
        f"{', '.join(map(str, seeds))}; other seeds may attend elsewhere."
    )
