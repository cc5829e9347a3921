"""Scenes of the embedded clips: what moves, and how, as functions of time; no pixels.

A scene has a dart and a ring, its pair, and a distractor. The pair has five variables: its place x
and y, the size and the angle of the dart, and the gap between dart and ring. In every class each of
them has an arc, a stretch of its range drawn at random. The label's variable runs straight over
its arc, up or down. Each of the others goes a small way forth and back about a point of its arc
that is drawn evenly, folded back at the arc's ends. So do the variables of the distractor, but for
one, drawn without regard to the label, that runs as far as the label's: from anywhere, and it turns
round at the end of its arc.

Why no frame tells the label: the moments of a clip's frames are equally far apart, from a first
one drawn evenly, so the moment of a frame is even over the clip. There a straight run is at an even
point of its arc; so is, at every moment, a run about an even point. Every variable of a frame has
the same distribution in all classes, and they are independent of each other: the same product.
Reversed in time, a straight run turns round and a run forth and back stays one: the reversed clip
is a clip of the mirrored class, and both show the same frames, taken as a set.

What no motion without jumps can have is the same distribution at, say, the first frame alone: what
grows begins smaller than what shrinks.

Shapes: N clips, T frames. Lengths are in frame widths, angles in turns, time in clip lengths.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlf.data.seeds import rng

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# Class, its variable and way. Image rows grow downward, so up is a falling y, and a rising angle
# turns clockwise.
LABELS: tuple[tuple[str, str, int], ...] = (
    ("move right", "x", 1),
    ("move left", "x", -1),
    ("move up", "y", -1),
    ("move down", "y", 1),
    ("grow", "size", 1),
    ("shrink", "size", -1),
    ("go toward", "gap", -1),
    ("go away", "gap", 1),
    ("turn clockwise", "angle", 1),
    ("turn counter-clockwise", "angle", -1),
)
CLASSES = tuple(name for name, _, _ in LABELS)
MIRROR = (1, 0, 3, 2, 5, 4, 7, 6, 9, 8)  # the class of the time-reversed clip

PAIR = ("x", "y", "size", "gap", "angle")
DISTRACTOR = ("x", "y", "size", "angle")

ARC = (0.7, 0.85)  # length of an arc, as a share of the variable's range
REACH = (0.02, 0.06)  # twice it is how far the other variables go, as a share of their arc
HUES = ((0.9, 0.2, 0.2), (0.2, 0.9, 0.2), (0.2, 0.2, 0.9))  # distractor, ring, dart
WAVES = 10  # plane waves of the background texture
SHAKES = 2  # sine waves of the camera's path
_DRAWS = 128  # uniform numbers a scene; at least as many as `draw_scenes` takes


@dataclass(frozen=True)
class Runs:
    """Changes over time of the variables of one thing; every array is (N, variables).

    Where a variable is on its arc is told by a phase: it goes up the arc and back down once a turn.

    Attributes:
        start: Where in its range [0, 1] each variable's arc begins.
        arc: Length of that arc.
        phase: At the beginning of the clip, but for the detour.
        drift: Turns of the phase over the clip; half a turn is the arc once.
        reach: Turns by which the phase goes forth and back once over the clip.
        detour: Phase of that going forth and back.
    """

    start: Array
    arc: Array
    phase: Array
    drift: Array
    reach: Array
    detour: Array

    def at(self, times: Array) -> Array:
        """Values in [0, 1] at (N, T) times in [0, 1]: (N, T, variables)."""
        t = times[..., None]
        back_and_forth = self.reach[:, None] * _triangle(t + self.detour[:, None])
        share = _triangle(self.phase[:, None] + self.drift[:, None] * t + back_and_forth)
        values: Array = self.start[:, None] + self.arc[:, None] * share
        return values


@dataclass(frozen=True)
class Scenes:
    """N scenes, ready to be looked at at any time.

    Attributes:
        pair: Runs of `PAIR`.
        distractor: Runs of `DISTRACTOR`.
        first: Moment of the first frame, as a share of the time between two: (N,).
        bearing: From dart to ring, in turns: (N,).
        anchor: Where on the line from dart to ring the pair's place is, 1/4 to 3/4: (N,).
        shake: Amplitude and phase of the camera's sine waves: (N, SHAKES, 2 axes, 2).
        colour: Of distractor, ring and dart: (N, 3, 3) in [0, 1].
        light: Mean colour of the background: (N, 3).
        wave: Whole wave numbers along x and y of the texture: (N, WAVES, 2).
        wave_phase: In turns: (N, WAVES).
        wave_height: Of each wave, in grey levels of 0 to 1: (N, WAVES).
    """

    pair: Runs
    distractor: Runs
    first: Array
    bearing: Array
    anchor: Array
    shake: Array
    colour: Array
    light: Array
    wave: Array
    wave_phase: Array
    wave_height: Array

    def times(self, frames: int) -> Array:
        """Moments of `frames` frames in a clip of length 1, whatever their number: (N, T)."""
        moments: Array = (np.arange(frames) + self.first[:, None]) / frames
        return moments

    def camera_at(self, times: Array) -> Array:
        """The camera's place at (N, T) times: (N, T, 2)."""
        height, phase = self.shake[..., 0], self.shake[..., 1]  # (N, SHAKES, 2)
        turns = (np.arange(SHAKES) + 1)[:, None] * times[..., None, None] + phase[:, None]
        places: Array = (height[:, None] * np.sin(2 * np.pi * turns)).sum(2)
        return places


def label_of(index: Indices) -> Indices:
    """Classes in turn, so that every ten clips in a row are balanced: (N,) -> (N,)."""
    return index % len(CLASSES)


def draw_scenes(seed: int, split: str, index: Indices) -> Scenes:
    """Scenes of the clips numbered `index`; each depends on its own number alone."""
    draws = np.stack([rng("motion", seed, split, int(i)).random(_DRAWS) for i in index])
    used = 0

    def take(*shape: int) -> Array:
        nonlocal used
        count = int(np.prod(shape))
        used += count
        return draws[:, used - count : used].reshape(len(draws), *shape)

    chosen = label_of(index)
    mover = np.array([PAIR.index(variable) for _, variable, _ in LABELS])[chosen]
    upward = np.array([sign for *_, sign in LABELS])[chosen] > 0
    # Half a turn from the lower end of the arc is the way up; from the upper end, the way down.
    pair = _runs(take(5, len(PAIR)), mover, np.where(upward, 0.5, 0.0), 0.5)
    other, phase, way = take(3).T
    other_mover = (other * len(DISTRACTOR)).astype(np.int64)
    distractor = _runs(take(5, len(DISTRACTOR)), other_mover, phase, np.where(way < 0.5, -0.5, 0.5))
    first, bearing, anchor = take(3).T
    light = 0.45 + 0.1 * take(3)
    colour = np.clip(np.array(HUES) + 0.2 * (take(3, 3) - 0.5), 0, 1)
    return Scenes(
        pair=pair,
        distractor=distractor,
        first=first,
        bearing=bearing,
        anchor=0.25 + 0.5 * anchor,
        shake=take(SHAKES, 2, 2) * np.array([0.02, 1.0]),
        colour=colour,
        light=light,
        wave=np.floor(take(WAVES, 2) * 9) - 4,
        wave_phase=take(WAVES),
        wave_height=0.03 * take(WAVES),
    )


def _runs(draws: Array, mover: Indices, phase: Array, drift: Array | float) -> Runs:
    """(N, 5, variables) uniform draws; variable `mover` of each has `phase` and `drift`."""
    start, arc, phases, reach, detour = draws.transpose(1, 0, 2).copy()
    arc, reach = (low + (high - low) * share for (low, high), share in ((ARC, arc), (REACH, reach)))
    clip, drifts = np.arange(len(draws)), np.zeros(start.shape)
    phases[clip, mover], drifts[clip, mover], reach[clip, mover] = phase, drift, 0
    return Runs(start * (1 - arc), arc, phases, drifts, reach, detour)


def _triangle(phase: Array) -> Array:
    """Down and up once a turn at constant speed: 0 -> 1, 1/2 -> 0, 1 -> 1."""
    height: Array = np.abs(2 * np.mod(phase, 1) - 1)
    return height


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
