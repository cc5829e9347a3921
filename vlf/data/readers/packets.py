"""One pass over a video file: time stamps of its packets and of pictures that it shows."""

from __future__ import annotations  # PyAV's Packet has a parameter for type checkers alone

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vlf.data.readers.container import AVI, MATROSKA, MOV, VideoError, open_decoder, open_stream

WHOLE = 0.9  # of what a header promises; containers round, and some codecs skip a frame
LENGTH_IN_HEADER = (MOV, MATROSKA, "flv")  # of other containers FFmpeg estimates it
# Encoders hide pictures that only serve to predict others; of other codecs than these a packet
# shows a picture (of AV1 a temporal unit).
HIDING = ("vp8", "vp9")
NOT_CODED = ("mpeg4",)  # codecs with packets that say: the picture before this stays


class LostError(Exception):
    """A seek did not lead to what the index says, or a frame did not come."""


@dataclass(frozen=True)
class Stamp:
    """When a packet is decoded and shown, in the stream's unit.

    Attributes:
        pts: When its picture is shown; None if it is not known.
        dts: When it is decoded; None if it is not known.
        duration: How long its picture is shown; 0 if it is not known.
        is_key: Whether decoding can begin here.
        pictures: Pictures that it shows.
    """

    pts: int | None
    dts: int | None
    duration: int
    is_key: bool
    pictures: int


@dataclass
class Scan:
    """Results of a pass over a file.

    Attributes:
        container: FFmpeg's name of it.
        codec: FFmpeg's name of it.
        is_intra: Whether all pictures of this codec are coded by themselves.
        base: Unit of stamps in seconds.
        rate: Pictures a second, as the header says.
        promised: Pictures (in AVI, moments) that the header promises; 0 if it does not say.
        reorders: Whether pictures may be shown in another order than that of their packets.
        packets: Of the video stream, those to discard left out.
        pictures: Stamps of the pictures that were decoded, in the order in which they are shown.
        moments: When packets of these pictures are decoded, in order: of containers that have no
            other stamps, when pictures are shown.
        waiting: The same of packets whose pictures the decoder holds back.
        is_interlaced: Whether a picture may be two fields, of a packet each.
    """

    container: str
    codec: str
    is_intra: bool
    base: Fraction
    rate: Fraction
    promised: int
    reorders: bool
    packets: list[Stamp] = field(default_factory=list)
    pictures: list[int | None] = field(default_factory=list)
    moments: list[int | None] = field(default_factory=list)
    waiting: list[int | None] = field(default_factory=list)
    is_interlaced: bool = False


def scan_file(path: Path | str, pictures: int | None) -> Scan:
    """Read all packets, and decode some pictures from the start; None decodes all.

    Raises:
        VideoError: If the file cannot be read, or is truncated.
    """
    with open_stream(path) as (container, stream):
        codec = stream.codec_context.codec
        scan = Scan(
            container.format.name,
            codec.canonical_name,  # its name may be libdav1d
            codec.intra_only,
            stream.time_base or Fraction(1, av.time_base),
            stream.average_rate or stream.guessed_rate or Fraction(25),
            _promised_by(container.format.name, stream),
            bool(stream.codec_context.has_b_frames),
        )
        clock, read, decoder = _Clock(), 0, open_decoder(stream)
        for packet in container.demux():
            clock.note(packet)
            if packet.stream is stream:  # the last packet of each stream, to flush it, has no index
                read += bool(packet.size)
                is_kept = bool(packet.size and not packet.is_discard)
                if is_kept:
                    scan.packets.append(read_stamp(packet, scan.codec))
                if pictures is None or len(scan.pictures) < pictures:
                    _decode(scan, decoder, packet, is_kept)
        _check_length(path, scan, read, clock, container)
    return scan


def _promised_by(container: str, stream: VideoStream) -> int:
    if container == MOV:  # of which an edit list may leave frames out
        return min(stream.frames, len(stream.index_entries))
    return stream.frames


def _decode(scan: Scan, decoder: av.VideoCodecContext, packet: Packet[Any], is_kept: bool) -> None:
    if is_kept and scan.packets[-1].pictures:
        scan.waiting.append(packet.dts)
    for frame in decoder.decode(packet):
        scan.pictures.append(frame.pts)
        scan.is_interlaced |= frame.interlaced_frame
        scan.moments.append(scan.waiting.pop(0) if scan.waiting else frame.pts)
    # A decoder holds one picture back where there are B-frames. It has more: none came of this one.
    delay = int(decoder.has_b_frames)
    if is_kept and scan.codec in NOT_CODED and len(scan.waiting) > delay:
        scan.waiting.pop()


def read_stamp(packet: Packet[Any], codec: str) -> Stamp:
    """Stamps of a packet that has content."""
    shown = count_shown(codec, memoryview(packet)) if codec in HIDING else 1
    return Stamp(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, shown)


def count_shown(codec: str, packet: memoryview) -> int:
    """Pictures that a packet shows.

    Args:
        codec: FFmpeg's name of it.
        packet: At least one byte.
    """
    if codec == "vp8":
        return packet[0] >> 4 & 1  # show_frame (RFC 6386, 9.1)
    if codec == "vp9":
        return sum(map(_is_shown_vp9, _split_superframe(packet)))
    return 1


def _is_shown_vp9(header: int) -> bool:
    """True if a frame that begins with this byte is shown (VP9 bitstream specification, 6.2)."""
    if header >> 4 & 3 == 3:  # profile 3 has one more bit
        header <<= 1
    shows_existing, show_frame = header & 8, header & 2
    return bool(shows_existing or show_frame)


def _split_superframe(packet: memoryview) -> list[int]:
    """First byte of each frame of a VP9 packet (VP9 bitstream specification, annex B)."""
    last = packet[-1]
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    index = len(packet) - 2 - count * width
    if last & 0xE0 != 0xC0 or index < 0 or packet[index] != last:
        return [packet[0]]
    headers, start = [], 0
    for number in range(count):
        at = index + 1 + number * width
        if start < index:
            headers.append(packet[start])
        start += int.from_bytes(packet[at : at + width], "little")
    return headers


@dataclass
class _Clock:
    """From when to when the streams of a file last, in seconds."""

    first: float = float("inf")
    last: float = 0.0

    def note(self, packet: Packet[Any]) -> None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if packet.size and stamp is not None and packet.time_base:
            self.first = min(self.first, float(stamp * packet.time_base))
            self.last = max(self.last, float((stamp + (packet.duration or 0)) * packet.time_base))


def _check_length(
    path: Path | str, scan: Scan, read: int, clock: _Clock, container: InputContainer
) -> None:
    """Raise VideoError if less than nine tenths of what the header promises are there."""
    if scan.container == AVI:  # packets without content count: the picture before them stays
        last = scan.packets[-1].dts if scan.packets else None
        read = read if last is None else last + 1
    if read + 1 < scan.promised * WHOLE:
        said = f"{read} of {scan.promised} frames are there"
        raise VideoError(f'"{path}" is truncated: {said}')
    if scan.container in LENGTH_IN_HEADER and not scan.promised and container.duration:
        end = container.duration / av.time_base
        start = clock.first if clock.first < end else 0.0
        if clock.last - start + 1 / float(scan.rate) < (end - start) * WHOLE:
            said = f"it ends after {clock.last:.1f} of {end:.1f} s"
            raise VideoError(f'"{path}" is truncated: {said}')


def packets_before(
    container: InputContainer,
    stream: VideoStream,
    stamp: int,
    is_key: bool = False,
) -> Iterator[Packet[VideoStream]]:
    """Packets from a keyframe on that is shown no later than `stamp`; from it, if it `is_key`.

    Raises:
        LostError: If seeks lead nowhere before `stamp`, or the first does not and it `is_key`.
    """
    first, back, target = stream.start_time or 0, 0, stamp
    while True:
        container.seek(target, stream=stream)
        packets = container.demux(stream)
        packet = next(packets)
        if packet.is_keyframe and packet.pts is not None and packet.pts <= stamp:
            yield packet
            yield from packets
            return
        if is_key or target <= first:
            raise LostError
        # Where a frame is decoded and where it is shown differ: a seek may land behind the moment.
        back = 2 * back or round(1 / (stream.time_base or 1))
        target = max(first, stamp - back)
