"""A few frames of a long video by seeking to keyframes, exact to the frame.

The time stamps of all packets, read once, say which frame has which number and where decoding can
begin. A seek then asks for a keyframe that is known to be there, and frames are taken by their
time stamp, never by counting from where a container says that it has landed. Where that cannot be
trusted the film is decoded from its start, which gives the same frames.

Shapes: N frames of a film, K keyframes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlf.data.video import Frames, decode_frames, open_stream, stack, to_rgb

CODECS = ("h264", "hevc", "vp9", "av1")  # each packet of which shows one frame; VP8's may show none
FAR = 64  # frames from the start; nearer ones are not worth the look at all packets
SPARSE = 4  # at least so many frames for each that is wanted
SEEK = 6  # what a seek costs, as so many decoded frames: the decoder begins anew
GAIN = 0.8  # frames decoded with seeks, as a share of those without, from which it pays

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class FrameIndex:
    """Where a film's frames are.

    Attributes:
        shown: (N,) int64 time stamps in the stream's own unit, strictly ascending.
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


class _LostError(Exception):
    """A seek did not lead to what the index says."""


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
                    except _LostError:
                        self._index = (None,)
        return decode_frames(self.path, numbers)


def _may_pay(wanted: Numbers) -> bool:
    return bool(wanted[-1] >= FAR and SPARSE * len(wanted) <= wanted[-1] + 1)


def read_index(path: Path) -> FrameIndex | None:
    """The index of a film from its packets, nothing decoded; None where it cannot be trusted.

    That is: another codec, frames without a time stamp or with another's, or frames before the
    first keyframe, of which decoders make what they can.

    Raises:
        VideoError: If the file cannot be read.
    """
    with open_stream(path) as (container, stream):
        if stream.codec_context.name not in CODECS:
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
        _LostError: If a seek led elsewhere, or a frame did not come.
        VideoError: If the file cannot be decoded.
    """
    found: dict[int, Frames] = {}
    with open_stream(path) as (container, stream):
        for run in runs:
            container.seek(int(index.shown[run.key]), stream=stream)
            _decode_run(container.demux(stream), index, run, found)
    return stack(path, found, numbers)


def _decode_run(packets: Any, index: FrameIndex, run: Run, found: dict[int, Frames]) -> None:
    begin = int(index.shown[run.key])
    missing = {int(index.shown[number]): number for number in run.wanted}
    for count, packet in enumerate(packets):
        landed = packet.is_keyframe and packet.pts is not None and packet.pts <= begin
        if count == 0 and not landed:
            raise _LostError
        for frame in packet.decode():
            if (number := missing.pop(frame.pts, None)) is not None:
                if frame.is_corrupt:
                    raise _LostError
                found[number] = to_rgb(frame)
        if not missing:
            return
    raise _LostError
