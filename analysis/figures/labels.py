"""Names beside points, moved until none covers another."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

Box = NDArray[np.float64]  # x0, y0, x1, y1 in pixels

_DISTANCES = (5.0, 9.0, 14.0, 20.0, 28.0, 38.0)  # points from the marker, the nearest first
_ANGLES = (0, 180, 90, 270, 35, 145, 325, 215)  # degrees, the usual place first
_LEADER = 10.0  # farther away than this, a thin line leads back to the point


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    colors: Sequence[str],
    obstacles: Sequence[tuple[float, float, float, float]] = (),
    size: float = 6.5,
) -> None:
    """Write each text near its point (data coordinates) where it covers least.

    `obstacles` are lines x0, y0, x1, y1 in data coordinates, such as error bars. The layout of
    the figure must be frozen: positions are found in pixels. Greedy, most crowded points first.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    scale = figure.dpi / 72
    centers = axes.transData.transform(np.asarray(points, dtype=float).reshape(-1, 2))
    marker = 3.5 * scale
    taken = [np.array([x - marker, y - marker, x + marker, y + marker]) for x, y in centers]
    for line in obstacles:
        taken += _beads(axes.transData.transform(np.reshape(line, (2, 2))))
    frame = axes.get_window_extent()
    inside = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=-1)
    crowding = np.sum(distances < 40 * scale, axis=1)
    for i in np.argsort(-crowding, kind="stable"):
        text = axes.annotate(
            texts[i], points[i], (0, 0), textcoords="offset points", fontsize=size,
            color=colors[i], ha="center", va="center", annotation_clip=False,
        )  # fmt: skip
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2
        offset, distance, box = _best(centers[i], half, taken, inside, scale)
        text.set_position((float(offset[0] / scale), float(offset[1] / scale)))
        taken.append(box)
        if distance > _LEADER:
            _lead(axes, centers[i], box, colors[i])


def _beads(ends: Box) -> list[Box]:
    """A line in pixels as small boxes along it: a slanted one covers little of its hull."""
    count = 2 + int(np.linalg.norm(ends[1] - ends[0]) / 3)
    middles = np.linspace(ends[0], ends[1], count)
    return [np.concatenate([middle - 2, middle + 2]) for middle in middles]


def _best(
    center: Box, half: Box, taken: Sequence[Box], inside: Box, scale: float
) -> tuple[Box, float, Box]:
    """Offset and distance (in pixels, in points) of the place that covers least, and its box."""
    found: tuple[float, Box, float, Box] | None = None
    for distance, angle in itertools.product(_DISTANCES, _ANGLES):
        direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        offset = direction * (distance * scale) + np.sign(direction.round(6)) * half
        middle = center + offset
        box = np.concatenate([middle - half - 1, middle + half + 1])
        cost = _covered(box, taken) + 20 * _outside(box, inside) + distance
        if found is None or cost < found[0]:
            found = (cost, offset, distance, box)
    assert found is not None
    return found[1:]


def _covered(box: Box, taken: Sequence[Box]) -> float:
    others = np.asarray(taken)
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return float(np.sum(np.clip(width, 0, None) * np.clip(height, 0, None)))


def _outside(box: Box, inside: Box) -> float:
    over = np.concatenate([inside[:2] - box[:2], box[2:] - inside[2:]])
    return float(np.clip(over, 0, None).sum())


def _lead(axes: Axes, center: Box, box: Box, color: str) -> None:
    nearest = np.clip(center, box[:2], box[2:])
    line = axes.transData.inverted().transform([center, nearest])
    axes.plot(line[:, 0], line[:, 1], color=color, linewidth=0.5, alpha=0.7, zorder=1)
