"""The embedded clips: no download, made from a seed, and the label is in the motion.

In the spirit of Something-Something's templates (Goyal et al. 2017, arXiv:1706.04261): a dart
moves, its ring beside it, or grows or turns; or dart and ring go toward or away from each other.
Meanwhile a distractor has a motion of its own, the camera shakes, the picture is noisy.
`scenes.py` says what moves and why no frame tells the label; `drawing.py` draws.

    python -m vlf.data.export ablations/factorization.yaml --as h264 --out FOLDER

writes the clips as video files or images with annotation lists (vlf/data/export.py).

Shapes: N clips, T frames, S pixels a side.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from vlf.config import MotionConfig
from vlf.data import Split
from vlf.data.datasets.scenes import CLASSES, MIRROR, Indices, draw_clips, draw_scenes, label_of
from vlf.data.seeds import rng

__all__ = ["CLASSES", "MIRROR", "Motion", "draw", "largest_shift"]

BLOCK_BYTES = 2**20  # drawn at a time, as bytes of the finished clips: what caches hold
KEEP_BYTES = 2**30  # a split of more bytes is drawn clip by clip, when asked for
SHIFT = 1 / 16  # of the frame: training clips are moved by up to so much each way


class Motion:
    """One split of the embedded clips.

    A clip depends on the data's seed, the split and its own number: another `frames` or `size`
    shows the same scene at more moments or more finely, and a larger split begins with the clips
    of a smaller one. Splits have seeds of their own.
    """

    classes = CLASSES
    heads: Mapping[str, int] = {"": len(CLASSES)}
    views = 1
    notes: tuple[str, ...] = ()

    def __init__(self, config: MotionConfig, split: Split) -> None:
        counts = {"train": config.train_clips, "val": config.val_clips, "test": config.test_clips}
        count = min(counts[split], config.limit or counts[split])
        self.config, self.split = config, split
        self.labels = torch.from_numpy(label_of(np.arange(count)))
        bytes_in_all = count * config.frames * 3 * config.size**2
        self._clips = draw(config, split, np.arange(count)) if bytes_in_all <= KEEP_BYTES else None

    def __len__(self) -> int:
        return len(self.labels)

    def load(self, index: int, rng: np.random.Generator) -> Tensor:
        """The clip, moved a little as a whole, edges repeated: (T, 3, S, S) uint8."""
        size = self.config.size
        most = largest_shift(size)
        down, right = rng.integers(-most, most + 1, 2).tolist()
        rows = (torch.arange(size) + down).clamp_(0, size - 1)
        columns = (torch.arange(size) + right).clamp_(0, size - 1)
        return self._clip(index).index_select(2, rows).index_select(3, columns)

    def load_views(self, index: int) -> Tensor:
        """The clip as it is: (1, T, 3, S, S) uint8."""
        return self._clip(index)[None]

    def _clip(self, index: int) -> Tensor:
        if self._clips is not None:
            return self._clips[index]
        return draw(self.config, self.split, np.array([index]))[0]


def draw(config: MotionConfig, split: Split, index: Indices) -> Tensor:
    """Draw the clips numbered `index`, also beyond the split's end: (N, T, 3, S, S) uint8."""
    frames, size = config.frames, config.size
    clips = torch.empty((len(index), frames, 3, size, size), dtype=torch.uint8)
    block = max(1, BLOCK_BYTES // clips[:1].nbytes) if len(index) else 1
    for start in range(0, len(index), block):
        some = index[start : start + block]
        noise = [rng("noise", config.seed, split, int(i)) for i in some]
        scenes = draw_scenes(config.seed, split, some)
        clips[start : start + block] = torch.from_numpy(draw_clips(scenes, frames, size, noise))
    return clips


def largest_shift(size: int) -> int:
    """Largest shift of a training clip of side `size`, in pixels."""
    return max(1, round(SHIFT * size))
