"""A few test clips: what the data look like and what each cell answers, and where h attends.

The frames and the attention are those that training runs kept (`run.examples` of the study file).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from analysis.figures.style import PAGE_WIDTH, Drawing, is_page, new_figure, width_of, wrapped
from analysis.heads import read_heads
from analysis.results import Results, Variant

MOST_CLIPS = 4
MOST_FRAMES = 8  # in a strip; of more, evenly spaced ones
MOST_CELLS = 8  # answers beside a clip
MOST_WIDE = 0.62  # inches of a frame
MOST_LOOKED_AT = 64  # cells whose files are read
MOST_ATTENDING = 4  # cells of the figure of attention
ATTENDED_CLIPS = 2
RIGHT, WRONG = "\N{CHECK MARK}", "\N{BALLOT X}"
MAP = "cividis"  # its lightness grows evenly, so that it reads in grey
LINE = 0.105  # inches, of an answer
GAP = 2  # pixels between frames
CHARACTERS, SMALL = 16, 22  # an inch, of labels and of answers

Arrays = dict[str, NDArray[Any]]


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


def draw_clips(results: Results) -> Drawing | None:
    """Strips of frames with their label and every cell's answer; None where none were kept."""
    cells = _cells(results, "frames")[:MOST_CELLS]
    if not cells:
        return None
    first = cells[0].first
    count = min(MOST_CLIPS, len(first["index"]))
    width = width_of(results, PAGE_WIDTH)
    title, text, most = _room(width)
    shown = _times(first, most)
    strip = min(width - text - title, MOST_WIDE * len(shown))
    beside = is_page(width)  # in a column the answers stand below their clip
    room = width - title - (strip if beside else 0)
    names = _class_names(cells[0])
    answers = [_answer_lines(cells, names, number, room) for number in range(count)]
    tall, lines = _height(first, shown, strip) + 0.06, LINE * (max(map(len, answers)) + 0.5)
    rows = count if beside else 2 * count
    height = (max(tall, lines) if beside else tall + lines) * count + 0.2
    ratios, heights = ([title, strip, room], [1.0] * count) if beside else ([title, room], None)
    figure, grid = _grid(width, height, rows, ratios, heights or [tall, lines] * count)
    for number in range(count):
        label, middle, *rest = grid[number if beside else 2 * number]
        _write(label, _name(names, int(first["labels"][number])), title, bold=True)
        _show_strip(middle, first["frames"][number][shown], GAP)
        if not beside:
            blank, below = grid[2 * number + 1]
            blank.set_axis_off()
            rest = [below]
        _write_answers(rest[0], answers[number])
    _number_frames(grid[0][1], first["frames"].shape[3], shown)
    return Drawing(figure, _clips_caption(cells, first, len(shown), len(results.variants)))


def draw_attention(results: Results) -> Drawing | None:
    """The share of h's attention that each place gets; None without a cell that kept it."""
    cells = _cells(results, "received")[:MOST_ATTENDING]
    if not cells:
        return None
    first = cells[0].first
    count = min(ATTENDED_CLIPS, len(first["index"]))
    width = width_of(results, PAGE_WIDTH)
    title, _, most = _room(width)
    shown = _times(first, most)
    strip = min((width - title - 0.75) / (len(shown) + 1), MOST_WIDE) * len(shown)
    row, rows = _height(first, shown, strip) + 0.06, count * (1 + len(cells))
    figure, grid = _grid(width, row * rows + 0.3, rows, (title, strip, width - title - strip - 0.6))
    top = max(float(_times_even(c.first, n).max()) for n in range(count) for c in cells)
    names = _class_names(cells[0])
    for number in range(count):
        label, middle, corner = grid[number * (1 + len(cells))]
        _write(label, _name(names, int(first["labels"][number])), title, bold=True)
        _show_strip(middle, first["frames"][number][shown], GAP)
        corner.set_axis_off()
        corner.text(
            0.5, 0, "to frame", fontsize=5, ha="center", va="bottom", transform=corner.transAxes
        )
        for line, cell in enumerate(cells, number * (1 + len(cells)) + 1):
            label, middle, corner = grid[line]
            _write(label, cell.variant.label, title)
            _show_maps(middle, _times_even(cell.first, number)[shown], first, top)
            _show_between(corner, cell.first["between"][number, -1])
    _number_frames(grid[0][1], first["frames"].shape[3], shown)
    _add_scale(figure, list(grid.flat), grid[1][1].images[0])
    return Drawing(figure, _attention_caption(cells, first, len(shown)))


def _room(width: float) -> tuple[float, float, int]:
    """Inches for labels at the left and for text at the right, and how many frames a strip has."""
    return (0.95, 2.2, MOST_FRAMES) if is_page(width) else (0.6, 0.0, MOST_FRAMES // 2)


def _grid(
    width: float,
    height: float,
    rows: int,
    ratios: Sequence[float],
    heights: Sequence[float] | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """A figure of rows that stand close to each other."""
    figure = new_figure(width, height)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid = figure.subplots(
        rows, len(ratios), squeeze=False, width_ratios=ratios, height_ratios=heights
    )
    return figure, grid


def _height(examples: Arrays, shown: Sequence[int], strip: float) -> float:
    """Of a strip of so many inches, which its frames fill."""
    height, width = examples["frames"].shape[2:4]
    return float(strip * height / (len(shown) * (width + GAP) - GAP))


def _cells(results: Results, needed: str) -> list[Cell]:
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
        same = [group for group in groups if _is_same(group[0].first, cell.first)]
        if same:
            same[0].append(cell)
        else:
            groups.append([cell])
    if not groups:
        return []
    return max(groups, key=lambda group: (len(group), group[0].first["frames"].shape[1]))


def _is_same(one: Arrays, other: Arrays) -> bool:
    keys = ("index", "labels", "frames")
    return all(np.array_equal(one[key], other[key]) for key in keys)


def _class_names(cell: Cell) -> list[str]:
    arrays = next(iter(cell.predictions.values()), {})
    return [name for head in read_heads(arrays)[:1] for name in head.classes]


def _times(examples: Arrays, most: int) -> list[int]:
    """Frames that are shown, evenly spaced, the first and the last among them."""
    frames = examples["frames"].shape[1]
    places = np.linspace(0, frames - 1, min(frames, most)).round().astype(int)
    return list(dict.fromkeys(places.tolist()))


def _name(names: Sequence[str], number: int) -> str:
    return names[number] if number < len(names) else f"class {number}"


def answers_to(cell: Cell, index: int) -> Counter[int]:
    """Class number -> how many seeds give it as the answer to the test clip of that index."""
    found: Counter[int] = Counter()
    for arrays in cell.predictions.values():
        for head in read_heads(arrays)[:1]:  # of verb and noun the verb
            if index < len(head.scores):
                found[int(head.scores[index].argmax())] += 1
    return found


def _show_strip(axes: Axes, frames: NDArray[np.uint8], gap: int) -> None:
    """Frames (T, h, w, 3) side by side, with white between them."""
    padded = np.pad(frames, ((0, 0), (0, 0), (0, gap), (0, 0)), constant_values=255)
    strip = np.concatenate(list(padded), axis=1)[:, :-gap]
    axes.imshow(strip, interpolation="nearest", aspect="equal")
    _clear(axes)


def _number_frames(axes: Axes, width: int, shown: Sequence[int]) -> None:
    places = [(width + GAP) * i + width / 2 - 0.5 for i in range(len(shown))]
    axes.set_xticks(places, [str(time + 1) for time in shown], fontsize=6)
    axes.tick_params(axis="x", top=True, bottom=False, labeltop=True, labelbottom=False, length=0)


def _show_maps(axes: Axes, even: NDArray[np.float64], examples: Arrays, top: float) -> None:
    """(T, R, C) side by side, each map as large as its frame."""
    height, width = examples["frames"].shape[2:4]
    for i, one in enumerate(even):
        left = i * (width + GAP) - 0.5
        axes.imshow(
            one, extent=(left, left + width, height - 0.5, -0.5), cmap=MAP, aspect="equal",
            norm=PowerNorm(0.5, 0, top), interpolation="nearest",
        )  # fmt: skip
    axes.set_xlim(-0.5, len(even) * (width + GAP) - GAP - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    _clear(axes)


def _show_between(axes: Axes, between: NDArray[np.float64]) -> None:
    """From each frame (row) to each (column), over what is even; white is none."""
    even = between * len(between)
    top = max(1.0, float(even.max()))
    axes.imshow(even, vmin=0, vmax=top, cmap="Greys", interpolation="nearest")
    _clear(axes)
    axes.spines[:].set_visible(True)
    axes.set_ylabel("from", fontsize=5, labelpad=1)


def _clear(axes: Axes) -> None:
    axes.set_anchor("W")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _times_even(examples: Arrays, number: int) -> NDArray[np.float64]:
    """(T, R, C): attention of the last block that each place gets, over its even share."""
    last: NDArray[np.float64] = examples["received"][number, -1].astype(np.float64)
    even: NDArray[np.float64] = last / last.mean()
    return even


def _write(axes: Axes, text: str, room: float, bold: bool = False) -> None:
    """A label in a column of so many inches."""
    axes.set_axis_off()
    axes.text(
        0, 0.5, wrapped(text, max(8, round(room * CHARACTERS))), ha="left", va="center", fontsize=6,
        transform=axes.transAxes, fontweight="bold" if bold else "normal",
    )  # fmt: skip


def _answer_lines(
    cells: Sequence[Cell], names: Sequence[str], number: int, room: float
) -> list[str]:
    """A cell's answers, the commonest first, with how many seeds gave each, in lines that fit."""
    first = cells[0].first
    label, index = int(first["labels"][number]), int(first["index"][number])
    lines: list[str] = []
    for cell in cells:
        found = answers_to(cell, index)
        several = sum(found.values()) > 1
        words = [
            f"{RIGHT if answer == label else WRONG} {_name(names, answer)}"
            + (f" ({times})" if several else "")
            for answer, times in found.most_common()
        ]
        text = f"{cell.variant.label}: {', '.join(words) or 'no answer'}"
        lines += wrapped(text, max(16, round(room * SMALL))).replace("\n", "\n    ").split("\n")
    return lines


def _write_answers(axes: Axes, lines: Sequence[str]) -> None:
    axes.set_axis_off()
    text = axes.text(
        0.01, 0.5, "\n".join(lines), fontsize=5, va="center", transform=axes.transAxes,
        linespacing=1.3,
    )  # fmt: skip
    text.set_in_layout(False)  # it is wrapped to fit


def _add_scale(figure: Figure, grid: list[Axes], image: AxesImage) -> None:
    bar = figure.colorbar(image, ax=grid, shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("Attention, times the even share")
    bar.outline.set_visible(False)


def _clips_caption(cells: Sequence[Cell], first: Arrays, shown: int, planned: int) -> str:
    seeds = max(len(cell.predictions) for cell in cells)
    times = first["frames"].shape[1]
    caption = (
        "Test clips as the models get them (at most 64 pixels a side), their class in bold, and "
        f"the answer of each cell ({RIGHT} right, {WRONG} wrong"
        + ("; in brackets how many seeds give it)." if seeds > 1 else ").")
        + f" {_frames_words(shown, times)} Chosen by number, not by how well they are answered."
    )
    if len(cells) < planned:
        caption += f" {len(cells)} of {planned} cells: the others kept other clips, or none."
    return caption


def _attention_caption(cells: Sequence[Cell], first: Arrays, shown: int) -> str:
    seeds = sorted({min(cell.examples) for cell in cells})
    return (
        "Attention in the last block of h: above, the clip; below, for each cell whose h sees "
        "all frames, the attention that each place of each frame is paid, averaged over heads "
        "and asking places, over the even share. Right: from each frame (row) to each (column), "
        f"darker is more, a scale a matrix. {_frames_words(shown, first['frames'].shape[1])} Seed "
        f"{', '.join(map(str, seeds))}; other seeds may attend elsewhere."
    )


def _frames_words(shown: int, times: int) -> str:
    if shown < times:
        return f"{shown} of {times} frames, numbered."
    return "Frames are numbered."
