"""Frames to the size that a model takes: short side, then a square crop; never a flip.

A flip changes labels such as "move right", so there is none.

Shapes: T frames, H and W pixels as decoded, S pixels of the clip's side.
"""

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
        return clip.contiguous()
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
