"""The frames of a film: when each is shown, and where decoding can begin.

Time stamps of packets make the index, and nothing but the first frames is decoded, where they can
be trusted: the container stores them, a packet shows one picture or says that it shows none, and
the first pictures decoded are those that the packets announce. Else the film is decoded once, and
its frames are the pictures that come.

Shapes: N frames of a film or of a part of it, K keyframes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vlf.data.readers.container import AVI, MATROSKA, MOV, VideoError, decode, open_stream
from vlf.data.readers.packets import (
    NOT_CODED,
    WHOLE,
    LostError,
    Scan,
    Stamp,
    packets_before,
    read_stamp,
    scan_file,
)

Numbers = NDArray[np.int64]

CODECS = ("h264", "hevc", "vp8", "vp9", "av1")  # beside those of which every picture is a keyframe
STORED = (MOV, MATROSKA, "mpegts", "flv")  # containers with stamps of when pictures are shown
SEEKABLE = (MOV, MATROSKA)  # of which a part can be read by itself
RESTARTING = ("mpegts", "mpeg")  # recordings put one behind the other, each with its own clock
JUMP_S = 10  # a longer gap in such containers is another clock; as in FFmpeg's own program
# Of these FFmpeg makes up when pictures are shown.
UNTIMED = (AVI, "h264", "hevc", "m4v", "h263", "mpegvideo", "vc1", "obu")
HEAD = 8  # pictures decoded to see whether packets announce what comes


@dataclass(frozen=True)
class FrameIndex:
    """Frames of a film, or of a part of it.

    Attributes:
        shown: (N,) time stamps, ascending.
        base: Their unit in seconds.
        end: When the last frame ends.
        keys: (K,) numbers of the frames at which decoding can begin, ascending, the first 0 (of a
            whole film its start, wherever its first keyframe is).
        pictures: (N,) which picture of those that the decoder gives from the start each frame is;
            None if a frame is the picture with its time stamp.
        is_part: Whether the first frame is not the film's first.
    """

    shown: Numbers
    base: Fraction
    end: int
    keys: Numbers
    pictures: Numbers | None = None
    is_part: bool = False

    def seconds(self) -> NDArray[np.float64]:
        """When frames are shown: (N,)."""
        return self.shown.astype(np.float64) * np.float64(self.base)


def read_index(path: Path) -> FrameIndex:
    """Read the index of a whole film.

    Raises:
        VideoError: If the file cannot be read, has no frame, or less than nine tenths of what its
            header promises.
    """
    scan = scan_file(path, HEAD)
    index = _from_packets(scan) or _decode_index(path)
    if not len(index.shown):
        raise VideoError(f'"{path}" has no frame')
    if scan.container == "gif" and len(index.shown) == 1:
        raise VideoError(f'"{path}" has no video stream but a picture')
    return index


def read_settled(path: Path, index: FrameIndex) -> FrameIndex:
    """Index of a film of which not all frames came: the picture before a lost one stays.

    Raises:
        VideoError: If less than nine tenths of the frames can be decoded.
    """
    came = _decode_index(path).shown
    pictures = np.maximum(np.searchsorted(came, index.shown, side="right") - 1, 0)
    return replace(index, keys=np.zeros(1, np.int64), pictures=pictures.astype(np.int64))


def _decode_index(path: Path) -> FrameIndex:
    """Index of the pictures that come when the whole film is decoded.

    Raises:
        VideoError: If they are less than nine tenths of those that packets announce.
    """
    scan = scan_file(path, None)
    if scan.codec not in NOT_CODED and not scan.is_interlaced:
        first = scan.pictures[0] if scan.pictures else None
        announced = [packet for packet in scan.packets if packet.pictures]
        if scan.container not in UNTIMED and first is not None:  # those before it were cut off
            announced = [s for s in announced if s.pts is not None and s.pts >= first]
        if len(scan.pictures) < WHOLE * len(announced):
            said = f"{len(scan.pictures)} of its {len(announced)} frames can be decoded"
            raise VideoError(f'"{path}" is damaged: {said}')
    return _from_pictures(scan)


def _from_packets(scan: Scan) -> FrameIndex | None:
    """The index as packets say; None if they cannot be trusted."""
    packets = [packet for packet in scan.packets if packet.pictures]
    if scan.container not in STORED or not (scan.is_intra or scan.codec in CODECS) or not packets:
        return None
    jump = JUMP_S / scan.base if scan.container in RESTARTING else None
    index = _in_order(packets, scan.base, scan.reorders, jump)
    if index is None or not scan.pictures or scan.pictures[0] is None:
        return None
    # Leading pictures that refer to what was cut off are announced, and no decoder gives them.
    first = int(np.searchsorted(index.shown, scan.pictures[0]))
    if index.shown[first : first + len(scan.pictures)].tolist() != scan.pictures:
        return None
    keys = np.unique(np.maximum(index.keys - first, 0))
    return replace(index, shown=index.shown[first:], keys=keys)


def _in_order(
    packets: Sequence[Stamp], base: Fraction, reorders: bool, jump: Fraction | None = None
) -> FrameIndex | None:
    """Index of packets whose stamps are unique and make sense, else None."""
    decoded = [packet.dts for packet in packets if packet.dts is not None]
    steps = [after - before for before, after in pairwise(decoded)]
    if steps and (min(steps) < 0 or (jump is not None and max(steps) > jump)):
        return None
    if any(packet.pictures > 1 or packet.pts is None for packet in packets):
        return None
    ordered = sorted(packets, key=lambda packet: packet.pts or 0)
    if reorders and len(packets) > 2 and ordered == packets:
        return None  # stamps of when packets are decoded, as copied from AVI
    shown = np.array([packet.pts for packet in ordered], dtype=np.int64)
    if (np.diff(shown) <= 0).any():
        return None
    keys = [0, *(n for n, packet in enumerate(ordered) if packet.is_key and n)]
    end = int(shown[-1]) + (ordered[-1].duration or _usual(shown))
    return FrameIndex(shown, base, end, np.array(keys, dtype=np.int64))


def _from_pictures(scan: Scan) -> FrameIndex:
    """The index of a film that was decoded to its end."""
    count = len(scan.pictures)
    step = max(1, round(1 / (scan.rate * scan.base)))
    stamps = scan.pictures
    known = [stamp for stamp in stamps if stamp is not None]
    # Stamps that fall are not those of when pictures are shown, as copied from AVI.
    falls = scan.container not in RESTARTING and known != sorted(known)
    if scan.container in UNTIMED or falls:
        stamps = scan.moments
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == count:
        shown = _unroll(np.array(known, dtype=np.int64), scan)
    else:
        shown = np.arange(count, dtype=np.int64) * step
    end = int(shown[-1]) + (_usual(shown) or step) if count else 0
    if scan.container == AVI:
        end = max(end, scan.promised)  # the last picture stays, too
    return FrameIndex(shown, scan.base, end, np.zeros(1, np.int64), np.arange(count))


def _unroll(stamps: Numbers, scan: Scan) -> Numbers:
    """Stamps that never fall: a clock that is set anew goes on from where it was."""
    steps = np.diff(stamps)
    is_new = steps < 0
    if scan.container in RESTARTING:
        is_new |= steps > JUMP_S / scan.base
    if not is_new.any():
        return stamps
    steps = np.where(is_new, _usual(stamps), steps)
    return np.concatenate([stamps[:1], stamps[0] + np.cumsum(steps)]).astype(np.int64)


def _usual(shown: Numbers) -> int:
    """Median step of time; 0 of less than two frames."""
    return round(float(np.median(np.diff(shown)))) if len(shown) > 1 else 0


def read_part(path: Path, start: float, stop: float) -> tuple[FrameIndex, int, int]:
    """The index of a part of a film, and which of its frames are on the screen in that time.

    Of a long film only this part is read, from a keyframe before it on, where the container allows.

    Args:
        path: The video.
        start: In seconds from its first frame.
        stop: The same; a frame that is first shown then is no part of it.

    Returns:
        The index, the number of the first frame, and that of the first one after the last.

    Raises:
        VideoError: If the file cannot be read, or less than nine tenths of that time are in it.
    """
    first, is_seekable = _start_of(path, _state_of(path))
    try:
        index, ended = _read_around(path, first, start, stop) if is_seekable else (None, True)
    except LostError:
        index = None
    if index is None:
        index, ended = _whole_of(path, _state_of(path)), True
        first = int(index.shown[0])
    low, high = (_stamp_of(moment, first, index.base) for moment in (start, stop))
    if ended and index.end - low < WHOLE * (high - low) - _usual(index.shown):
        said = f"ends at {float((index.end - first) * index.base):.2f} s, before the part"
        raise VideoError(f'"{path}" {said} from {start:.2f} to {stop:.2f} s')
    begin = max(0, int(np.searchsorted(index.shown, low, side="right")) - 1)
    return index, begin, int(np.searchsorted(index.shown, high))


def _stamp_of(moment: float, first: int, base: Fraction) -> float:
    """Stamp of a moment; not whole, since the unit of AVI is as long as a frame."""
    return first + round(float(moment / base), 3)


def _read_around(
    path: Path, first: int, start: float, stop: float
) -> tuple[FrameIndex | None, bool]:
    """Index of the part of a film around that time, None if unsure; and whether it ends there."""
    stamps: list[Stamp] = []
    with open_stream(path) as (container, stream):
        base, codec = stream.time_base or Fraction(1), stream.codec_context.codec.canonical_name
        low, high = (_stamp_of(moment, first, base) for moment in (start, stop))
        reorders, ended = bool(stream.codec_context.has_b_frames), True
        for packet in packets_before(container, stream, int(low)):
            if not packet.size or packet.is_discard:
                continue
            if packet.dts is not None and packet.dts >= high:
                ended = False
                break
            stamps.append(read_stamp(packet, codec))
    shown = [
        stamp for stamp in stamps if stamp.pictures and (stamp.pts is None or stamp.pts >= first)
    ]
    index = _in_order(shown, base, reorders) if shown else None
    return index and replace(index, is_part=True), ended


@lru_cache(maxsize=1024)
def _start_of(path: Path, _state: tuple[int, int]) -> tuple[int, bool]:
    """Stamp of the first frame of a film, and whether a part of it can be read by itself."""
    with open_stream(path) as (container, stream):
        codec = stream.codec_context.codec
        is_known = codec.intra_only or codec.canonical_name in CODECS
        for frame in decode(stream, container.demux(stream)):
            is_sure = frame.pts is not None and container.format.name in SEEKABLE and is_known
            return frame.pts or 0, is_sure
    raise VideoError(f'"{path}" has no frame')


@lru_cache(maxsize=16)
def _whole_of(path: Path, _state: tuple[int, int]) -> FrameIndex:
    """Read as `read_index`, once for the many parts of a long film."""
    return read_index(path)


def _state_of(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise VideoError(f'no such video: "{path}"') from None
        raise VideoError(f'"{path}" cannot be decoded: {error.strerror}') from error
    return state.st_size, state.st_mtime_ns
