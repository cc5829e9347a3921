"""Turn videos into packed JPEG frames, once, so that every training run reads them fast.

    python -m vlf.data.pack ablations/footage.yaml --size 128 --out data/packed
    python -m vlf.data.pack videos/train.txt --size 128 --out data/packed

takes the videos that a study's `base.data` names, or those of one annotation list; lists and class
names are written beside them, and `data: {name: packed, root: data/packed, ...}` reads it. Of
`epic_kitchens` each segment is packed by itself; its own csv files name them (`source: packed`).

One file a video, and neither one a frame nor large shards: there are as many files as the dataset
has itself, which its file system is known to bear (220,000 videos are 10 million frames); a clip
is one open and a read for each of its frames; a video that many lines name is there once; and a
run that was killed goes on behind the last file that was renamed into its place, since files never
depend on each other. What a run has finished is kept in `index.journal`; `index.jsonl`, the index
that `packed` reads and that names what is packed in a study's identity, is written at the end.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vlf.config import ConfigError
from vlf.config.folder import pack_path
from vlf.config.output import end_quietly
from vlf.data.datasets.listed_clips import Item
from vlf.data.datasets.packed import (
    Chroma,
    Entry,
    Packing,
    index_line,
    read_index,
    write_index,
    write_pack,
)
from vlf.data.prefetch import CORES, load_ahead
from vlf.data.preparation.pack_source import PackError, Source, find_source
from vlf.data.readers.container import VideoError

INDEX, JOURNAL, CLASSES = "index.jsonl", "index.journal", "classes.txt"


@dataclass
class Progressed:
    """Progress of a run.

    Attributes:
        entries: Name -> packed video; of earlier runs too.
        made: Videos packed by this run.
        broken: Name -> why it could not be packed.
    """

    entries: dict[str, Entry]
    made: int = 0
    broken: dict[str, str] = field(default_factory=dict)


def pack(
    source: Source,
    out: Path,
    packing: Packing,
    workers: int = 1,
    skip_broken: bool = False,
    console: Console | None = None,
) -> Progressed:
    """Pack what is not there yet; then write lists and index, if nothing was broken.

    Args:
        source: Lists and their videos.
        out: Made if missing. What it holds of other lists stays.
        packing: Must be that of `out`, if it holds anything.
        workers: Videos at a time: threads, as FFmpeg and libjpeg work without Python's lock.
        skip_broken: Leave videos that cannot be decoded out of the lists.
        console: Where progress is shown; None shows none.

    Raises:
        PackError: If `out` was packed in another way, or a name cannot be packed.
    """
    videos = source.videos()
    found = Progressed(_what_is_there(out, packing))
    waiting = {}
    for name, item in videos.items():
        # Done as far as sizes tell; `--check` reads it all.
        entry, path = found.entries.get(name), pack_path(out, name)
        is_packed = entry and path.is_file() and path.stat().st_size == entry.bytes
        if not (entry and is_packed and item.path.stat().st_size == entry.source_bytes):
            waiting[name] = item
    out.mkdir(parents=True, exist_ok=True)
    columns = TextColumn("packing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()

    def pack_one(name: str) -> Entry | str:
        return _pack_one(source, waiting[name], pack_path(out, name), packing)

    with (
        closing(load_ahead(pack_one, waiting, workers, 2 * workers)) as packed,
        (out / JOURNAL).open("a", encoding="utf-8") as journal,
        Progress(*columns, console=console, disable=console is None) as progress,
    ):
        task = progress.add_task("", total=len(videos), completed=len(videos) - len(waiting))
        for name, made in zip(waiting, packed, strict=True):
            if isinstance(made, Entry):
                journal.write(index_line(name, made))
                journal.flush()
                found.entries[name] = made
                found.made += 1
            else:
                found.broken[name] = made
                found.entries.pop(name, None)
            progress.advance(task)
    if not found.broken or skip_broken:
        if not source.has_own_lists:
            _write_lists(source, out, found)
        write_index(out / INDEX, packing, found.entries)
        (out / JOURNAL).unlink()
    return found


def _what_is_there(out: Path, packing: Packing) -> dict[str, Entry]:
    """Videos packed by earlier runs; the journal of a killed one may end inside a line."""
    entries: dict[str, Entry] = {}
    for name in (INDEX, JOURNAL):
        path = out / name
        if not path.exists() or path.stat().st_size == 0:
            continue
        if name == JOURNAL:
            text = path.read_text("utf-8")
            path.write_text(text[: text.rfind("\n") + 1], "utf-8")
            if not path.stat().st_size:
                continue
        try:
            before, some = read_index(path)
        except VideoError as error:
            raise PackError(str(error)) from None
        if before != packing:
            raise PackError(f"{out} was packed with {_words(before)}, now {_words(packing)}")
        entries |= some
    if not (out / JOURNAL).exists() or not (out / JOURNAL).stat().st_size:
        out.mkdir(parents=True, exist_ok=True)
        write_index(out / JOURNAL, packing, {})
    return entries


def _words(packing: Packing) -> str:
    return f"--size {packing.size} --quality {packing.quality} --chroma {packing.chroma}"


def _pack_one(source: Source, item: Item, target: Path, packing: Packing) -> Entry | str:
    """The entry of a packed video, or what is wrong with it."""
    path = item.path
    try:
        film = source.open_film(item)  # by time, where its dataset takes frames by time
        frames = film.iterate(0, film.count())
        return write_pack(target, frames, packing, path.stat().st_size)
    except VideoError as error:
        target.with_name(f"{target.name}.part").unlink(missing_ok=True)
        text = str(error)
        return text if str(path) in text else f'"{path}" {text}'


def _write_lists(source: Source, out: Path, found: Progressed) -> None:
    for file, items in source.lists.items():
        lines = []
        for item in items:
            if (name := source.name_of(item)) not in found.broken:
                stretch = "" if item.end is None else f" {item.start} {item.end}"
                lines.append(f"{name}{stretch} {item.label}\n")
        (out / file).write_text("".join(lines), "utf-8")
    if source.classes:
        (out / CLASSES).write_text("".join(f"{name}\n" for name in source.classes), "utf-8")


def check(out: Path) -> list[str]:
    """Faults in a packed folder, a line each; reads every byte.

    Raises:
        PackError: If it has no index that can be read.
    """
    try:
        _, entries = read_index(out / INDEX)
    except VideoError as error:
        raise PackError(str(error)) from None
    wrong = []
    for name, entry in entries.items():
        path = pack_path(out, name)
        if not path.is_file():
            wrong.append(f'no such file: "{path}"')
            continue
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                wrong.append(f'"{path}" is not what its line in the index says')
    return wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0, 1 if a video is broken, or 2 if what was asked for cannot be packed."""
    args = _parse(argv)
    console = Console(stderr=True)
    torch.set_num_threads(1)  # each worker is one
    try:
        packing = Packing(args.size, args.quality, args.chroma)
        source = find_source(args.source, args.root)
        for note in source.notes:
            print(f"note: {note}", file=sys.stderr)
        found = pack(source, args.out, packing, args.workers, args.skip_broken, console)
        is_whole = args.skip_broken or not found.broken  # else there is no index to check
        wrong = [*found.broken.values(), *(check(args.out) if args.check and is_whole else [])]
    except (PackError, ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for line in wrong:
        print(f"broken: {line}", file=sys.stderr)
    if not is_whole:
        text = f"{len(found.broken)} of {len(source.videos())} videos are broken, so no list was"
        print(f"{args.out}: {text} written; --skip-broken leaves them out", file=sys.stderr)
        return 1
    size = sum(entry.bytes for entry in found.entries.values()) / 2**20
    frames = sum(entry.frames for entry in found.entries.values())
    print(
        f"{args.out}: {len(found.entries)} videos, {frames} frames, {size:.1f} MiB; "
        f"{found.made} packed now, {len(found.broken)} left out"
    )
    return 1 if wrong else 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m vlf.data.pack",
        description="Pack videos as small JPEG frames. Stopped, it goes on when called again.",
    )
    parser.add_argument("source", type=Path, metavar="LIST_OR_STUDY")
    parser.add_argument("--size", type=int, default=128, help="short side in pixels (128)")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--root", type=Path, help="folder of the videos (what the source says)")
    parser.add_argument("--quality", type=int, default=90, help="of the JPEGs (90)")
    help_ = 'resolution of colour: "full" for small or synthetic pictures (half)'
    parser.add_argument("--chroma", choices=get_args(Chroma), default="half", help=help_)
    parser.add_argument("--workers", type=int, default=CORES, help=f"videos at a time ({CORES})")
    parser.add_argument("--skip-broken", action="store_true", help="leave broken videos out")
    parser.add_argument("--check", action="store_true", help="then compare all digests")
    args = parser.parse_args(argv)
    for name, low, high in (("size", 8, 2048), ("quality", 1, 100), ("workers", 1, 1024)):
        if not low <= getattr(args, name) <= high:
            parser.error(f"--{name}: must be {low} to {high}, got {getattr(args, name)}")
    return args


if __name__ == "__main__":
    sys.exit(end_quietly(main))
