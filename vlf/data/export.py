"""Write the embedded clips as files that the readers of real data read.

    python -m vlf.data.export ablations/exported.yaml --as h264 --out data/exported/h264
    python -m vlf.data.export ablations/exported.yaml --as frames --out data/exported/frames

takes the clips that a study's `base.data` makes (`motion`): an H.264 file a clip, for `video_list`,
or a folder of JPEG images a clip, for `frames`; with train.txt, val.txt, test.txt and classes.txt.
`python -m vlf.data.pack data/exported/h264/train.txt --out ...` makes packed ones of the former.

Frames are written with a margin, in which their edge is repeated: as wide as in-memory training
moves a clip. So a reader with `size` and `short_side` as printed cuts just the clips that training
in memory sees: any of them in training, the clip itself in testing.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast, get_args

import av
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from vlf.config import MotionConfig
from vlf.config.output import end_quietly
from vlf.data import Split
from vlf.data.datasets.motion import CLASSES, Motion, largest_shift
from vlf.data.preparation.study_data import StudyDataError, read_base_data
from vlf.data.preparation.write_video import write_video
from vlf.data.readers.picture import Frames

CRF, QUALITY = 8, 95  # of x264 and of JPEG: the clips are small and drawn, so both are high
TEMPLATE = "img_{:05d}.jpg"  # as `frames` expects
CODEC = "libx264"

Write = Callable[[Path, str, Frames], str]  # folder, name, (T, H, W, 3) -> begin of its line


def write_h264(folder: Path, name: str, frames: Frames) -> str:
    """A video at full colour: at 32 pixels a side, half of it would be a blur."""
    write_video(folder / f"{name}.mp4", frames, crf=CRF, chroma=True)
    return f"{name}.mp4"


def write_images(folder: Path, name: str, frames: Frames) -> str:
    """A folder of JPEG images, numbered from 1, at full colour."""
    (folder / name).mkdir(exist_ok=True)
    for number, frame in enumerate(frames, start=1):
        path = folder / name / TEMPLATE.format(number)
        Image.fromarray(frame).save(path, quality=QUALITY, subsampling=0)
    return f"{name} {len(frames)}"


FORMS: dict[str, tuple[str, Write]] = {  # --as -> (dataset that reads it, what writes it)
    "h264": ("video_list", write_h264),
    "frames": ("frames", write_images),
}


def export(config: MotionConfig, folder: Path, form: str, console: Console | None = None) -> int:
    """Write all clips, lists and class names; how many clips.

    Args:
        config: The clips.
        folder: Made if missing; what it holds under the same names is overwritten.
        form: A key of FORMS.
        console: Where progress is shown; None shows none.
    """
    _, write = FORMS[form]
    count = 0
    for split in get_args(Split):
        clips = Motion(config, split)
        (folder / split).mkdir(parents=True, exist_ok=True)
        lines = []
        numbered = track(
            list(enumerate(clips.labels.tolist())), split, console=console, disable=not console
        )
        for index, label in numbered:
            front = write(folder, f"{split}/{index:05d}", _with_margin(clips, index))
            lines.append(f"{front} {label}\n")
        (folder / f"{split}.txt").write_text("".join(lines), "utf-8")
        count += len(clips)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES), "utf-8")
    return count


def _with_margin(clips: Motion, index: int) -> Frames:
    """A clip with the edge that moving it shows: (T, S + 2 m, S + 2 m, 3) uint8."""
    frames = clips.load_views(index)[0].permute(0, 2, 3, 1).numpy()
    margin = largest_shift(clips.config.size)
    padded = np.pad(frames, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="edge")
    return cast(Frames, padded)


def reading(config: MotionConfig, folder: Path, form: str) -> str:
    """The line of a study file that reads what was exported."""
    return (
        f"data: {{name: {FORMS[form][0]}, root: {folder}, num_classes: {len(CLASSES)}, "
        f"class_names: classes.txt, frames: {config.frames}, size: {config.size}, "
        f"short_side: {config.size + 2 * largest_shift(config.size)}}}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0, or 2 for a study without embedded clips or a codec that is not there."""
    parser = argparse.ArgumentParser(
        prog="python -m vlf.data.export",
        description="Write the embedded clips of a study as video files or images, with lists.",
    )
    parser.add_argument("study", type=Path, metavar="STUDY")
    parser.add_argument("--as", dest="form", choices=[*FORMS], required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args(argv)
    try:
        config = read_base_data(args.study)
        if not isinstance(config, MotionConfig):
            text = f"base.data.name: must be motion, whose clips are made; got {config.name}"
            raise StudyDataError(f"{args.study}: {text}")
        if args.form == "h264" and CODEC not in av.codecs_available:
            raise StudyDataError(f"--as h264: this PyAV has no encoder {CODEC}; frames needs none")
        count = export(config, args.out, args.form, Console(stderr=True))
    except (StudyDataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {count} clips, {len(CLASSES)} classes; a study reads them with")
    print(f"  {reading(config, args.out, args.form)}")
    return 0


if __name__ == "__main__":
    sys.exit(end_quietly(main))
