"""A decoded picture as RGB, the way up in which a player shows it.

Shapes: H and W pixels.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer
from numpy.typing import NDArray

from vlf.data.readers.container import VideoError

Frames = NDArray[np.uint8]

ONE = 1 << 16  # of the fixed-point numbers of a display matrix


def to_rgb(frame: av.VideoFrame) -> Frames:
    """(H, W, 3) uint8, upright; pixels that are not square stay as they are stored.

    Raises:
        VideoError: If the picture is turned by another angle than quarter turns.
    """
    picture = cast(Frames, frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False))
    # Not `frame.side_data`: a reference cycle, which keeps FFmpeg's buffer of the picture until the
    # garbage collector runs. A damaged VP8 packet shows what the buffer that it gets held before.
    matrix = cast(SideData | None, SideDataContainer(frame).get("DISPLAYMATRIX"))
    return picture if matrix is None else turn(picture, np.frombuffer(bytes(matrix), np.int32))


def turn(picture: Frames, matrix: NDArray[np.int32]) -> Frames:
    """Turn and mirror as a display matrix says: (H, W, 3) -> (H, W, 3) or (W, H, 3).

    Args:
        picture: As stored.
        matrix: (9,) of MP4's track header: a point (x, y) is shown at (ax + cy, bx + dy).

    Raises:
        VideoError: If that is no quarter turn.
    """
    a, b, c, d = (round(int(matrix[at]) / ONE, 2) for at in (0, 1, 3, 4))
    if a and d and not (b or c):
        right, down = a, d
    elif b and c and not (a or d):
        picture, right, down = picture.transpose(1, 0, 2), c, b
    else:
        raise VideoError("is turned by an angle that is no quarter turn")
    return np.ascontiguousarray(picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1])


def stack(path: Path | str, frames: Mapping[int, Frames], wanted: Sequence[int]) -> Frames:
    """The frames `wanted` of those that were decoded, by number: (len(wanted), H, W, 3) uint8.

    Raises:
        VideoError: If they are of several sizes.
    """
    if len({frame.shape for frame in frames.values()}) > 1:
        raise VideoError(f'"{path}" changes its frame size on the way')
    return np.stack([frames[number] for number in wanted])
