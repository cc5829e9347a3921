"""Some frames of a long video by seeking to keyframes, exact to the frame.

The time stamps of packets, read once, say which frame has which number and where decoding can
begin: in the whole video (`SeekingReader`), or in a part of it that is said in seconds
(vlf/data/stretch.py). A seek then asks for a keyframe that is known to be there, and frames are
taken by their time stamp, never by counting from where a container says that it has landed. Where
that cannot be trusted the video is decoded from its start, which gives the same frames.

Shapes: N frames of a video or of a part of it, K keyframes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vlf.data.video import WHOLE, Frames, VideoError, decode_frames, open_stream, stack, to_rgb

CODECS = ("h264", "hevc", "vp9", "av1")  # each packet of which shows one frame; VP8's may show none
FAR = 64  # frames from the start; nearer ones are not worth the look at all packets
SPARSE = 4  # at least so many frames for each that is wanted
SEEK = 6  # what a seek costs, as so many decoded frames: the decoder begins anew
GAIN = 0.8  # frames decoded with seeks, as a share of those without, from which it pays

Numbers = NDArray[np.int64]
Packets = Iterator[Any]  # of one video stream


@dataclass(frozen=True)
class FrameIndex:
    """Where the frames of a video are, or of a part of it.

    Attributes:
        shown: (N,) int64 time stamps in the stream's own unit, ascending; of a whole video no two
            are the same.
        keys: (K,) int64 numbers of the frames at which decoding can begin, ascending, the first 0.
    """

    shown: Numbers
    keys: Numbers


@dataclass(frozen=True)
class Run:
    """Frames that are decoded in one go.

    Attributes:
        key: The keyframe at which it begins.
        wanted: Frames to keep, ascending.
    """

    key: int
    wanted: tuple[int, ...]


class LostError(Exception):
    """A seek did not lead to what the index says, or a frame did not come."""


class SeekingReader:
    """Frames of one video by number, by seeks where they save decoding.

    Several threads may read at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index: tuple[FrameIndex | None] | None = None

    def decode(self, numbers: Sequence[int] | Numbers) -> Frames:
        """As `decode_frames`, and the same frames: (len(numbers), H, W, 3) uint8."""
        wanted = np.unique(np.asarray(numbers, dtype=np.int64))
        if self._index != (None,) and len(wanted) and _may_pay(wanted):
            if self._index is None:
                self._index = (read_index(self.path),)
            index = self._index[0]
            if index is not None and wanted[0] >= 0 and wanted[-1] < len(index.shown):
                runs = plan(index, wanted.tolist())
                if cost(runs) <= GAIN * (wanted[-1] + 1):
                    try:
                        return decode_runs(self.path, index, runs, list(numbers))
                    except LostError:
                        self._index = (None,)
        return decode_frames(self.path, numbers)


def _may_pay(wanted: Numbers) -> bool:
    return bool(wanted[-1] >= FAR and SPARSE * len(wanted) <= wanted[-1] + 1)


def read_index(path: Path) -> FrameIndex | None:
    """The index of a video from its packets, nothing decoded; None where it cannot be trusted.

    That is: another codec, frames without a time stamp or with another's, or frames before the
    first keyframe, of which decoders make what they can.

    Raises:
        VideoError: If the file cannot be read.
    """
    with open_stream(path) as (container, stream):
        if stream.codec_context.codec.canonical_name not in CODECS:  # its name may be libdav1d
            return None
        packets = [p for p in container.demux(stream) if p.size]
        kept = [(p.pts, p.is_keyframe) for p in packets if not p.is_discard and p.pts is not None]
    # Frames outside of an edited film move the numbers; decoders differ in what they do there.
    if not kept or len(kept) < len(packets):
        return None
    kept.sort()
    shown = np.array([pts for pts, _ in kept], dtype=np.int64)
    keys = np.array([n for n, (_, is_key) in enumerate(kept) if is_key], dtype=np.int64)
    if (np.diff(shown) <= 0).any() or not len(keys) or keys[0] != 0:
        return None
    return FrameIndex(shown, keys)


def read_part(path: Path, start: float, stop: float) -> tuple[FrameIndex, int, int]:
    """The index of a part of a video, and which of its frames are on the screen in that time.

    Nothing is decoded, and of a long video only this part is read, from a keyframe before it on.

    Args:
        path: The video.
        start: In seconds from its first frame.
        stop: The same; a frame that is first shown then is no part of it.

    Returns:
        The index, the number of the first frame, and that of the first one after the last.

    Raises:
        VideoError: If the file cannot be read, its frames have no time stamps, or less than nine
            tenths of that time are in it.
    """
    try:
        return _read_part(path, start, stop)
    except LostError:
        return _read_part(path, start, stop, from_start=True)


def _read_part(
    path: Path, start: float, stop: float, from_start: bool = False
) -> tuple[FrameIndex, int, int]:
    untimed = VideoError(f'"{path}" has no time stamps, which parts by time need')
    with open_stream(path) as (container, stream):
        if not stream.time_base:
            raise untimed
        base, first = stream.time_base, stream.start_time or 0
        low, high = (first + round(moment / base) for moment in (start, stop))
        found: list[tuple[int, int, bool]] = []
        ended = True
        for packet in _packets_before(container, stream, low, from_start):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                raise untimed
            if packet.dts is not None and packet.dts >= high:
                ended = False
                break
            found.append((packet.pts, packet.duration or 0, packet.is_keyframe))
    found.sort()
    if ended or not found:
        end, last = (found[-1][0] + found[-1][1], found[-1][1]) if found else (first, 0)
        if end - low < WHOLE * (high - low) - last:
            said = f"ends at {float((end - first) * base):.2f} s, before the part from {start:.2f}"
            raise VideoError(f'"{path}" {said} to {stop:.2f} s')
    shown = np.array([stamp for stamp, _, _ in found], dtype=np.int64)
    keys = [0, *(n for n, (_, _, is_key) in enumerate(found) if is_key and n)]
    begin = max(0, int(np.searchsorted(shown, low, side="right")) - 1)
    return FrameIndex(shown, np.array(keys)), begin, int(np.searchsorted(shown, high))


def plan(index: FrameIndex, wanted: Sequence[int]) -> list[Run]:
    """How to come by frames `wanted`, ascending: where to seek and where to go on decoding."""
    runs: list[tuple[int, list[int]]] = []
    for number in wanted:
        # A frame that is shown after a keyframe needs nothing before it, in open groups as well.
        key = int(index.keys[np.searchsorted(index.keys, number, side="right") - 1])
        if runs and key - runs[-1][1][-1] <= SEEK:
            runs[-1][1].append(number)
        else:
            runs.append((key, [number]))
    return [Run(key, tuple(some)) for key, some in runs]


def cost(runs: Sequence[Run]) -> int:
    """Frames that a plan decodes, seeks counted as such."""
    return sum(run.wanted[-1] - run.key + 1 + SEEK for run in runs)


def decode_runs(
    path: Path, index: FrameIndex, runs: Sequence[Run], numbers: Sequence[int]
) -> Frames:
    """Frames `numbers`, which the runs hold: (len(numbers), H, W, 3) uint8.

    Raises:
        LostError: If a seek led elsewhere, or a frame did not come.
        VideoError: If the file cannot be decoded.
    """
    return stack(path, dict(iterate_runs(path, index, runs)), numbers)


def iterate_runs(
    path: Path, index: FrameIndex, runs: Sequence[Run], from_start: bool = False
) -> Iterator[tuple[int, Frames]]:
    """Number and picture, (H, W, 3) uint8, of each frame that the runs want, in turn.

    Args:
        path: The video.
        index: Of it or of a part of it.
        runs: How to come by the frames.
        from_start: Decode from the start of the file, and not seek; there is one run then.

    Raises:
        LostError: If a seek led elsewhere, or a frame did not come.
        VideoError: If the file cannot be decoded.
    """
    with open_stream(path) as (container, stream):
        for run in runs:
            begin = int(index.shown[run.key])
            packets = _packets_before(container, stream, begin, from_start, is_key=True)
            stamps, done = index.shown[list(run.wanted)].tolist(), 0
            is_whole = from_start
            for frame in chain.from_iterable(packet.decode() for packet in packets):
                # With intra refresh keyframes are no whole pictures, and those behind them neither.
                is_whole = is_whole or (frame.pts == begin and frame.pict_type == PictureType.I)
                while done < len(stamps) and frame.pts == stamps[done]:
                    if not is_whole or (frame.is_corrupt and not from_start):
                        raise LostError
                    yield run.wanted[done], to_rgb(frame)
                    done += 1
                if done == len(stamps):
                    break
            else:
                raise LostError


def _packets_before(
    container: InputContainer,
    stream: VideoStream,
    stamp: int,
    from_start: bool,
    is_key: bool = False,
) -> Packets:
    """From a keyframe that is shown no later than `stamp`; or `from_start` of a file just opened.

    Raises:
        LostError: If seeks lead nowhere before `stamp`, or the first does not and it `is_key`.
    """
    first, back, target = stream.start_time or 0, 0, stamp
    while not from_start:
        container.seek(target, stream=stream)
        packets = container.demux(stream)
        packet = next(packets)
        if packet.is_keyframe and packet.pts is not None and packet.pts <= stamp:
            return chain([packet], packets)
        if is_key or target <= first:
            raise LostError
        # Where a frame is decoded and where it is shown differ: a seek may land behind the moment.
        back = 2 * back or round(1 / (stream.time_base or 1))
        target = max(first, stamp - back)
    return container.demux(stream)
