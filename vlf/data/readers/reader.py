"""Frames of a film by their number in its index, exact to the frame.

Where seeks save decoding they are taken: a seek asks for a keyframe that the index knows, and
frames are taken by their time stamp, never by counting from where a container says that it has
landed. What a seek does not give is decoded from the start, which gives the same frames.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from vlf.data.readers.container import VideoError, decode, open_stream
from vlf.data.readers.index import FrameIndex, read_settled
from vlf.data.readers.packets import LostError, packets_before
from vlf.data.readers.picture import Frames, stack, to_rgb
from vlf.data.sampling import Indices

SEEK = 6  # what a seek costs, as so many decoded frames: the decoder begins anew
INTRA = (PictureType.I, PictureType.NONE)  # libvpx does not say the type: its keyframes are whole
GAIN = 0.8  # frames decoded with seeks, as a share of those without, from which it pays


@dataclass(frozen=True)
class Run:
    """Frames that are decoded in one go.

    Attributes:
        key: The keyframe at which it begins.
        wanted: Frames to keep, ascending.
    """

    key: int
    wanted: tuple[int, ...]


class FrameReader:
    """Frames of one film by their number in its index. Several threads may read at a time.

    Args:
        path: The video.
        read: How to come by its index, which is asked for once.
    """

    def __init__(self, path: Path, read: Callable[[], FrameIndex]) -> None:
        self.path, self._read = path, read
        self._index: FrameIndex | None = None

    @property
    def index(self) -> FrameIndex:
        """The index of the film. Raises VideoError if it cannot be read."""
        if self._index is None:
            self._index = self._read()
        return self._index

    def decode(self, numbers: Indices) -> Frames:
        """Frames in any order, with repeats: (len(numbers), H, W, 3) uint8."""
        wanted = np.unique(numbers).tolist()
        return stack(self.path, dict(self.iterate(wanted)), numbers.tolist())

    def iterate(self, wanted: Sequence[int]) -> Iterator[tuple[int, Frames]]:
        """Number and picture, (H, W, 3) uint8, of each frame that is wanted, ascending.

        Raises:
            VideoError: If the film cannot be decoded.
        """
        done = 0
        while done < len(wanted):
            try:
                for frame in iterate_frames(self.path, self.index, wanted[done:]):
                    yield frame
                    done += 1
            except LostError:
                self._index = self._weaken(self.index)

    def _weaken(self, index: FrameIndex) -> FrameIndex:
        """The index without what has failed: first seeks, then that every frame comes."""
        if len(index.keys) > 1 or (index.is_part and len(index.keys)):
            return replace(index, keys=np.empty(0, np.int64))
        if index.is_part or index.pictures is not None:
            raise VideoError(f'"{self.path}" is damaged: a frame cannot be decoded')
        return read_settled(self.path, index)


def plan(index: FrameIndex, wanted: Sequence[int]) -> list[Run]:
    """Runs that give the frames `wanted`, ascending: from the start, or by seeks."""
    from_start = [Run(0, tuple(wanted))]
    if not len(index.keys):
        return from_start
    runs: list[tuple[int, list[int]]] = []
    for number in wanted:
        # A frame that is shown after a keyframe needs nothing before it, in open groups as well.
        key = int(index.keys[np.searchsorted(index.keys, number, side="right") - 1])
        if runs and key - runs[-1][1][-1] <= SEEK:
            runs[-1][1].append(number)
        else:
            runs.append((key, [number]))
    seeks = [Run(key, tuple(some)) for key, some in runs]
    pays = index.is_part or cost(seeks) <= GAIN * (wanted[-1] + 1)
    return seeks if pays else from_start


def cost(runs: Sequence[Run]) -> int:
    """Frames that a plan decodes, seeks counted as such."""
    return sum(run.wanted[-1] - run.key + 1 + SEEK * (run.key > 0) for run in runs)


def iterate_frames(
    path: Path, index: FrameIndex, wanted: Sequence[int]
) -> Iterator[tuple[int, Frames]]:
    """Iterate as `FrameReader.iterate`, over frames that the index has.

    Raises:
        LostError: If a seek led elsewhere, or a frame did not come.
        VideoError: If the film cannot be decoded.
    """
    with open_stream(path) as (container, stream):
        for run in plan(index, wanted):
            is_start = not len(index.keys) or (run.key == 0 and not index.is_part)
            if index.pictures is not None:
                pictures = _by_order(container, stream, index.pictures[list(run.wanted)].tolist())
            else:
                begin = None if is_start else int(index.shown[run.key])
                stamps = index.shown[list(run.wanted)].tolist()
                pictures = _by_stamp(container, stream, stamps, begin)
            for number, frame in zip(run.wanted, pictures, strict=True):
                try:
                    yield number, to_rgb(frame)
                except VideoError as error:
                    raise VideoError(f'"{path}" {error}') from None


def _by_order(
    container: InputContainer, stream: VideoStream, wanted: Sequence[int]
) -> Iterator[VideoFrame]:
    """Pictures that the decoder gives from the start, by their number, which may repeat."""
    done = 0
    for number, frame in enumerate(decode(stream, container.demux(stream))):
        while done < len(wanted) and wanted[done] == number:
            yield frame
            done += 1
        if done == len(wanted):
            return
    raise LostError


def _by_stamp(
    container: InputContainer, stream: VideoStream, stamps: Sequence[int], begin: int | None
) -> Iterator[VideoFrame]:
    """Pictures by their time stamps, from the keyframe shown at `begin`; None is the start."""
    if begin is None:
        packets = container.demux(stream)
    else:
        packets = packets_before(container, stream, begin, is_key=True)
    done, is_whole = 0, begin is None
    for frame in decode(stream, packets):
        # With intra refresh keyframes are no whole pictures, and those behind them neither.
        is_whole = is_whole or (frame.pts == begin and frame.pict_type in INTRA)
        if frame.pts == stamps[done]:
            if not is_whole or (frame.is_corrupt and begin is not None):
                raise LostError
            yield frame
            done += 1
            if done == len(stamps):
                return
        elif frame.pts is not None and frame.pts > stamps[done] and is_whole:
            raise LostError
    raise LostError
