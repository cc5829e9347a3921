"""Opening a video file with PyAV, which carries its own FFmpeg."""

from __future__ import annotations  # PyAV's Packet has a parameter for type checkers alone

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

MOV, MATROSKA, AVI = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi"
# Names of FFmpeg's demuxers of films. Others read lists of files, pictures, sound or raw pixels.
CONTAINERS = (
    *(MOV, MATROSKA, AVI, "mpegts", "mpeg", "mpegvideo", "flv", "asf", "ogg", "nut", "mxf", "gxf"),
    *("rm", "wtv", "dv", "ivf", "obu", "h264", "hevc", "h263", "m4v", "vc1", "yuv4mpegpipe"),
    *("gif", "apng"),
)
STILLS = ("avif", "heic", "heix", "mif1")  # brands of pictures in an MP4 container
NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image

# Decoders taken in place of FFmpeg's own. Its VP8 decoder hides that the data of a picture end
# early: lower rows keep what was in memory, which depends on how many pictures the caller holds.
# That of libvpx, which browsers use, always gives the same.
DECODERS = {"vp8": "libvpx"}

# No file sends FFmpeg to a network, or to another file.
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(CONTAINERS)}

# FFmpeg's own remarks would come between the lines of the live view; errors still are raised.
av.logging.set_level(None)


class VideoError(ValueError):
    """A file that cannot be decoded, or does not have the frame asked for; names the file."""


@contextmanager
def open_stream(path: Path | str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the video stream that players choose; what FFmpeg raises meanwhile becomes one line.

    Raises:
        VideoError: If the file cannot be read, or is a list of files, a picture or sound.
    """
    try:
        with _open(path) as container:
            stream = _choose_stream(path, container)
            # One thread: a training process has the threads that its config gives it.
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            yield container, stream
    except FileNotFoundError:
        raise VideoError(f'no such video: "{path}"') from None
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoError(f'"{path}" cannot be decoded: {reason}') from error


def decode(stream: VideoStream, packets: Iterable[Packet[VideoStream]]) -> Iterator[av.VideoFrame]:
    """Pictures of packets, in the order in which a decoder that begins anew gives them."""
    decoder = open_decoder(stream)
    for packet in packets:
        yield from decoder.decode(packet)


def open_decoder(stream: VideoStream) -> av.VideoCodecContext:
    """The decoder of a stream, with one thread."""
    name = DECODERS.get(stream.codec_context.codec.canonical_name)
    if name is None:
        return stream.codec_context
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    return decoder


def _open(path: Path | str) -> InputContainer:
    try:
        # Absolute, or a name such as "pipe:" is a protocol.
        return av.open(os.path.abspath(path), options=OPTIONS, metadata_errors="replace")
    except av.ArgumentError:  # of a container outside of the list
        said = "is no video file but a list of files, a picture, sound or an unknown container"
        raise VideoError(f'"{path}" {said}') from None


def _choose_stream(path: Path | str, container: InputContainer) -> VideoStream:
    films = [stream for stream in container.streams.video if not stream.disposition & NO_FILM]
    if not films or container.metadata.get("major_brand") in STILLS:
        still = " but a picture" if container.streams.video else ""
        raise VideoError(f'"{path}" has no video stream{still}')
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in films else films[0]
    if not isinstance(stream.codec_context, av.VideoCodecContext):
        raise VideoError(f'"{path}" has a video stream of an unknown codec')
    return stream
