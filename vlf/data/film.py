"""Where the frames of an item come from: a video file, or a folder of images.

Shapes: T frames, H and W pixels. Frames are RGB.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vlf.data.sampling import Indices
from vlf.data.seek import SeekingReader
from vlf.data.video import (
    Frames,
    ShortVideoError,
    VideoError,
    count_frames,
    iterate_frames,
    read_times,
)

TAIL = 3  # frames that a decoder may hold back at a video's end, such as those of packed DivX
UNEVEN = 1.5  # longest gap between frames, as a multiple of the shortest: stamps are rounded


class Film(Protocol):
    """Frames by number, from 0. Each method raises VideoError with the file's name."""

    def count(self) -> int:
        """How many there are."""

    def decode(self, numbers: Indices) -> Frames:
        """Frames in any order, with repeats: (len(numbers), H, W, 3) uint8."""

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """Frames `start` to `end` (which is not among them) in turn: (H, W, 3) uint8 each."""


class VideoFile:
    """A video by its frames as they are numbered, whenever they are shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = SeekingReader(path)

    def count(self) -> int:
        """From its packets."""
        return count_frames(self.path)

    def decode(self, numbers: Indices) -> Frames:
        """In one pass from the start, or by seeks where they save decoding."""
        return self._reader.decode(numbers)

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """In one pass from the start."""
        return iterate_frames(self.path, start, end)


class TimedVideo:
    """A video by equal steps of time, as many as it has frames.

    With a constant frame rate these are its frames. With a variable one step i is the frame that is
    shown in the middle of the i-th of equal parts of its duration: a frame that stands long comes
    several times, and of a burst some are left out.

    The last frames that packets announce and the decoder does not give, up to `TAIL` of them, are
    the last that it gives; a video that misses more is an error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = SeekingReader(path)
        self._packets = 0
        self._last: int | None = None
        self._steps: Indices | None = None

    def count(self) -> int:
        """From its packets."""
        if not self._packets:
            times = read_times(self.path)
            self._steps = even_steps(times.shown, times.end)
            self._packets = times.count  # last: another thread that sees it needs the steps
        return self._packets

    def decode(self, numbers: Indices) -> Frames:
        """In one pass from the start, or by seeks where they save decoding."""
        try:
            return self._reader.decode(self._frame_of(numbers))
        except ShortVideoError as error:
            self._settle(error)
            return self._reader.decode(self._frame_of(numbers))

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """In one pass from the start."""
        wanted = self._frame_of(np.arange(start, end)).tolist()
        first, done, frame = wanted[0], 0, None
        try:
            for number, frame in enumerate(
                iterate_frames(self.path, first, wanted[-1] + 1), start=first
            ):
                while done < len(wanted) and wanted[done] == number:
                    yield frame
                    done += 1
        except ShortVideoError as error:
            self._settle(error)
            if frame is None:  # the part asked for lies in the tail
                frame = self.decode(np.array([start]))[0]
            for _ in range(len(wanted) - done):
                yield frame

    def _frame_of(self, numbers: Indices) -> Indices:
        count = self.count()
        frames = numbers if self._steps is None else self._steps[np.minimum(numbers, count - 1)]
        return frames if self._last is None else np.minimum(frames, self._last)

    def _settle(self, error: ShortVideoError) -> None:
        """Remember how many frames the decoder gives.

        Raises:
            VideoError: If that is not nearly all.
        """
        if not error.count or self._packets - error.count > TAIL:
            said = f"{error.count} of its {self._packets} frames can be decoded"
            raise VideoError(f'"{self.path}" is damaged: {said}') from None
        self._last = error.count - 1


def even_steps(shown: NDArray[np.float64], end: float) -> Indices | None:
    """Frame shown at each of T equal steps of time, ascending; None if that is 0 to T-1 anyway.

    Args:
        shown: (T,) when frames are shown, in seconds, ascending; empty if it is not known.
        end: When the last of them ends, in seconds.
    """
    gaps = np.diff(shown)
    if len(gaps) < 2 or gaps.max() <= UNEVEN * gaps.min():
        return None
    count = len(shown)
    moments = shown[0] + (np.arange(count) + 0.5) / count * (end - shown[0])
    steps: Indices = np.searchsorted(shown, moments, side="right").astype(np.int64) - 1
    return steps


class ImageFolder:
    """A folder of image files, decoded with Pillow.

    Args:
        folder: Where they are.
        name: Name of a file by its number, from 0; None takes all images in the order of the
            numbers in their names.
    """

    def __init__(self, folder: Path, name: Callable[[int], str] | None = None) -> None:
        self.folder = folder
        self._name = name
        self._listed: Sequence[str] = ()

    def count(self) -> int:
        """Images in the folder."""
        return len(self._list())

    def decode(self, numbers: Indices) -> Frames:
        """Each image once."""
        images = {number: self._read(number) for number in sorted(set(numbers.tolist()))}
        if len({image.shape for image in images.values()}) > 1:
            raise VideoError(f'"{self.folder}" has images of several sizes')
        return np.stack([images[number] for number in numbers.tolist()])

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """One by one."""
        for number in range(start, end):
            yield self._read(number)

    def _list(self) -> Sequence[str]:
        if not self._listed:
            try:
                names = [path.name for path in self.folder.iterdir()]
            except OSError as error:
                raise VideoError(f'"{self.folder}" cannot be read: {error.strerror}') from None
            found = [name for name in names if name.lower().endswith((".jpg", ".jpeg", ".png"))]
            if not found:
                raise VideoError(f'"{self.folder}" has no image')
            self._listed = sorted(found, key=lambda name: (_number_in(name), name))
        return self._listed

    def _read(self, number: int) -> Frames:
        path = self.folder / (self._name(number) if self._name else self._list()[number])
        try:
            with Image.open(path) as image:
                return np.array(image.convert("RGB"), dtype=np.uint8)
        except FileNotFoundError:
            raise VideoError(f'no such image: "{path}"') from None
        # Pillow raises SyntaxError for a broken PNG, and ValueError for some broken headers.
        except (OSError, SyntaxError, ValueError) as error:
            raise VideoError(f'"{path}" cannot be decoded: {error}') from None


def _number_in(name: str) -> int:
    return int("".join(letter for letter in name if letter in "0123456789") or 0)
