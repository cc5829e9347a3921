"""Which frames of a video make a clip: TSN's segments (Wang et al. 2016, arXiv:1608.00859)."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


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
