"""Frame sampling: the frames of a video that make a clip.

Segments are TSN's (Wang et al. 2016, arXiv:1608.00859); dense clips, as I3D and SlowFast
(Feichtenhofer et al. 2019, arXiv:1812.03982) take them, are frames at a fixed distance.
"""

import numpy as np
from numpy.typing import NDArray

from vlf.config import ListedData

Indices = NDArray[np.int64]


def draw_indices(num_frames: int, how: ListedData, rng: np.random.Generator) -> Indices:
    """Frames of a training clip, as `how.sampling` says: (T,), ascending, in [0, num_frames)."""
    if how.sampling == "segments":
        return segment_indices(num_frames, how.frames, rng)
    if how.sampling == "uniform":
        return _within(num_frames, np.arange(how.frames) + rng.random(), how.frames)
    room = num_frames - _span(how)
    return _run(num_frames, int(rng.integers(0, room + 1)) if room > 0 else 0, how)


def fixed_indices(num_frames: int, how: ListedData) -> Indices:
    """Frames of the test views, crops not counted: (views, T).

    Dense clips lie equally far from each other, the first at the video's beginning and the last at
    its end; a single one lies in the middle.
    """
    if how.sampling != "dense":
        return view_indices(num_frames, how.frames, how.views)
    room = max(0, num_frames - _span(how))
    shares = np.linspace(0, 1, how.views) if how.views > 1 else np.array([0.5])
    return np.stack([_run(num_frames, int(start), how) for start in np.floor(shares * room)])


def _span(how: ListedData) -> int:
    return (how.frames - 1) * how.stride + 1


def _run(num_frames: int, start: int, how: ListedData) -> Indices:
    """`stride` apart from `start` on; a video that ends before shows its last frame again."""
    if num_frames < 1:
        raise ValueError(f"a video has at least one frame, got {num_frames}")
    index = start + how.stride * np.arange(how.frames, dtype=np.int64)
    return np.minimum(index, num_frames - 1)


def segment_indices(num_frames: int, frames: int, rng: np.random.Generator | None) -> Indices:
    """One frame of each of `frames` equal segments: (frames,), ascending, in [0, num_frames).

    `rng` draws within each segment, as in training; None takes its centre, as in testing. A video
    of fewer frames than segments shows some of them more than once.
    """
    where = 0.5 if rng is None else rng.random(frames)
    return _within(num_frames, np.arange(frames) + where, frames)


def view_indices(num_frames: int, frames: int, views: int) -> Indices:
    """The centres of `views` equal parts of every segment: (views, frames).

    One view is the centre of the segments; more are shifts of it, equally far from each other.
    """
    shifts = (np.arange(views) + 0.5) / views
    return np.stack([_within(num_frames, np.arange(frames) + s, frames) for s in shifts])


def _within(num_frames: int, segment: NDArray[np.floating], frames: int) -> Indices:
    if num_frames < 1:
        raise ValueError(f"a video has at least one frame, got {num_frames}")
    index = np.floor(segment * num_frames / frames).astype(np.int64)
    # Rounding may carry the very end of the last segment over it.
    return np.minimum(index, num_frames - 1)
