"""A part of a long video that is said in seconds, as EPIC-KITCHENS-100 says it.

Shapes: T frames, H and W pixels.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vlf.data.film import even_steps
from vlf.data.sampling import Indices
from vlf.data.seek import FrameIndex, LostError, Run, iterate_runs, plan, read_part
from vlf.data.video import Frames, VideoError, stack


class VideoStretch:
    """The frames that are on the screen from one moment to another; a `Film` of vlf/data/film.py.

    They are counted from the first of them, with a variable rate as equal steps of time, as in
    `TimedVideo`. Of the video only the part from the key frame before them is decoded, and of that
    not what seeks can leave out.

    Args:
        path: The video.
        start: In seconds from the first frame of the video.
        stop: The same.
    """

    def __init__(self, path: Path, start: float, stop: float) -> None:
        self.path, self.start, self.stop = path, start, stop
        self._part: tuple[FrameIndex, Indices] | None = None

    def count(self) -> int:
        """From the packets of this part."""
        return len(self._read()[1])

    def decode(self, numbers: Indices) -> Frames:
        """From the key frame before the first, and by seeks where they save decoding."""
        wanted = self._read()[1][numbers]
        return stack(self.path, dict(self._find(np.unique(wanted).tolist())), wanted.tolist())

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """In one pass."""
        wanted, repeats = np.unique(self._read()[1][start:end], return_counts=True)
        found = self._find(wanted.tolist())
        for (_, frame), count in zip(found, repeats.tolist(), strict=True):
            for _ in range(count):
                yield frame

    def _find(self, wanted: list[int]) -> Iterator[tuple[int, Frames]]:
        """Frames by their numbers in the index, ascending."""
        index, done = self._read()[0], 0
        for from_start in (False, True):
            left = wanted[done:]
            runs = [Run(0, tuple(left))] if from_start else plan(index, left)
            try:
                for found in iterate_runs(self.path, index, runs, from_start):
                    yield found
                    done += 1
                return
            except LostError:
                pass
        part = f"a frame between {self.start:.2f} and {self.stop:.2f} s"
        raise VideoError(f'"{self.path}" is damaged: {part} cannot be decoded')

    def _read(self) -> tuple[FrameIndex, Indices]:
        """The index, and which frame of it each of ours is."""
        if self._part is None:
            index, first, end = read_part(self.path, self.start, self.stop)
            shown = index.shown[first:end].astype(np.float64)
            last = float(np.median(np.diff(shown))) if len(shown) > 1 else 0.0
            steps = even_steps(shown, float(shown[-1]) + last)
            self._part = index, first + (np.arange(len(shown)) if steps is None else steps)
        return self._part
