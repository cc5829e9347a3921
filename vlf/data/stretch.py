"""A part of a long video that is said in seconds, as EPIC-KITCHENS-100 says it.

Shapes: T frames, H and W pixels.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vlf.data.film import even_steps
from vlf.data.sampling import Indices
from vlf.data.video import Frames, VideoError, iterate_stamps, stamps_between


class VideoStretch:
    """The frames that are on the screen from one moment to another; a `Film` of vlf/data/film.py.

    They are counted from the first of them, with a variable rate as equal steps of time, as in
    `TimedVideo`. Of the video only the part from the key frame before them is decoded.

    Args:
        path: The video.
        start: In seconds from the first frame of the video.
        stop: The same.
    """

    def __init__(self, path: Path, start: float, stop: float) -> None:
        self.path, self.start, self.stop = path, start, stop
        self._stamps: Indices | None = None

    def count(self) -> int:
        """From the packets of this part."""
        return len(self._read())

    def decode(self, numbers: Indices) -> Frames:
        """In one pass from the key frame before the first."""
        stamps, where = np.unique(self._read()[numbers], return_inverse=True)
        frames = list(iterate_stamps(self.path, stamps.tolist()))
        if len({frame.shape for frame in frames}) > 1:
            raise VideoError(f'"{self.path}" changes its frame size on the way')
        return np.stack(frames)[where]

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """In one pass."""
        stamps, repeats = np.unique(self._read()[start:end], return_counts=True)
        frames = iterate_stamps(self.path, stamps.tolist())
        for frame, count in zip(frames, repeats.tolist(), strict=True):
            for _ in range(count):
                yield frame

    def _read(self) -> Indices:
        if self._stamps is None:
            stamps = stamps_between(self.path, self.start, self.stop)
            last = float(np.median(np.diff(stamps))) if len(stamps) > 1 else 0.0
            steps = even_steps(stamps.astype(np.float64), float(stamps[-1]) + last)
            self._stamps = stamps if steps is None else stamps[steps]
        return self._stamps
