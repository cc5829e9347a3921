"""Checks of a dataset's lists against each other and their films, before anything runs.

Clips that two splits share, classes without training clips, segments beyond the end of a film.
"""

import math
import os
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import cast, get_args

import numpy as np

from vlf.config import ConfigError, DataConfig, ListedData
from vlf.data import Clips, Split, open_clips
from vlf.data.augment import Augment
from vlf.data.datasets.listed_clips import TELL, Item, ListedClips, name_of
from vlf.data.datasets.packed import PackFile
from vlf.data.prefetch import CORES, load_ahead
from vlf.data.preparation.same_films import film_keys
from vlf.data.readers.container import VideoError

PLAN_S, RUN_S = 20.0, 120.0  # that films are opened for, before a plan and before a run
NAMED = 5  # class names of a note
Opened = Mapping[Split, Clips]


@dataclass(frozen=True)
class Checked:
    """A dataset whose lists can be read.

    Attributes:
        train_clips: Of a pass.
        notes: What a reader of the numbers must know.
    """

    train_clips: int
    notes: tuple[str, ...]


def check_data(
    config: DataConfig, select: str = "last", seconds: float = 0.0, decode: bool = True
) -> Checked:
    """Read what a dataset is listed in.

    Args:
        config: The dataset.
        select: `train.select`.
        seconds: Time to look at the length of films in (`check_films`); 0 opens none.
        decode: With `bad: skip`, decode every video that was not decoded before; without, videos
            that cannot be decoded are not left out.

    Raises:
        ConfigError: As `open_clips`, `Augment` and `check_films`.
    """
    if not config.files():  # what is made from a seed has nothing to check
        return Checked(config.train_size(), ())
    if not decode and isinstance(config, ListedData) and config.bad == "skip":
        config = cast(DataConfig, config.model_copy(update={"bad": TELL}))
    opened: Opened = {split: open_clips(config, split) for split in get_args(Split)}
    Augment(config, opened["train"].classes)
    for split, clips in opened.items():
        lost = clips.lost if isinstance(clips, ListedClips) and not len(clips) else ()
        if lost:  # told, with `decode`, by who opens the split
            said = f"{lost[0].where}: no such {lost[0].missing} (and {len(lost) - 1} more)"
            raise ConfigError(f"data.{split}", said, is_missing=True)
    own = [note for clips in opened.values() for note in clips.notes]
    films = check_films(opened, seconds) if seconds else ()
    notes = (*own, *compare_splits(opened, select, config.limit), *films)
    return Checked(len(opened["train"]), notes)


def compare_splits(opened: Opened, select: str, limit: int | None = None) -> tuple[str, ...]:
    """Notes on what splits share, and on classes that training lacks.

    Args:
        opened: All three splits.
        select: `train.select`.
        limit: `data.limit`, which may be why classes are lacking.
    """
    listed = {split: clips for split, clips in opened.items() if isinstance(clips, ListedClips)}
    notes = _shared(listed, select) if len(listed) == len(opened) else []
    if select == "best" and not len(opened["val"]):
        lack = "there is no validation clip to choose the epoch on"
        notes.append(f"train.select: best: {lack}, so the last epoch is reported")
    return (*notes, *_classes(opened, limit))


def _shared(opened: Mapping[Split, ListedClips], select: str) -> list[str]:
    pairs: list[tuple[Split, Split]] = [("test", "train"), ("test", "val"), ("val", "train")]
    items = [item for split in ("test", "val", "train") for item in opened[split].items]
    splits = [{str(item.film) for item in clips.items} for clips in opened.values()]
    keys, skipped = film_keys(dict.fromkeys(str(item.film) for item in items), splits)
    notes = []
    for split, other in pairs:
        own, theirs = opened[split].items, opened[other].items
        shared, parts = _overlaps(own, theirs, keys)
        if shared:
            first, earlier = shared[0]
            said = f"{len(shared)} of {len(own)} clips are in the {other} split, too"
            same = [(item, earlier) for item, earlier in shared if _span(item) == _span(earlier)]
            if changed := sum(item.label != earlier.label for item, earlier in same):
                said += f", {changed} of them with another label"
            at = f"the first is {first.where} ({earlier.where})"
            chosen = _chosen(select) if (split, other) == ("test", "val") else ""
            notes.append(f"{split} split: {said}{chosen}; {at}")
        if parts:
            said = f"{parts} of {len(own)} clips are other parts of films of the {other} split"
            notes.append(f"{split} split: {said}")
    if skipped:
        said = f"{skipped:,} films were compared by name alone, for lack of time"
        notes.append(f"{said}: links and copies among them are not noticed")
    return notes


def _chosen(select: str) -> str:
    if select == "best":
        return ": train.select: best chooses the epoch on the test"
    return ": choosing on validation, as tune does, is choosing on the test"


def _overlaps(
    own: Sequence[Item], others: Sequence[Item], keys: Mapping[str, object]
) -> tuple[list[tuple[Item, Item]], int]:
    """Items that share time with one of the others, each with that; how many share a film alone."""
    films: dict[object, list[Item]] = defaultdict(list)
    for item in others:
        films[keys[str(item.film)]].append(item)
    sorted_films = {key: _by_start(items) for key, items in films.items()}
    shared, parts = [], 0
    for item in own:
        film = sorted_films.get(keys[str(item.film)])
        if film is None:
            continue
        starts, latest = film
        start, end = _span(item)
        before = bisect_left(starts, end)  # the first so many begin before our end
        if before and _span(latest[before - 1])[1] > start:
            shared.append((item, latest[before - 1]))
        else:
            parts += 1
    return shared, parts


def _by_start(items: Iterable[Item]) -> tuple[list[float], list[Item]]:
    """Starts in order, and of the items up to each the one that ends last."""
    ordered = sorted(items, key=lambda item: _span(item)[0])
    latest = list(accumulate(ordered, lambda *pair: max(pair, key=lambda item: _span(item)[1])))
    return [_span(item)[0] for item in ordered], latest


def _span(item: Item) -> tuple[float, float]:
    if item.seconds is not None:
        return item.seconds
    return item.start, math.inf if item.end is None else item.end


def _classes(opened: Opened, limit: int | None) -> list[str]:
    """Notes on classes without training clips, head by head, and on names that are nearly alike."""
    train, first = opened["train"], 0
    notes = []
    for column, (head, count) in enumerate(train.heads.items()):
        names = train.classes[first : first + count]
        kind = f"{head}s" if head else "classes"
        known = set(_column(train, column))
        lacking = [k for k in range(first, first + count) if k not in known]
        if lacking:
            why = f" (data.limit takes the first {limit} clips)" if limit else ""
            said = f"{len(lacking)} of {count} {kind} have no clip{why}"
            notes.append(f"train split: {said}: {_listed(train.classes, lacking)}")
        for split in ("val", "test"):
            labels = _column(opened[split], column)
            if unseen := [k for k in labels if k not in known]:
                which = _listed(train.classes, sorted(set(unseen)))
                said = f"{len(unseen)} of {len(labels)} clips are of {kind}"
                notes.append(f"{split} split: {said} that training has no clip of: {which}")
        notes += _alike(names, kind)
        first += count
    return notes


def _column(clips: Clips, column: int) -> list[int]:
    labels: list[int] = clips.labels.view(len(clips), -1)[:, column].tolist() if len(clips) else []
    return labels


def _listed(names: Sequence[str], numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else ""
    return ", ".join(names[k] for k in numbers[:NAMED]) + more


def _alike(names: Sequence[str], kind: str) -> list[str]:
    seen: dict[str, str] = {}
    notes = []
    for name in names:
        other = seen.setdefault(" ".join(name.casefold().split()), name)
        if other != name:
            notes.append(f'{kind} "{other}" and "{name}" differ in case or space alone')
    return notes


def check_films(opened: Opened, seconds: float) -> tuple[str, ...]:
    """Look at the length of films that a run would find too short only after hours.

    Every film of the test and validation split, and those of the training split whose lines name an
    end. Packets are counted and file names looked at; nothing is decoded, but an image of packed
    ones. With `bad: skip` nothing is looked at, since all is decoded before training.

    Args:
        opened: The splits.
        seconds: When to stop.

    Returns:
        Notes on what was not looked at.

    Raises:
        ConfigError: With list and line of a film that cannot be read or ends too early.
    """
    deadline, notes = time.monotonic() + seconds, []
    for split in ("test", "val", "train"):
        clips = opened[split]
        if not isinstance(clips, ListedClips) or clips.config.bad != "fail":
            continue
        items = [
            item
            for item in clips.items
            if split != "train" or item.end is not None or (item.seconds and item.whole is None)
        ]
        films = [*{name_of(item): item for item in reversed(items)}.values()][::-1]
        looked = 0
        ahead = load_ahead(partial(_fault, clips), films, CORES, 2 * CORES)
        with closing(ahead) as faults:
            for item, fault in zip(films, faults, strict=False):
                if fault:
                    raise ConfigError(f"data.{split}", f"{item.where}: {fault}")
                looked += 1
                if time.monotonic() > deadline:
                    break
        if looked < len(films):
            said = f"the length of {looked:,} of {len(films):,} films was looked at"
            notes.append(f"{split} split: {said}; `python -m vlf.data.check` opens all")
    return tuple(notes)


def _fault(clips: ListedClips, item: Item) -> str:
    """Reason why an item is incomplete, without decoding it; "" if it is complete."""
    if clips.image_name is not None and item.end is not None:
        try:
            names = set(os.listdir(item.path))
        except OSError as error:
            return f'"{item.path}" cannot be read: {error.strerror}'
        wanted = map(clips.image_name, range(item.start, item.end))
        lost = next((name for name in wanted if name not in names), None)
        return f'no such image: "{Path(item.path, lost)}"' if lost else ""
    try:
        film = clips.open_film(item)
        count = film.count()
        if item.end is not None and item.end > count:
            return f'"{item.path}" has {count} frames; frame {item.end - 1} was asked for'
        if isinstance(film, PackFile):
            film.decode(np.array([(item.end or count) - 1]))
    except VideoError as error:
        return str(error)
    return ""
