"""Learned positions at another number of frames or another frame size than they were learned for.

Shapes: T times, N places of a frame, in rows, G places on a side, D width.
"""

from math import isqrt

import torch
from torch import Tensor
from torch.nn import functional as F


def resize_times(positions: Tensor, times: int, mode: str) -> Tensor:
    """Interpolate along time, "nearest" or "linear": (T, D) -> (times, D)."""
    if len(positions) == times:
        return positions
    x = positions.float().T[None]  # (1, D, T)
    return F.interpolate(x, size=times, mode=mode)[0].T.contiguous()


def resize_places(positions: Tensor, places: int, mode: str) -> Tensor:
    """Interpolate over the square of a frame, "nearest" or "bicubic": (..., N, D) -> (..., N', D).

    Raises:
        ValueError: If the positions are not those of a square.
    """
    stored = positions.shape[-2]
    if stored == places:
        return positions
    side, new_side = isqrt(stored), isqrt(places)
    if side**2 != stored or new_side**2 != places:
        raise ValueError(f"has {stored} positions of a frame, which make no square")
    x = positions.float().reshape(-1, side, side, positions.shape[-1])
    x = x.permute(0, 3, 1, 2)  # (T, D, G, G)
    x = F.interpolate(x, size=(new_side, new_side), mode=mode)
    x = x.flatten(2).transpose(1, 2)  # (T, N', D)
    return x.reshape(*positions.shape[:-2], places, -1)


def behind_class_token(positions: Tensor, rest: Tensor) -> Tensor:
    """The position of the class token, which is never interpolated, before the others'."""
    return torch.cat([positions[:1].to(rest.dtype), rest])
