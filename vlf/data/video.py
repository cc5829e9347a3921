"""Reading and writing video files with PyAV, which carries its own FFmpeg.

Shapes: T frames, H and W pixels. Frames are RGB, in the order in which they are shown.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

Frames = NDArray[np.uint8]

WHOLE = 0.9  # of what its header promises; containers round, and some codecs skip a frame

OPTIONS = {"protocol_whitelist": "file"}

# FFmpeg's own remarks would come between the lines of the live view; errors still are raised.
av.logging.set_level(None)


class VideoError(ValueError):
    """A file that cannot be decoded, or does not have the frame asked for; names the file."""


class ShortVideoError(VideoError):
    """A video that ends before the frame asked for.

    Attributes:
        count: Frames that it has.
    """

    count = 0


@dataclass(frozen=True)
class Times:
    """When the frames of a video are shown, as its packets say.

    Attributes:
        shown: (T,) float64, ascending, in seconds; empty where the container does not say.
        count: Frames, T.
        end: When the last of them ends, in seconds; 0.0 where `shown` is empty.
    """

    shown: NDArray[np.float64]
    count: int
    end: float


def decode_frames(path: Path | str, indices: Sequence[int] | NDArray[np.int64]) -> Frames:
    """Frames number `indices` of a video, counted from 0: (len(indices), H, W, 3) uint8.

    Decodes from the start to the last frame asked for (vlf/data/seek.py does better where that is
    far). Indices may repeat, in any order.

    Raises:
        VideoError: If the file cannot be decoded or ends before the last frame asked for.
    """
    wanted = np.asarray(indices, dtype=np.int64)
    if wanted.size == 0 or wanted.min() < 0:
        raise ValueError(f"frame indices must be at least 0 and at least one, got {indices}")
    found: dict[int, Frames] = {}
    needed, count = set(wanted.tolist()), 0
    for count, frame in enumerate(_decode(path), start=1):
        if count - 1 in needed:
            found[count - 1] = to_rgb(frame)
            if len(found) == len(needed):
                break
    if len(found) < len(needed):
        raise _short(path, count, int(wanted.max()))
    return stack(path, found, wanted.tolist())


def stack(path: Path | str, found: Mapping[int, Frames], wanted: Sequence[int]) -> Frames:
    """The frames `wanted` of those that were found, by number: (len(wanted), H, W, 3) uint8.

    Raises:
        VideoError: If they are of several sizes.
    """
    if len({frame.shape for frame in found.values()}) > 1:
        raise VideoError(f'"{path}" changes its frame size on the way')
    return np.stack([found[i] for i in wanted])


def to_rgb(frame: av.VideoFrame) -> Frames:
    """(H, W, 3) uint8."""
    return cast(Frames, frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False))


def count_frames(path: Path | str) -> int:
    """Number of frames of a video, from its packets: nothing is decoded, as that would take long.

    Raises:
        VideoError: If the file cannot be read or has no frame.
    """
    with open_stream(path) as (container, stream):
        # A packet without content flushes; one to discard lies outside of the edited film.
        count = sum(1 for p in container.demux(stream) if p.size and not p.is_discard)
    if count == 0:
        raise VideoError(f'"{path}" has no frame')
    return count


def iterate_frames(path: Path | str, start: int = 0, end: int | None = None) -> Iterator[Frames]:
    """Frames `start` to `end` (which is not among them) in turn: (H, W, 3) uint8 each.

    Raises:
        VideoError: If the file cannot be decoded, or ends before `end`.
    """
    number = -1
    for number, frame in enumerate(_decode(path)):
        if number >= start:
            yield to_rgb(frame)
        if end is not None and number + 1 >= end:
            return
    if end is not None:
        raise _short(path, number + 1, end - 1)


def read_times(path: Path | str) -> Times:
    """When frames are shown, from packets: nothing is decoded. For variable frame rates.

    Raises:
        VideoError: If the file cannot be read, has no frame, or ends well before its header says.
    """
    with open_stream(path) as (container, stream):
        packets = [p for p in container.demux(stream) if p.size]
        promised = stream.frames
        # Beside sound the header may tell the length of the sound.
        lasts = container.duration if len(container.streams) == 1 else None
        base = float(stream.time_base or 0)
    kept = [p for p in packets if not p.is_discard]
    if not kept:
        raise VideoError(f'"{path}" has no frame')
    if len(packets) < promised * WHOLE - 2:
        raise VideoError(f'"{path}" is truncated: {len(packets)} of {promised} frames are there')
    stamps = [p.pts for p in kept if p.pts is not None]
    if not base or len(stamps) < len(kept):
        return Times(np.empty(0), len(kept), 0.0)
    order = np.argsort(stamps)
    shown = np.array(stamps, dtype=np.float64)[order] * base
    last = (kept[order[-1]].duration or 0) * base
    if not last and len(shown) > 1:
        last = float(np.median(np.diff(shown)))
    end = float(shown[-1]) + last
    if lasts and not promised and end < lasts / av.time_base * WHOLE - 0.5:
        raise VideoError(
            f'"{path}" is truncated: its frames end after {end:.1f} of {lasts / av.time_base:.1f} s'
        )
    return Times(shown, len(kept), end)


def _short(path: Path | str, count: int, asked: int) -> ShortVideoError:
    error = ShortVideoError(f'"{path}" has {count} frames; frame {asked} was asked for')
    error.count = count
    return error


def _decode(path: Path | str) -> Iterator[av.VideoFrame]:
    with open_stream(path) as (container, stream):
        yield from container.decode(stream)


@contextmanager
def open_stream(path: Path | str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the first video stream; what FFmpeg raises meanwhile becomes one line."""
    try:
        # Absolute, or a name such as "pipe:" is a protocol; and no file sends FFmpeg to a network.
        with av.open(
            os.path.abspath(path), options=OPTIONS, metadata_errors="replace"
        ) as container:
            if not container.streams.video:
                raise VideoError(f'"{path}" has no video stream')
            stream = container.streams.video[0]
            if not isinstance(stream.codec_context, av.VideoCodecContext):
                raise VideoError(f'"{path}" has a video stream of an unknown codec')
            # One thread: a training process has the threads that its config gives it.
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            yield container, stream
    except FileNotFoundError:
        raise VideoError(f'no such video: "{path}"') from None
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoError(f'"{path}" cannot be decoded: {reason}') from error


def write_video(
    path: Path | str, frames: Iterable[Frames], fps: int = 12, crf: int = 12, chroma: bool = True
) -> None:
    """Write (H, W, 3) uint8 frames as an H.264 file, one video frame a frame.

    Args:
        path: Where; the container follows from the suffix, such as .mp4.
        frames: At least one, all of one shape.
        fps: Frames a second.
        crf: x264's quality: 0 is the best, 51 the worst, 18 is hard to tell from the source.
        chroma: Colour at full resolution (yuv444p); else halved each way (yuv420p), which every
            player can show and which needs even sides.
    """
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.pix_fmt = "yuv444p" if chroma else "yuv420p"
        # One thread also makes the file the same on every machine with the same library.
        stream.options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
