"""Frames to the size that a model takes: short side, then a square crop.

What changes more than place and scale is in vlf/data/augment.py.

Shapes: T frames, H and W pixels as decoded, S pixels of the clip's side.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Frames = NDArray[np.uint8]

MARGIN = 1.15  # short side before the crop, as a multiple of the crop: 256 to 224, about


def short_side(size: int) -> int:
    """The short side that frames are brought to before a crop of `size`."""
    return round(size * MARGIN)


def resize_frames(frames: Frames, side: int) -> Tensor:
    """Bring the short side to `side` pixels: (T, H, W, 3) uint8 -> (T, 3, h, w) uint8.

    Bilinear, with the low-pass filter that shrinking needs; a frame that fits is left alone.
    """
    clip = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    height, width = clip.shape[2:]
    scale = side / min(height, width)
    shape = (max(side, round(height * scale)), max(side, round(width * scale)))
    if shape == (height, width):
        return clip
    return F.interpolate(clip, shape, mode="bilinear", antialias=True)


def crop_clip(clip: Tensor, size: int, rng: np.random.Generator | None) -> Tensor:
    """Cut a square of `size`, the same from all frames: (T, 3, h, w) -> (T, 3, S, S).

    `rng` draws its place, as in training; None takes the centre, as in testing.
    """
    spare = clip.shape[2] - size, clip.shape[3] - size
    if rng is None:
        top, left = spare[0] // 2, spare[1] // 2
    else:
        top, left = (int(rng.integers(0, room + 1)) for room in spare)
    return clip[:, :, top : top + size, left : left + size]


def crop_views(clip: Tensor, size: int, crops: int) -> Tensor:
    """Squares of `size` for the test, the same of all frames: (T, 3, h, w) -> (crops, T, 3, S, S).

    1 is the centre; 3 begin, middle and end of the long side; 5 the corners and the centre.
    """
    down, right = clip.shape[2] - size, clip.shape[3] - size
    centre = (down // 2, right // 2)
    if crops == 1:
        places = [centre]
    elif crops == 3 and down > right:
        places = [(0, centre[1]), centre, (down, centre[1])]
    elif crops == 3:
        places = [(centre[0], 0), centre, (centre[0], right)]
    else:
        places = [(0, 0), (0, right), (down, 0), (down, right), centre]
    return torch.stack([clip[:, :, top : top + size, left : left + size] for top, left in places])


# TSN's places of a crop, in quarters of the room: (down, right).
PLACES = (
    (0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (2, 0), (2, 4), (4, 2), (0, 2),
    (1, 1), (1, 3), (3, 1), (3, 3),
)  # fmt: skip


def crop_scaled(
    clip: Tensor, size: int, scales: Sequence[float], rng: np.random.Generator
) -> Tensor:
    """TSN's multi-scale crop, the same of all frames: (T, 3, h, w) -> (T, 3, S, S).

    Height and width are short side times a scale each, at most one scale apart, at one of PLACES.
    """
    short = min(clip.shape[2:])
    pairs = [
        (int(short * a), int(short * b))
        for i, a in enumerate(scales)
        for j, b in enumerate(scales)
        if abs(i - j) <= 1
    ]
    height, width = pairs[rng.integers(len(pairs))]
    down, right = PLACES[rng.integers(len(PLACES))]
    top = (clip.shape[2] - height) // 4 * down
    left = (clip.shape[3] - width) // 4 * right
    cut = clip[:, :, top : top + height, left : left + width]
    if (height, width) == (size, size):
        return cut
    return F.interpolate(cut, (size, size), mode="bilinear", antialias=True)
