"""Films: sources of the frames of an item, and their numbering.

Shapes: T frames, H and W pixels. Frames are RGB.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vlf.data.readers.container import VideoError
from vlf.data.readers.index import FrameIndex, read_index, read_part
from vlf.data.readers.picture import Frames
from vlf.data.readers.reader import FrameReader
from vlf.data.sampling import Indices

UNEVEN = 1.5  # longest gap between frames, as a multiple of the shortest: stamps are rounded


class Film(Protocol):
    """Frames by number, from 0. Each method raises VideoError with the file's name."""

    def count(self) -> int:
        """Number of frames."""

    def decode(self, numbers: Indices) -> Frames:
        """Frames in any order, with repeats: (len(numbers), H, W, 3) uint8."""

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """Frames `start` to `end` (which is not among them) in turn: (H, W, 3) uint8 each."""


class VideoFile:
    """A video by its frames as they are numbered, whenever they are shown; a `Film`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = FrameReader(path, self._read)

    def _read(self) -> FrameIndex:
        return read_index(self.path)

    @cached_property
    def _steps(self) -> Indices:
        """Frame of the index for each frame of the film."""
        return np.arange(len(self._reader.index.shown))

    def count(self) -> int:
        """Count the frames; where packets can be trusted nothing but the first is decoded."""
        return len(self._steps)

    def decode(self, numbers: Indices) -> Frames:
        """Decode in one pass from the start, or by seeks where they save decoding."""
        return self._reader.decode(self._frames_of(numbers))

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """Decode in one pass."""
        wanted, repeats = np.unique(self._frames_of(np.arange(start, end)), return_counts=True)
        frames = self._reader.iterate(wanted.tolist())
        for (_, frame), count in zip(frames, repeats.tolist(), strict=True):
            for _ in range(count):
                yield frame

    def _frames_of(self, numbers: Indices) -> Indices:
        if not numbers.size or numbers.min() < 0:
            raise ValueError(f"frame numbers must be at least 0 and at least one, got {numbers}")
        if numbers.max() >= self.count():
            asked = f"frame {numbers.max()} was asked for"
            raise VideoError(f'"{self.path}" has {self.count()} frames; {asked}')
        return self._steps[numbers]


class TimedVideo(VideoFile):
    """A video by equal steps of time, as many as it has frames; a `Film`.

    With a constant frame rate these are its frames. With a variable one step i is the frame that is
    shown in the middle of the i-th of equal parts of its duration: a frame that stays long comes
    several times, and of a burst some are left out.
    """

    @cached_property
    def _steps(self) -> Indices:
        index = self._reader.index
        steps = even_steps(index.seconds(), index.end * float(index.base))
        return np.arange(len(index.shown)) if steps is None else steps


class VideoStretch(VideoFile):
    """The frames that are on the screen from one moment to another; a `Film`.

    They are counted from the first of them, with a variable rate as equal steps of time, as in
    `TimedVideo`. Of the video only the part from the key frame before them is read, where its
    container and codec allow, and of that not decoded what seeks can leave out.

    Args:
        path: The video.
        start: In seconds from the first frame of the video.
        stop: The same.
    """

    def __init__(self, path: Path, start: float, stop: float) -> None:
        super().__init__(path)
        self.start, self.stop = start, stop

    def _read(self) -> FrameIndex:
        index, self._begin, self._end = read_part(self.path, self.start, self.stop)
        return index

    @cached_property
    def _steps(self) -> Indices:
        seconds = self._reader.index.seconds()[self._begin : self._end]
        last = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
        steps = even_steps(seconds, float(seconds[-1]) + last)
        return self._begin + (np.arange(len(seconds)) if steps is None else steps)


def even_steps(shown: NDArray[np.float64], end: float) -> Indices | None:
    """Frame shown at each of T equal steps of time, ascending; None if that is 0 to T-1 anyway.

    Args:
        shown: (T,) when frames are shown, in seconds, ascending.
        end: When the last of them ends, in seconds.
    """
    gaps = np.diff(shown)
    if len(gaps) < 2 or gaps.max() <= UNEVEN * gaps.min():
        return None
    count = len(shown)
    moments = shown[0] + (np.arange(count) + 0.5) / count * (end - shown[0])
    steps: Indices = np.searchsorted(shown, moments, side="right").astype(np.int64) - 1
    return steps
