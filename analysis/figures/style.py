"""Style of all figures: print widths, type, and one look for each variant."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, NullFormatter
from rich.cells import cell_len

from analysis.figures.fonts import BASE, readable, readable_text
from analysis.results.results import Results, Variant, short_label
from analysis.stats.format import plain, plural
from analysis.tables.notes import seed_notes

COLUMN_WIDTH = 3.3  # inches, of a two-column paper
PAGE_WIDTH = 6.9
DPI = 200
EDGE = 0.05  # inches at either end of a legend
USUAL_LEGEND = 0.45  # inches of a legend's height that figures have room for
LEGEND_CHARACTERS = 13  # an inch, so that a name with its marker fits a line
FEWEST_LETTERS = 8  # of a name's line
ROW_CHARACTERS = 5  # of a line beside a row, an inch of the figure
SCALE: dict[str, Any] = {"shrink": 0.6, "aspect": 30, "pad": 0.01}  # place of a bar of colours
LAYOUT_DIGITS = 6  # of a share of the figure, which is some 1,400 pixels wide

# Okabe & Ito, "Color Universal Design" (2008), ordered so that neighbours also differ in grey;
# their yellow is left out, it vanishes on white paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

_RC: dict[Any, Any] = {
    "font.family": [BASE],  # ships with matplotlib: the same everywhere
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "figure.dpi": DPI,
    "pdf.fonttype": 42,  # TrueType, embedded: publishers refuse Type 3
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "vlf",  # the same figure gives the same file
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Drawing:
    """A figure and the words that a reader needs beside it."""

    figure: Figure
    caption: str


@dataclass(frozen=True)
class Look:
    """Colour, marker and line of one series."""

    color: str
    marker: str
    line: Any


@contextmanager
def house_style() -> Iterator[set[str]]:
    """Draw and save inside of it; yields the characters that no installed font has."""
    with mpl.rc_context(_RC), readable_text() as missing:
        yield missing


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches that lays itself out; no global state, no window."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def width_of(results: Results, needed: float) -> float:
    """Inches that the study's `report.style` gives a figure: "auto" what it needs."""
    widths = {"single": COLUMN_WIDTH, "double": PAGE_WIDTH}
    return widths.get(results.study.report.style, needed)


def is_page(width: float) -> bool:
    """Whether a figure takes both columns of a page."""
    return width > COLUMN_WIDTH + 1


def panel_columns(width: float, panels: int, over_page: int) -> int:
    """Panels side by side: up to `over_page` over both columns, half as many in one."""
    return min(panels, over_page if is_page(width) else max(1, over_page // 2))


def freeze_layout(figure: Figure) -> None:
    """Lay out once and keep it: later draws move nothing and cost less."""
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        return  # frozen before
    engine.execute(figure)
    if _wrap_wide(figure):
        engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:  # the solver's last digits vary, and names in an SVG hash all of them
        axes.set_position(np.round(axes.get_position(original=True).bounds, LAYOUT_DIGITS))


def _wrap_wide(figure: Figure) -> bool:
    """Break titles and names of axes that reach beyond their panel's column; whether any does."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    frames = [axes.get_window_extent(renderer) for axes in figure.axes]
    changed = False
    for axes, frame in zip(figure.axes, frames, strict=True):
        right = min((one.x0 for one in frames if one.x0 >= frame.x1), default=None)
        left = max((one.x1 for one in frames if one.x1 <= frame.x0), default=None)
        ends = (
            0.0 if left is None else (left + frame.x0) / 2,
            figure.bbox.width if right is None else (frame.x1 + right) / 2,
        )
        middle = (frame.x0 + frame.x1) / 2
        room = 2 * min(middle - ends[0], ends[1] - middle)
        for text in filter(Text.get_text, (axes.title, axes.xaxis.label)):
            wide = text.get_window_extent(renderer).width
            if wide > room:
                most = int(0.95 * max(map(len, text.get_text().split("\n"))) * room / wide)
                text.set_text(wrapped(text.get_text(), max(8, most)))
                changed = True
    return changed


def add_legend(
    figure: Figure, handles: Sequence[Artist], names: Sequence[str], columns: int, **style: Any
) -> None:
    """A legend above all panels, in up to so many columns, as wide as the figure has room for.

    The figure grows by what the legend takes beyond `USUAL_LEGEND`.
    """
    most = (figure.get_figwidth() - 2 * EDGE) * figure.dpi
    letters = round(LEGEND_CHARACTERS * most / figure.dpi)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    count = max(1, min(columns, len(names)))
    while True:
        legend = figure.legend(
            handles, [wrapped(name, letters) for name in names], loc="outside upper center",
            ncols=count, **{"columnspacing": 1.0, **style},
        )  # fmt: skip
        size = legend.get_window_extent(renderer)
        if size.width <= most or letters <= FEWEST_LETTERS:
            break
        legend.remove()
        if count > 1:
            count -= 1
        else:  # wide letters
            letters = max(FEWEST_LETTERS, int(0.95 * letters * most / size.width))
    extra = math.ceil(100 * (size.height / figure.dpi - USUAL_LEGEND)) / 100
    if extra > 0:
        figure.set_figheight(figure.get_figheight() + extra)


def row_labels(names: Sequence[str], width: float) -> tuple[list[str], int]:
    """Names of rows in up to half a figure of so many inches, and the lines that rows need more.

    Rows are equally high, so all need as many as the one with the longest name.
    """
    labels = [wrapped(name, round(ROW_CHARACTERS * width)) for name in names]
    return labels, len(labels) * max(label.count("\n") for label in labels)


def panel_grid(figure: Figure, panels: int, columns: int, **shared: Any) -> list[Axes]:
    """Axes in so many columns, row by row; those beyond the panels are hidden."""
    rows = -(-panels // columns)
    grid: list[Axes] = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for axes in grid[panels:]:
        axes.set_axis_off()
    return grid


def add_scale(grid: Sequence[Axes], colours: Any, label: str, **place: Any) -> Colorbar:
    """A bar of colours beside all panels, without a frame."""
    figure = grid[0].get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(colours, ax=list(grid), **{**SCALE, **place})
    bar.set_label(label)
    bar.outline.set_visible(False)
    return bar


def series_label(results: Results, level: str) -> str:
    """A series in a legend."""
    factor = results.series_factor
    return short_label({factor: level}) if factor else level


def series_of(results: Results, variant: Variant) -> str:
    """The level by which a cell is coloured."""
    return variant.levels.get(results.series_factor or "", "")


def looks(results: Results) -> dict[str, Look]:
    """Series -> look, in the order of the study file: the same in every figure of a study."""
    planned = [one.label for one in results.study.factors.get(results.series_factor or "", ())]
    met = [series_of(results, variant) for variant in results.variants]
    names = list(dict.fromkeys([*planned, *met]))
    return {
        name: Look(
            COLORS[i % len(COLORS)],
            MARKERS[i % len(MARKERS)],
            LINES[(i + i // len(COLORS)) % len(LINES)],
        )
        for i, name in enumerate(names)
    }


def plain_number(value: float, _position: object = None) -> str:
    """A tick label without exponents: 2e7 -> "20 M", 0.5 -> "0.5"."""
    return plain(value)


def log_axis(axes: Axes, which: str, values: Sequence[float]) -> None:
    """A log axis with a few plain round ticks, also where it spans less than a decade."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = min(values) / 1.25, max(values) * 1.25
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    for steps in (
        (1,),
        (1, 3),
        (1, 2, 5),
        (1, 1.5, 2, 3, 5, 7),
        (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    ):
        ticks = [s * 10.0**k for k in range(-12, 16) for s in steps if low <= s * 10.0**k <= high]
        if len(ticks) >= 3:
            break
    axis.set_ticks(ticks)
    axis.set_minor_formatter(NullFormatter())
    axis.set_ticks([], minor=True)
    axis.set_major_formatter(FuncFormatter(plain_number))


def mean_over_seeds(results: Results) -> str:
    """Words for a drawn accuracy: "mean and 95 % t interval over 3 seeds", or for a single seed."""
    found = [len(results.by_seed(variant, "top1")) for variant in results.variants]
    known = [seeds for seeds in found if seeds]
    if max(known, default=0) < 2:
        return "one seed: no interval"
    equal = any(seed_notes(results, results.accuracy(variant)) for variant in results.variants)
    if results.study.race is not None:
        words = f"mean and 95 % confidence sequence over {seed_range(known)}"
        return words + ", none where too few" * equal
    return f"mean and 95 % t interval over {seed_range(known)}" + ", none where they agree" * equal


def seed_range(counts: Sequence[int]) -> str:
    """Text such as "1 seed", "3 seeds", "2 to 3 seeds"."""
    fewest, most = min(counts), max(counts)
    return plural(most, "seed") if fewest == most else f"{fewest} to {most} seeds"


def wrapped(text: str, width: int) -> str:
    """A label in lines of up to so many characters, however long its words are.

    A character that takes two columns of a terminal, as Chinese ones do, counts twice.
    """
    text = readable(text)  # code points take more room
    narrow = len(text) / max(len(text), cell_len(text)) if text else 1.0
    return "\n".join(textwrap.wrap(text, max(1, int(width * narrow))))
