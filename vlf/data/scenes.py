"""Scenes of the embedded clips: what moves, and how, as functions of time; no pixels.

A scene is a torus (what leaves on the right comes back on the left) with a pair of things, a dart
and a ring, and a distractor. The pair has five variables: place x and y, size and angle of the
dart, gap between dart and ring. Each lives on a circle and runs over an arc of it, from a start
drawn uniformly. In every class all five run; the label is the one that runs straight over its arc,
and in which direction. The others run over theirs forth and back, from a random point of the cycle:
in the same time, over the same values, evenly, but without a net direction.

Why the label is in no single frame: a uniform start makes every variable uniform on its circle at
each moment, whatever it does over time, and the variables are independent, so the distribution of
the frame at each time is the same product for all classes. A size or a gap cannot have that and
only ever grow, therefore they loop: what has reached the end of its range starts again at its other
end. Also over a whole clip a variable spends the same time at the same values in both roles, so an
order-free average of frames has next to nothing to go by.

Reversed in time, a straight run turns round and a run forth and back stays one: the reversed clip
is a clip of the mirrored class.

Shapes: N clips, T frames. Lengths are in frame widths, angles in turns, time in clip lengths.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlf.data.seeds import rng

Array = NDArray[np.float64]

CLASSES = (
    "move right",
    "move left",
    "move up",
    "move down",
    "grow",
    "shrink",
    "go toward",
    "go away",
    "turn clockwise",
    "turn counter-clockwise",
)
MIRROR = (1, 0, 3, 2, 5, 4, 7, 6, 9, 8)  # the class of the time-reversed clip

PAIR = ("x", "y", "size", "gap", "angle")
DISTRACTOR = ("x", "y", "size", "angle")
# Image rows grow downward, so up is a falling y, and a rising angle turns clockwise.
LABELS: tuple[tuple[str, int], ...] = (
    ("x", 1),
    ("x", -1),
    ("y", -1),
    ("y", 1),
    ("size", 1),
    ("size", -1),
    ("gap", -1),
    ("gap", 1),
    ("angle", 1),
    ("angle", -1),
)

ARC = (0.35, 0.5)  # share of its circle that the label's variable runs over in a clip
REACH = (0.5, 0.5)  # the same for a variable that runs forth and back
HUES = ((0.9, 0.25, 0.2), (0.95, 0.95, 0.9), (0.2, 0.35, 0.9))
WAVES = 10  # plane waves of the background texture
SHAKES = 2  # sine waves of the camera's path
_DRAWS = 128  # uniform numbers a scene; at least as many as `draw_scenes` takes


@dataclass(frozen=True)
class Runs:
    """How the variables of one thing change over time; every array is (N, variables).

    Attributes:
        start: Where on its circle each variable's arc begins, in [0, 1).
        arc: Length of that arc.
        phase: Where in the cycle a variable that runs forth and back begins.
        straight: +1 runs straight up, -1 straight down, 0 forth and back.
    """

    start: Array
    arc: Array
    middle: Array
    reach: Array
    phase: Array
    straight: NDArray[np.int64]

    def at(self, times: Array) -> Array:
        """Values in [0, 1] at (T,) times in [0, 1]: (N, T, variables)."""
        t = times[None, :, None]
        straight = self.straight[:, None]
        detour = _fold(self.middle[:, None] + self.reach[:, None] * _fold(t + self.phase[:, None]))
        share = np.where(straight > 0, t, np.where(straight < 0, 1 - t, detour))
        values: Array = self.start[:, None] + self.arc[:, None] * share
        return values


@dataclass(frozen=True)
class Scenes:
    """N scenes, ready to be looked at at any time.

    Attributes:
        pair: Runs of `PAIR`.
        distractor: Runs of `DISTRACTOR`.
        bearing: From dart to ring, in turns: (N,).
        anchor: Where on the line from dart to ring the pair's place is, 0 to 1: (N,).
        shake: Amplitude and phase of the camera's sine waves: (N, SHAKES, 2 axes, 2).
        colour: Of dart, ring and distractor: (N, 3, 3) in [0, 1].
        light: Mean colour of the background: (N, 3).
        wave: Whole wave numbers along x and y of the texture: (N, WAVES, 2).
        wave_phase: In turns: (N, WAVES).
        wave_height: Of each wave, in grey levels of 0 to 1: (N, WAVES).
    """

    pair: Runs
    distractor: Runs
    bearing: Array
    anchor: Array
    shake: Array
    colour: Array
    light: Array
    wave: Array
    wave_phase: Array
    wave_height: Array

    def camera_at(self, times: Array) -> Array:
        """The camera's place at (T,) times: (N, T, 2)."""
        height, phase = self.shake[..., 0], self.shake[..., 1]  # (N, SHAKES, 2)
        turns = (np.arange(SHAKES) + 1)[:, None] * times[:, None, None] + phase[:, None]
        waves: Array = height[:, None] * np.sin(2 * np.pi * turns)  # (N, T, SHAKES, 2)
        return waves.sum(2)


def frame_times(frames: int) -> Array:
    """Centres of `frames` equal stretches of a clip: (T,); one duration, whatever T."""
    return (np.arange(frames) + 0.5) / frames


def label_of(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes in turn, so that every ten clips in a row are balanced: (N,) -> (N,)."""
    return index % len(CLASSES)


def draw_scenes(seed: int, split: str, index: NDArray[np.int64]) -> Scenes:
    """Scenes of the clips numbered `index`; each depends on its own number alone."""
    draws = np.stack([rng("motion", seed, split, int(i)).random(_DRAWS) for i in index])
    used = 0

    def take(*shape: int) -> Array:
        nonlocal used
        count = int(np.prod(shape))
        used += count
        return draws[:, used - count : used].reshape(len(draws), *shape)

    label = np.array([PAIR.index(name) for name, _ in LABELS])[label_of(index)]
    sign = np.array([sign for _, sign in LABELS])[label_of(index)]
    pair = _runs(take(5, len(PAIR)), label, sign)
    # The distractor has a motion of its own, drawn without regard to the label.
    other, way = take(2).T
    distractor = _runs(
        take(5, len(DISTRACTOR)),
        (other * len(DISTRACTOR)).astype(np.int64),
        np.where(way < 0.5, -1, 1),
    )
    bearing, anchor = take(2).T
    light = 0.35 + 0.3 * take(3)
    colour = np.clip(np.array(HUES) + 0.3 * (take(3, 3) - 0.5), 0, 1)
    return Scenes(
        pair=pair,
        distractor=distractor,
        bearing=bearing,
        anchor=anchor,
        shake=take(SHAKES, 2, 2) * np.array([0.02, 1.0]),
        colour=colour,
        light=light,
        wave=np.floor(take(WAVES, 2) * 9) - 4,
        wave_phase=take(WAVES),
        wave_height=0.04 * take(WAVES),
    )


def _fold(cycle: Array) -> Array:
    """Forth and back once a cycle, at constant speed: 0 -> 1, 1/2 -> 0, 1 -> 1."""
    folded: Array = np.abs(2 * np.mod(cycle, 1) - 1)
    return folded


def _runs(draws: Array, label: NDArray[np.int64], sign: NDArray[np.int64]) -> Runs:
    """(N, 5, variables) uniform draws; variable `label` of each runs straight."""
    start, arc, middle, reach, phase = draws.transpose(1, 0, 2)
    straight = np.zeros(start.shape, np.int64)
    straight[np.arange(len(straight)), label] = sign
    arc, reach = (low + (high - low) * share for (low, high), share in ((ARC, arc), (REACH, reach)))
    return Runs(start * (1 - arc), arc, middle, reach, phase, straight)
