"""Tiny films in the containers that datasets come in; frame i is grey of the i-th level."""

from fractions import Fraction

import av
import numpy as np
from PIL import Image

SIDES = (48, 64)  # height, width


def grey(level, sides=SIDES):
    return np.full((*sides, 3), level, np.uint8)


def encode(path, levels, codec="libx264", stamps=None, sides=SIDES):
    """A film at 10 frames a second, or with frame i shown at `stamps[i]` milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = *sides, "yuv420p"
        stream.codec_context.thread_count = 1
        if stamps is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(grey(level, sides), format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


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
