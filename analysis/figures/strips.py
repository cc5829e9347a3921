"""Frames of test clips in strips, for the figures that show what models see.

The clips are those that training runs kept (`run.examples` of the study file).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from analysis.figures.style import is_page, new_figure, wrapped
from analysis.results.artifacts import Arrays, read_heads
from analysis.results.results import Results, Variant

MOST_FRAMES = 8  # in a strip; of more, evenly spaced ones
MOST_WIDE = 0.62  # inches of a frame
MOST_LOOKED_AT = 64  # cells whose files are read
GAP = 2  # pixels between frames
CHARACTERS = 16  # an inch, of labels
PAGE_LABELS, COLUMN_LABELS = 0.95, 0.6  # inches, at the left of a strip

Grid = NDArray[Any]  # of axes: (rows, columns)


@dataclass(frozen=True)
class Cell:
    """A cell's kept examples and its answers, by seed."""

    variant: Variant
    examples: dict[int, Arrays]
    predictions: dict[int, Arrays]

    @property
    def first(self) -> Arrays:
        """The examples of its first seed."""
        return self.examples[min(self.examples)]

    @property
    def class_names(self) -> list[str]:
        """Names of classes; the verbs for verbs and nouns."""
        arrays = next(iter(self.predictions.values()), {})
        return [name for head in read_heads(arrays)[:1] for name in head.classes]


@dataclass(frozen=True)
class Strips:
    """Clips as the rows of a figure.

    Attributes:
        frames: (clips, T, h, w, 3).
        names: Of each clip's class.
        shown: The frames that a strip has, evenly spaced, the first and the last among them.
        labels: Inches at the left of a strip.
    """

    frames: NDArray[np.uint8]
    names: list[str]
    shown: list[int]
    labels: float

    @classmethod
    def of(cls, cell: Cell, width: float, most_clips: int) -> "Strips":
        """The first clips that a cell kept, for a figure of so many inches."""
        kept, names = cell.first, cell.class_names
        most = MOST_FRAMES if is_page(width) else MOST_FRAMES // 2
        times = kept["frames"].shape[1]
        places = np.linspace(0, times - 1, min(times, most)).round().astype(int).tolist()
        labels = [int(label) for label in kept["labels"][:most_clips]]
        return cls(
            kept["frames"][:most_clips],
            [class_name(names, label) for label in labels],
            list(dict.fromkeys(places)),
            PAGE_LABELS if is_page(width) else COLUMN_LABELS,
        )

    @property
    def count(self) -> int:
        """Clips."""
        return len(self.frames)

    @property
    def words(self) -> str:
        """Words for a caption."""
        times = self.frames.shape[1]
        if len(self.shown) < times:
            return f"{len(self.shown)} of {times} frames, numbered."
        return "Frames are numbered."

    def height(self, width: float) -> float:
        """Inches of a row whose strip has so many, which its frames fill."""
        height, wide = self.frames.shape[2:4]
        return float(width * height / (len(self.shown) * (wide + GAP) - GAP)) + 0.06

    def show(self, label: Axes, strip: Axes, number: int) -> None:
        """A clip: its class in bold, and its frames side by side with white between them."""
        write(label, self.names[number], self.labels, bold=True)
        frames = self.frames[number][self.shown]
        padded = np.pad(frames, ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=255)
        joined = np.concatenate(list(padded), axis=1)[:, :-GAP]
        strip.imshow(joined, interpolation="nearest", aspect="equal")
        clear(strip)

    def number_frames(self, strip: Axes) -> None:
        """Above a strip."""
        width = self.frames.shape[3]
        places = [(width + GAP) * i + width / 2 - 0.5 for i in range(len(self.shown))]
        strip.set_xticks(places, [str(time + 1) for time in self.shown], fontsize=6)
        strip.tick_params(
            axis="x", top=True, bottom=False, labeltop=True, labelbottom=False, length=0
        )


def kept_cells(results: Results, needed: str) -> list[Cell]:
    """The most cells that kept the same clips and, of each, the array `needed`.

    Of equally many, those whose clips have most frames.
    """
    groups: list[list[Cell]] = []
    for variant in results.variants[:MOST_LOOKED_AT]:
        kept = results.arrays_by_seed(variant, "examples")
        kept = {seed: one for seed, one in kept.items() if len(one.get("index", ()))}
        if not kept or needed not in kept[min(kept)]:
            continue
        cell = Cell(variant, kept, results.arrays_by_seed(variant, "predictions"))
        for group in groups:
            pairs = (
                (group[0].first[key], cell.first[key]) for key in ("index", "labels", "frames")
            )
            if all(np.array_equal(one, other) for one, other in pairs):
                group.append(cell)
                break
        else:
            groups.append([cell])
    frames = [(len(group), group[0].first["frames"].shape[1]) for group in groups]
    return groups[frames.index(max(frames))] if groups else []


def row_grid(
    width: float,
    height: float,
    rows: int,
    ratios: Sequence[float],
    heights: Sequence[float] | None = None,
) -> tuple[Figure, Grid]:
    """A figure of rows that stand close to each other."""
    figure = new_figure(width, height)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid: Grid = figure.subplots(
        rows, len(ratios), squeeze=False, width_ratios=ratios, height_ratios=heights
    )
    return figure, grid


def class_name(names: Sequence[str], number: int) -> str:
    """Name of a class in the predictions, else its number."""
    return names[number] if number < len(names) else f"class {number}"


def write(axes: Axes, text: str, room: float, bold: bool = False) -> None:
    """A label in a column of so many inches."""
    axes.set_axis_off()
    axes.text(
        0, 0.5, wrapped(text, max(8, round(room * CHARACTERS))), ha="left", va="center", fontsize=6,
        transform=axes.transAxes, fontweight="bold" if bold else "normal",
    )  # fmt: skip


def clear(axes: Axes) -> None:
    """No ticks, no frame, at the left of its place."""
    axes.set_anchor("W")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
