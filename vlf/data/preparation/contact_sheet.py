"""A contact sheet: test clips of each dataset with their labels, as a model is given them.

Shapes: T frames, S pixels a side.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vlf.config import ConfigError
from vlf.data import Clips
from vlf.data.seeds import rng

CLIPS, COLUMNS = 12, 2  # of a dataset
FRAMES = 8  # shown of a clip, equally far apart
WIDTH, STRIP, HEAD = 14.0, 0.25, 0.5  # inches: page, title of a strip, title of a dataset
GAP = 2  # pixels between frames
LONG = 60  # characters of a label


def draw_sheet(datasets: Mapping[str, Clips], path: Path, seed: int) -> None:
    """Write a PNG: a block a dataset, in it clips of as many labels as there is room for.

    Args:
        datasets: Title -> the clips of a split.
        path: Where; its folder is made.
        seed: Which clips are drawn.

    Raises:
        OSError: If it cannot be written.
    """
    shown = {title: choose(clips, seed) for title, clips in datasets.items() if len(clips)}
    high = WIDTH / COLUMNS / FRAMES + STRIP
    heights = [HEAD + high * -(-len(chosen) // COLUMNS) for chosen in shown.values()]
    figure = Figure(figsize=(WIDTH, max(1.0, sum(heights))), facecolor="white")
    FigureCanvasAgg(figure)
    if shown:
        blocks = figure.subfigures(len(shown), 1, height_ratios=heights, squeeze=False)[:, 0]
        for block, (title, chosen) in zip(blocks, shown.items(), strict=True):
            _draw_block(block, title, datasets[title], chosen, high)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def choose(clips: Clips, seed: int) -> list[int]:
    """Clips in the order of their labels, of as many labels as there is room for."""
    of_label: dict[int, list[int]] = defaultdict(list)
    for index in rng("sheet", seed).permutation(len(clips)).tolist():
        of_label[_labels_of(clips, index)[0]].append(index)
    labels = rng("sheet labels", seed).permutation(sorted(of_label)).tolist()
    turns = [
        (turn, label) for turn in range(CLIPS) for label in labels if turn < len(of_label[label])
    ]
    return sorted(
        (of_label[label][turn] for turn, label in turns[:CLIPS]),
        key=lambda index: (*_labels_of(clips, index), index),
    )


def _labels_of(clips: Clips, index: int) -> list[int]:
    """Labels of each head; most data have one."""
    return [int(one) for one in clips.labels[index].flatten()]


def _draw_block(block: Figure, title: str, clips: Clips, chosen: list[int], high: float) -> None:
    rows = -(-len(chosen) // COLUMNS)
    top = 1 - HEAD / (HEAD + high * rows)
    block.text(0.01, 1 - (1 - top) / 2, title, fontsize=12, fontweight="bold", va="center")
    axes = block.subplots(rows, COLUMNS, squeeze=False)
    block.subplots_adjust(0.01, 0.01, 0.99, top - STRIP / (HEAD + high * rows), 0.03, 0.28)
    for place in axes.ravel():
        place.set_axis_off()
    # Down the columns, so that clips of one label stand below each other.
    for place, index in zip(axes.T.ravel(), chosen, strict=False):
        names = " ".join(clips.classes[one] for one in _labels_of(clips, index))
        label = " ".join(names.split())
        text = label if len(label) <= LONG else f"{label[: LONG - 1]}…"
        place.set_title(text, fontsize=9, loc="left", pad=3, parse_math=False)
        try:
            strip = strip_of(clips, index)
        except ConfigError as error:
            reason = f'"{str(error).rsplit("/", 1)[-1]}'  # the file's name without its folders
            place.text(0, 0.5, reason, color="firebrick", fontsize=8, parse_math=False)
            continue
        place.imshow(strip, interpolation="nearest", aspect="equal")


def strip_of(clips: Clips, index: int) -> NDArray[np.uint8]:
    """Frames of a clip's first test view beside each other: (S, FRAMES * S + gaps, 3) uint8."""
    view = clips.load_views(index)[0]  # (T, 3, S, S)
    moments = np.linspace(0, len(view) - 1, min(FRAMES, len(view))).round().astype(int)
    frames = view[moments.tolist()].permute(0, 2, 3, 1).numpy()
    white = np.full((frames.shape[1], GAP, 3), 255, np.uint8)
    parts = [part for frame in frames for part in (frame, white)][:-1]
    return np.concatenate(parts, axis=1)
