"""Scenes of the embedded clips as pixels: anti-aliased shapes, at any resolution.

Shapes: N clips, T frames, H = W = S pixels a side.
"""

import numpy as np
from numpy.typing import NDArray

from vlf.data.datasets.scenes import DISTRACTOR, PAIR, Array, Scenes

Image = NDArray[np.float32]
Clip = NDArray[np.uint8]

SIZE = (0.12, 0.3)  # radius of the dart, in frame widths
OTHER_SIZE = (0.07, 0.17)  # radius of the distractor
PLACE = (0.25, 0.75)  # of the pair and of the distractor, along each side of the frame
GAP = (0.12, 0.5)  # between the centres of dart and ring
RING = 0.12  # radius of the ring
RING_WIDTH = 0.03  # half of the ring's stroke
NOISE = 0.02  # standard deviation of the sensor's noise, in grey levels of 0 to 1


def draw_clips(scenes: Scenes, frames: int, size: int, noise: list[np.random.Generator]) -> Clip:
    """Draw N scenes, each with its own generator of noise: (N, T, 3, S, S) uint8."""
    times = scenes.times(frames)
    camera = scenes.camera_at(times)
    image = _background(scenes, camera, size)  # (N, T, 3, S, S)
    for number, cover in enumerate(_cover(scenes, camera, times, size)):
        colour = scenes.colour[:, None, number, :, None, None].astype(np.float32)
        image += cover[:, :, None] * (colour - image)
    for clip, generator in zip(image, noise, strict=True):
        clip += NOISE * generator.standard_normal(clip.shape, np.float32)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _background(scenes: Scenes, camera: Array, size: int) -> Image:
    """Plane waves, seen by the camera: (N, T, 3, S, S)."""
    centre = (np.arange(size) + 0.5) / size
    # cos(a + b) = cos a cos b - sin a sin b makes each wave a product of a row and a column.
    seen = scenes.wave[:, None] * camera[:, :, None]  # (N, T, WAVES, 2)
    column = scenes.wave[:, None, :, 0, None] * centre + seen[..., 0, None]
    row = scenes.wave[:, None, :, 1, None] * centre + seen[..., 1, None]
    column, row = 2 * np.pi * (column + scenes.wave_phase[:, None, :, None]), 2 * np.pi * row
    height = scenes.wave_height[:, None, :, None]
    rows = np.concatenate([height * np.cos(row), -height * np.sin(row)], axis=2)
    columns = np.concatenate([np.cos(column), np.sin(column)], axis=2)
    texture = rows.astype(np.float32).swapaxes(2, 3) @ columns.astype(np.float32)
    light = scenes.light.astype(np.float32)
    return light[:, None, :, None, None] + texture[:, :, None]


def _cover(scenes: Scenes, camera: Array, times: Array, size: int) -> tuple[Image, Image, Image]:
    """Share of each pixel under distractor, ring and dart, last on top: (N, T, S, S) each."""
    pair = dict(zip(PAIR, np.moveaxis(scenes.pair.at(times), 2, 0), strict=True))
    other = dict(zip(DISTRACTOR, np.moveaxis(scenes.distractor.at(times), 2, 0), strict=True))
    gap = GAP[0] + (GAP[1] - GAP[0]) * pair["gap"]
    bearing = 2 * np.pi * scenes.bearing[:, None]
    away = gap[..., None] * np.stack([np.cos(bearing), np.sin(bearing)], axis=-1)  # (N, T, 2)
    place = _place(pair["x"], pair["y"]) - camera
    anchor = scenes.anchor[:, None, None]
    dart = way_from(place - anchor * away, size)
    ring = way_from(place + (1 - anchor) * away, size)
    distractor = way_from(_place(other["x"], other["y"]) - camera, size)
    return (
        cover_half_disc(distractor, _radius(OTHER_SIZE, other["size"]), other["angle"], size),
        cover_ring(ring, size),
        cover_dart(dart, _radius(SIZE, pair["size"]), pair["angle"], size),
    )


def _place(x: Array, y: Array) -> Array:
    return PLACE[0] + (PLACE[1] - PLACE[0]) * np.stack([x, y], axis=-1)


def _radius(ends: tuple[float, float], value: Array) -> Array:
    return ends[0] * (ends[1] / ends[0]) ** value


def way_from(place: Array, size: int) -> tuple[Image, Image]:
    """Each pixel column's and row's way from a place: (N, T, S) each."""
    centre = (np.arange(size) + 0.5) / size
    way = centre - place[..., None]  # (N, T, 2, S)
    return way[:, :, 0].astype(np.float32), way[:, :, 1].astype(np.float32)


def _along(way: tuple[Image, Image], turns: Array) -> Image:
    """Component of the way from a place in a direction: (N, T, S, S)."""
    cos, sin = (f(2 * np.pi * turns).astype(np.float32)[..., None] for f in (np.cos, np.sin))
    x, y = way
    return (x * cos)[:, :, None, :] + (y * sin)[..., None]


def _distance(way: tuple[Image, Image]) -> Image:
    x, y = way
    return np.sqrt((x * x)[:, :, None, :] + (y * y)[..., None])


def _soft(outside: Image, size: int) -> Image:
    """Signed distance to an edge, in frame widths -> coverage, one pixel soft."""
    covered: Image = np.clip(0.5 - size * outside, 0, 1)
    return covered


def cover_dart(way: tuple[Image, Image], radius: Array, turns: Array, size: int) -> Image:
    """A slim triangle: its tip tells where it points, so every turn shows: (N, T, S, S)."""
    r = radius.astype(np.float32)[..., None, None]
    slope = 0.20  # the long sides lean so many turns off the axis' normal
    edges = (
        _along(way, turns + slope) - 0.32 * r,
        _along(way, turns - slope) - 0.32 * r,
        -_along(way, turns) - 0.70 * r,
    )
    return _soft(np.maximum(np.maximum(*edges[:2]), edges[2]), size)


def cover_half_disc(way: tuple[Image, Image], radius: Array, turns: Array, size: int) -> Image:
    """The distractor: half of a disc, and a little more: (N, T, S, S)."""
    r = radius.astype(np.float32)[..., None, None]
    flat = -_along(way, turns) - np.float32(0.1) * r
    return _soft(np.maximum(_distance(way) - r * np.float32(0.85), flat), size)


def cover_ring(way: tuple[Image, Image], size: int) -> Image:
    """A ring of one size: (N, T, S, S)."""
    return _soft(np.abs(_distance(way) - np.float32(RING)) - np.float32(RING_WIDTH), size)
