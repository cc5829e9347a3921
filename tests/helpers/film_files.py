"""Tiny films in the containers that datasets come in; frame i is grey of the i-th level."""

from fractions import Fraction

import av
import numpy as np
from PIL import Image

SIDES = (48, 64)  # height, width


def grey(level, sides=SIDES):
    return np.full((*sides, 3), level, np.uint8)


def write_film(
    path,
    frames,
    codec="libx264",
    rate=10,
    options=None,
    stamps=None,
    base=Fraction(1, 1000),
    container_options=None,
):
    """A film of (H, W, 3) uint8 frames; frame i is shown at `stamps[i]` times `base` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.pix_fmt, stream.options = "yuv420p", options or {}
        stream.codec_context.thread_count = 1
        if stamps is not None:
            stream.codec_context.time_base = stream.time_base = base
        for number, picture in enumerate(frames):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def encode(path, levels, codec="libx264", stamps=None, sides=SIDES, **how):
    """A film at 10 frames a second, or with frame i shown at `stamps[i]` milliseconds."""
    return write_film(path, (grey(x, sides) for x in levels), codec, stamps=stamps, **how)


def plain_frames(path):
    """All pictures of a film as PyAV alone decodes them, in one pass: (T, H, W, 3) uint8."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(stream)])


def encode_sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


def save_images(folder, levels, template="img_{:05d}.jpg", first=1):
    folder.mkdir(parents=True, exist_ok=True)
    for number, level in enumerate(levels, start=first):
        Image.fromarray(grey(level)).save(folder / template.format(number))


def levels_of(clip, step=10):
    """Mean brightness of each frame in units of `step`, rounded: (..., 3, H, W) -> nested lists."""
    return (clip.float().mean((-3, -2, -1)) / step).round().int().tolist()


def levels(frames, step=10):
    """Mean brightness of each frame in units of `step`, rounded: (H, W, 3) each."""
    return [round(float(np.asarray(frame).mean()) / step) for frame in frames]
