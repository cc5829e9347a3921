"""Open every file of a study's data before a run depends on it.

    python -m vlf.data.check ablations/footage.yaml
    python -m vlf.data.check ablations/footage.yaml --sample 200 --sheet build/clips.png

decodes each video (or folder of images) from its first frame to its last, as the study's reader
does, or a sample of each split that is drawn by `--seed`; tells how many are missing and how many
cannot be decoded, with the first few names; and draws a sheet of test clips with their labels.
The exit code is 0 if nothing is missing or broken, 1 if something is, 2 if a list cannot be read.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from vlf.config import ConfigError, DataConfig, ListedData
from vlf.config.output import end_quietly
from vlf.data import Split, open_clips
from vlf.data.datasets.listed_clips import TELL, ListedClips, find_fault, name_of
from vlf.data.prefetch import CORES, load_ahead
from vlf.data.preparation.contact_sheet import draw_sheet
from vlf.data.preparation.split_check import compare_splits
from vlf.data.preparation.study_data import StudyDataError, read_all_data
from vlf.data.seeds import rng

TOLD = 5  # names of what is missing or broken, a split
INTERRUPTED = 130  # the shell's exit code for Ctrl-C


@dataclass
class Findings:
    """Findings in one split.

    Attributes:
        listed: Items that its list names.
        opened: Films decoded so far.
        missing: "list:line: path" of each item that is not there.
        broken: "list:line: reason" of each film that cannot be decoded.
        labels: Items of each label.
        notes: What its reader says of the list besides.
    """

    listed: int
    opened: int = 0
    missing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    labels: Counter[int] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Lines for a person, with the first names only."""
        fewest, most = min(self.labels.values()), max(self.labels.values())
        told = [
            f"{self.listed} listed, {self.opened} opened, {len(self.missing)} missing, "
            f"{len(self.broken)} broken; {len(self.labels)} labels of {fewest} to {most} clips"
        ]
        told += [note.partition(" split: ")[2] for note in self.notes]
        for what, names in (("missing", self.missing), ("broken", self.broken)):
            told += [f"{what}: {' '.join(name.split())}" for name in names[:TOLD]]
            if len(names) > TOLD:
                told.append(f"... and {len(names) - TOLD} more {what}")
        return told


def open_to_tell(config: ListedData, split: Split) -> ListedClips:
    """A split with what is missing told and nothing decoded, whatever its `bad` says."""
    told = cast(DataConfig, config.model_copy(update={"bad": TELL}))
    return cast(ListedClips, open_clips(told, split))


def look(clips: ListedClips) -> Findings:
    """Facts in a list, before anything is opened."""
    every = [*clips.items, *clips.lost]
    return Findings(
        len(every),
        missing=[f"{item.where}: {item.path}" for item in clips.lost],
        labels=Counter(label for item in every for label in item.labels),
        notes=tuple(note for note in clips.notes if "missing and left out" not in note),
    )


def open_films(
    clips: ListedClips,
    found: Findings,
    sample: int | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Decode the films of a split, or `sample` of them, to their ends; `found` tells of them.

    Args:
        clips: The split.
        found: Filled in as films are opened.
        sample: Films to open; None opens all.
        seed: Of the sample.
        workers: Films at a time: threads, as decoders work without Python's lock.
        progress: Where it is shown; None shows none.
    """
    films = [*{name_of(item): item for item in reversed(clips.items)}.values()][::-1]
    if sample is not None and sample < len(films):
        drawn = rng("check", seed, clips.split).choice(len(films), sample, replace=False)
        films = [films[i] for i in sorted(drawn.tolist())]
    task = progress.add_task(clips.split, total=len(films)) if progress else TaskID(0)
    ahead = load_ahead(lambda one: find_fault(one, clips.open_film), films, workers, 2 * workers)
    with closing(ahead) as faults:
        for item, fault in zip(films, faults, strict=True):
            found.opened += 1
            if fault:
                found.broken.append(f"{item.where}: {fault}")
            if progress:
                progress.advance(task)


def check(config: ListedData, args: argparse.Namespace, console: Console) -> bool:
    """Check all splits of a dataset and print what was found; whether all is good.

    Raises:
        ConfigError: If a list cannot be read.
        KeyboardInterrupt: After what was found until then is printed.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    opened = {split: open_to_tell(config, split) for split in get_args(Split)}
    for note in compare_splits(opened, "last", config.limit):
        print(f"  {note}", flush=True)
    found = {split: look(clips) for split, clips in opened.items() if clips.items or clips.lost}
    try:
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            for split, one in found.items():
                open_films(opened[split], one, args.sample, args.seed, args.workers, progress)
    finally:
        for split, one in found.items():
            first, *more = one.lines()
            print("\n    ".join([f"  {split}: {first}", *more]), flush=True)
    return not any(one.missing or one.broken for one in found.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 if all is good, 1 if a file is not, 2 if a study or list cannot be read."""
    args = _parse(argv)
    torch.set_num_threads(1)  # each worker is one
    good = True
    try:
        datasets = read_all_data(args.study)
        for label, config in datasets.items():
            if isinstance(config, ListedData):
                print(f"{label}: {config.name} in {config.root}", flush=True)
                good = check(config, args, Console(stderr=True)) and good
            else:
                print(f"{label}: {config.name}: made from a seed, no file to open", flush=True)
        if args.sheet:
            shown = {
                label: open_to_tell(config, "test")
                if isinstance(config, ListedData)
                else open_clips(config, "test")
                for label, config in datasets.items()
            }
            draw_sheet(shown, args.sheet, args.seed)
            print(f"{args.sheet}: test clips with their labels")
    except (StudyDataError, ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the rest was not opened", file=sys.stderr)
        return INTERRUPTED
    return 0 if good else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m vlf.data.check",
        description="Open every file of a study's data; tell what is missing or broken.",
    )
    parser.add_argument("study", type=Path, metavar="STUDY")
    parser.add_argument("--sample", type=int, metavar="N", help="open so many files a split (all)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and the sheet (0)")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw clips with labels")
    parser.add_argument("--workers", type=int, default=CORES, help=f"files at a time ({CORES})")
    args = parser.parse_args(argv)
    for name, low in (("sample", 1), ("workers", 1), ("seed", 0)):
        value = getattr(args, name)
        if value is not None and value < low:
            parser.error(f"--{name}: must be at least {low}, got {value}")
    if args.sheet and args.sheet.suffix.lower() != ".png":
        parser.error(f"--sheet: must end in .png, got {args.sheet}")
    return args


if __name__ == "__main__":
    sys.exit(end_quietly(main))
