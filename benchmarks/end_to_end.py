"""Clips a second from a file to a prediction, beside the model alone, for each form of the clips.

    python benchmarks/end_to_end.py
    python benchmarks/end_to_end.py --model tsm --backbone timm:resnet18 --size 112 --rounds 20

Videos are encoded as `benchmarks/decode.py` does it (H.264, GOP 32), and the same frames packed and
saved as JPEG images. "File to prediction" is what a study's test does with one clip at a time: open
the file, decode, resize, crop (the dataset's `load_views`, nothing cached), normalise, the model,
softmax; one thread. "Model alone" is its forward call of a clip that is there already. In each
round every row takes a turn over all videos, in random order; shares and ratios are of a round's
turns, the medians of which are shown with their quartiles. Files are in the page cache. The weights
are random: they change no time.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from shared import Turn, build, machine, medians, options

import torch
from decode import Files, make_files, ratio_to, time_clips
from PIL import Image
from torch import Tensor

from vlf.config import FramesConfig, ListedData, PackedConfig, VideoListConfig
from vlf.data import open_clips
from vlf.data.datasets.packed import Packing
from vlf.data.footage import find_films
from vlf.data.pack import pack
from vlf.data.preparation.pack_source import find_source
from vlf.data.readers.container import VideoError
from vlf.data.readers.films import VideoFile
from vlf.data.transforms import resize_frames
from vlf.evaluate import normalize
from vlf.models.pixels import IMAGENET

CPU = torch.device("cpu")
ALONE = "model alone"
Answer = Callable[[int], Tensor]  # number of a video -> (1, K)


def save_images(files: Files, side: int) -> Path:
    """Every frame as a JPEG image of short side `side`, with a list for `frames`."""
    root = files.folder / "images"
    lines = []
    for path in files.paths:
        folder = root / path.stem
        folder.mkdir(parents=True)
        film = VideoFile(path)
        for number, frame in enumerate(film.iterate(0, film.count()), start=1):
            small = resize_frames(frame[None], side)[0].permute(1, 2, 0).numpy()
            Image.fromarray(small).save(folder / f"img_{number:05d}.jpg", quality=90)
        lines.append(f"{path.stem} {number} 0\n")
    (root / "test.txt").write_text("".join(lines))
    return root


def find_rows(files: Files, args: argparse.Namespace) -> dict[str, Answer]:
    """Row -> what answers for one video."""
    side = round(args.size * 8 / 7)
    pack(find_source(files.folder / "test.txt", None), files.folder / "packed", Packing(side))
    same = {"train": "test.txt", "val": "", "test": "test.txt", "num_classes": 174}
    shape = {"frames": args.frames, "size": args.size, "short_side": side}
    roots: dict[str, tuple[type[ListedData], Path]] = {
        "H.264 (`video_list`)": (VideoListConfig, files.folder),
        "JPEG frames (`frames`)": (FramesConfig, save_images(files, side)),
        "packed (`packed`)": (PackedConfig, files.folder / "packed"),
    }
    configs = {name: kind(root=str(at), **same, **shape) for name, (kind, at) in roots.items()}
    data = next(iter(configs.values()))
    model = build({"name": args.model, "backbone": args.backbone}, data.model_dump())

    def answer(views: Tensor) -> Tensor:
        return model(normalize(views, CPU, IMAGENET)).float().softmax(dim=1).mean(0, keepdim=True)

    def of_files(config: ListedData) -> Answer:
        clips = open_clips(config, "test")
        clips._room = 0  # a test reads each video once: nothing is kept
        return lambda number: answer(clips.load_views(number))

    ready = normalize(open_clips(data, "test").load_views(0), CPU, IMAGENET)
    return {ALONE: lambda number: model(ready), **{n: of_files(c) for n, c in configs.items()}}


def report(found: dict[str, list[Turn]]) -> None:
    """A row each; the share of the model is its time in the row's."""
    print("| from a file to a prediction | clips/s | ms | CPU, ms | CPU, times the model alone |")
    print("|---|---:|---:|---:|---:|")
    alone = found[ALONE]
    for name, turns in found.items():
        wall, cpu = medians(turns)
        times = "1" if name == ALONE else ratio_to(turns, alone, "cpu_ms")
        print(f"| {name} | {1e3 / wall:.1f} | {wall:.1f} | {cpu:.1f} | {times} |")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a Markdown table; 0, or 2 for a wrong film."""
    numbers = {"videos": 4, "frames": 8, "size": 112, "height": 240, "fps": 30, "gop": 32}
    parser = options(__doc__, backbone="timm:resnet18", **numbers, rounds=12, seconds=10.0)
    parser.add_argument("--model", default="tsm", choices=("tsn", "tsm", "vlf"))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as name, torch.inference_mode():
            files = make_files(Path(name), find_films(), args)
            rows = find_rows(files, args)
            print(
                f"{args.model} with {args.backbone}, {args.frames}x{args.size}, batch 1; "
                f"{args.videos} videos of {args.seconds:g} s, {args.height} pixels high; "
                f"{machine()}\n"
            )
            found = time_clips(rows, args.videos, args.rounds + 1)
            report({name: turns[1:] for name, turns in found.items()})  # the first warms up
    except VideoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
