"""Writing video files with PyAV, which carries its own FFmpeg."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vlf.data.readers.picture import Frames


def write_video(
    path: Path | str,
    frames: Iterable[Frames],
    fps: int = 12,
    crf: int = 12,
    chroma: bool = True,
    preset: str = "veryfast",
    **options: str,
) -> None:
    """Write (H, W, 3) uint8 frames as an H.264 file, one video frame a frame.

    Args:
        path: Where; the container follows from the suffix, such as .mp4.
        frames: At least one, all of one shape.
        fps: Frames a second.
        crf: x264's quality: 0 is the best, 51 the worst, 18 is hard to tell from the source.
        chroma: Colour at full resolution (yuv444p); else halved each way (yuv420p), which every
            player can show and which needs even sides.
        preset: x264's trade of time for size.
        options: Of the encoder.
    """
    with av.open(str(path), mode="w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.pix_fmt = "yuv444p" if chroma else "yuv420p"
        # One thread also makes the file the same on every machine with the same library.
        stream.options = {"crf": str(crf), "preset": preset, "threads": "1", **options}
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
