"""Reads videos in a process of its own, so that a crash of FFmpeg is seen and not shared.

A line of input is a path, a line of output what came of it, as JSON.
"""

import hashlib
import json
import resource
import sys
from itertools import chain, groupby
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vlf.data.readers.container import VideoError
from vlf.data.readers.films import TimedVideo, VideoFile, VideoStretch

MEMORY = 6 * 2**30  # of addresses; a header that promises pictures of gigabytes must not end us


def attempt(call):
    """What a call gives, or its one line; anything else that is raised goes up."""
    try:
        return call(), ""
    except VideoError as error:
        return None, str(error)


def digest(frames):
    return [hashlib.sha256(frame.tobytes()).hexdigest()[:16] for frame in frames]


def bare(path, holds):
    """Frames that FFmpeg gives without our reader, and the error that it raised, if any.

    Holding them gives the decoder fresh memory for each, where it else has that of earlier ones.
    """
    frames, held = [], []
    converter = VideoReformatter()  # a frame's own would keep its threads as long as the frame
    try:
        with av.open(path, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if stream is None or stream.codec_context is None:
                return frames, "no stream"
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            decoder = stream.codec_context
            if decoder.codec.canonical_name == "vp8":  # FFmpeg's own is not repeatable
                decoder = av.CodecContext.create("libvpx", "r")
                decoder.thread_count = 1
            packets = container.demux(stream)
            for frame in chain.from_iterable(decoder.decode(packet) for packet in packets):
                frames.append(converter.reformat(frame, format="rgb24").to_ndarray())
                if holds:
                    held.append(frame)
    except (av.FFmpegError, OSError, IndexError) as error:
        return frames, repr(error)
    return frames, ""


def is_as_shown(ours, theirs):
    """Whether ours are FFmpeg's pictures in its order; one before a lost picture is repeated."""
    rest = iter(theirs)
    return all(frame in rest for frame, _ in groupby(ours))


def read(path):
    film = VideoFile(Path(path))
    whole, why = attempt(lambda: [*film.iterate(0, film.count())])
    same = True
    if whole is not None:
        for holds in (False, True):
            plain, raised = bare(path, holds)
            assert not raised, raised
            same &= is_as_shown(digest(whole), digest(plain))
    lines = [why]
    for film in (VideoFile(Path(path)), TimedVideo(Path(path))):
        count, why = attempt(film.count)
        lines.append(why)
        if count:
            some = np.linspace(0, count - 1, 4).astype(np.int64)
            frames, why = attempt(lambda film=film, some=some: film.decode(some))
            lines.append(why)
            assert frames is None or (frames.shape[0], frames.shape[3]) == (4, 3)
    lines.append(attempt(lambda: VideoFile(Path(path)).decode(np.array([3, 79])))[1])
    lines.append(attempt(lambda: [*VideoStretch(Path(path), 2.0, 3.0).iterate(0, 2)])[1])
    told = [line for line in lines if line]
    assert all("\n" not in line and path in line for line in told), told
    return {"frames": None if whole is None else digest(whole), "told": told, "same": same}


def main():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        print(json.dumps(read(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
