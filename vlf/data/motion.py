"""The embedded clips: no download, made from a seed, and the label is in the motion.

In the spirit of Something-Something's templates (Goyal et al. 2017, arXiv:1706.04261): a dart
moves, its ring beside it, or grows or turns; or dart and ring go toward or away from each other.
Meanwhile a distractor has a motion of its own, the camera shakes, the picture is noisy.
`vlf/data/scenes.py` says what moves and why no frame tells the label; `vlf/data/drawing.py` draws.

    python -m vlf.data.motion --export FOLDER

writes the clips as H.264 files with annotation lists, for `video_list`.

Shapes: N clips, T frames, S pixels a side.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from vlf.config import MotionConfig
from vlf.data import Split
from vlf.data.drawing import draw_clips
from vlf.data.scenes import CLASSES, MIRROR, Indices, draw_scenes, label_of
from vlf.data.seeds import rng
from vlf.data.video import write_video

__all__ = ["CLASSES", "MIRROR", "Motion", "draw", "export"]

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
        most = max(1, round(SHIFT * size))
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


def export(config: MotionConfig, folder: Path, crf: int = 8) -> None:
    """Write all clips as H.264 files, one video frame a frame, with lists and class names.

    The folder then is a `data.root` of `video_list`: train.txt, val.txt, test.txt, classes.txt.
    """
    for split in get_args(Split):
        clips = Motion(config, split)
        (folder / split).mkdir(parents=True, exist_ok=True)
        lines = []
        for index, label in enumerate(clips.labels.tolist()):
            name = f"{split}/{index:05d}.mp4"
            frames = clips.load_views(index)[0].permute(0, 2, 3, 1).numpy()
            # Colour at full resolution: at 32 pixels a side, half of it would be a blur.
            write_video(folder / name, frames, crf=crf, chroma=True)
            lines.append(f"{name} {label}\n")
        (folder / f"{split}.txt").write_text("".join(lines), "utf-8")
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES), "utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Export the clips; return 0."""
    default = MotionConfig()
    parser = argparse.ArgumentParser(
        prog="python -m vlf.data.motion",
        description="Write the embedded clips as H.264 files with annotation lists.",
    )
    parser.add_argument("--export", type=Path, required=True, metavar="FOLDER")
    for split, count in (("train", 2000), ("val", 400), ("test", 1000)):
        help_ = f"clips of this split ({count})"
        parser.add_argument(f"--{split}", type=int, default=count, metavar="CLIPS", help=help_)
    parser.add_argument("--frames", type=int, default=default.frames)
    # Twice the usual clip: reading crops a little, and takes its pixels from finer ones.
    parser.add_argument("--size", type=int, default=2 * default.size, help="pixels a side")
    parser.add_argument("--seed", type=int, default=default.seed, help="of the data")
    args = parser.parse_args(argv)
    try:
        config = MotionConfig(
            frames=args.frames,
            size=args.size,
            seed=args.seed,
            train_clips=args.train,
            val_clips=args.val,
            test_clips=args.test,
        )
    except ValueError as error:
        parser.error(str(error))
    export(config, args.export)
    print(f"{args.export}: {args.train + args.val + args.test} clips, {len(CLASSES)} classes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
