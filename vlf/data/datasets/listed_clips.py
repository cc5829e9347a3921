"""Base of datasets of listed items: sampling, a cache of decoded frames, views, bad videos.

Shapes: N items, T frames, S pixels of the clip's side.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from vlf.config import ConfigError, ListedData
from vlf.data import Split
from vlf.data.readers.archives import archive_hint
from vlf.data.readers.container import VideoError
from vlf.data.readers.decode_check import check_once
from vlf.data.readers.films import Film, TimedVideo
from vlf.data.sampling import Indices, draw_indices, fixed_indices
from vlf.data.transforms import crop_clip, crop_scaled, crop_views, resize_frames, short_side

CACHE_BYTES = 512 * 2**20
TELL = "tell"  # as `bad`, of vlf/data/check.py alone: nothing is raised and nothing decoded
CHANGES = "changes its frame size on the way"


@dataclass(frozen=True)
class Item:
    """One line of a list: frames `start` to `end` (which is not among them) of a film.

    Attributes:
        path: The video or folder of images.
        label: Its class; of several heads the class of each, among all of them.
        start: First frame.
        end: First frame after it; None runs to the end of the film.
        where: List and line, for messages.
        missing: What is not there, such as 'video: "a.mp4"'; "" if all of it is.
        seconds: From when to when of the film, where that is not said by frames.
        whole: Folder of all parts of the film, where each part is a file of its own.
    """

    path: Path
    label: int | tuple[int, ...]
    start: int
    end: int | None
    where: str
    missing: str = ""
    seconds: tuple[float, float] | None = None
    whole: Path | None = None

    @property
    def labels(self) -> tuple[int, ...]:
        """The class of each head."""
        return self.label if isinstance(self.label, tuple) else (self.label,)

    @property
    def film(self) -> Path:
        """Name of the film, of which other items may have parts too."""
        return self.whole or self.path


def video_item(label: int, found: str | None, usual: str, where: str) -> Item:
    """A whole video of one class: where it was found, else where it usually is."""
    return Item(Path(found or usual), label, 0, None, where, "" if found else f'video: "{usual}"')


Config = TypeVar("Config", bound=ListedData)
OpenFilm = Callable[[Item], Film]


def open_video(item: Item) -> Film:
    """A video by time stamps."""
    return TimedVideo(item.path)


class ListedClips:
    """One split of a dataset whose items are listed; `Clips` of vlf/data/__init__.py.

    An item's frames are kept in memory once decoded, at the short side that crops are cut from, as
    long as `cache_bytes` has room; the numbers are the same with the cache and without it. Several
    threads may load at a time (vlf/data/prefetch.py).

    Args:
        config: How clips are cut, and what becomes of bad items.
        split: For messages.
        classes: Class names, K of them.
        items: All that are listed; N of them are kept (`settle`).
        open_film: How to come by an item's frames.
        notes: What the reader of the list says of it.
        kind: What notes call the items.
        missing_is_normal: Whether missing items are left out whatever `bad` says.
        cache_bytes: Most bytes of decoded frames to keep.
        image_name: Name of an image file by its frame's number, where items are folders of them.

    Raises:
        ConfigError: As `settle`; from `load` and `load_views`, if a film cannot be decoded.
    """

    def __init__(
        self,
        config: ListedData,
        split: Split,
        classes: tuple[str, ...],
        items: Sequence[Item],
        open_film: OpenFilm,
        notes: Sequence[str] = (),
        kind: str = "videos",
        missing_is_normal: bool = False,
        cache_bytes: int = CACHE_BYTES,
        image_name: Callable[[int], str] | None = None,
    ) -> None:
        self.config, self.split, self.classes = config, split, classes
        self.heads: Mapping[str, int] = config.heads
        self.items, self.lost, self.notes = settle(
            config, split, items, open_film, notes, kind, missing_is_normal
        )
        self.labels = torch.tensor([item.label for item in self.items], dtype=torch.int64)
        self.views = config.views * config.crops
        self.side = config.short_side or short_side(config.size)
        self.open_film, self.image_name = open_film, image_name
        self._films: dict[int, Film] = {}
        self._lengths: dict[int, int] = {}
        self._cache: dict[int, Tensor] = {}
        self._room = cache_bytes
        self._lock = threading.Lock()  # of the cache

    def __len__(self) -> int:
        return len(self.items)

    def load(self, index: int, rng: np.random.Generator) -> Tensor:
        """Random frames, a random crop, as the config says: (T, 3, S, S) uint8."""
        clip = self._frames(index, draw_indices(self._length(index), self.config, rng))
        if self.config.crop == "multi_scale":
            return crop_scaled(clip, self.config.size, self.config.crop_scales, rng)
        return crop_clip(clip, self.config.size, rng)

    def load_views(self, index: int) -> Tensor:
        """The test's frames and crops: (views * crops, T, 3, S, S) uint8."""
        chosen = fixed_indices(self._length(index), self.config)  # (views, T)
        frames = self._frames(index, chosen.ravel())
        crops = crop_views(frames, self.config.size, self.config.crops)
        crops = crops.view(len(crops), *chosen.shape, *crops.shape[2:])
        return crops.transpose(0, 1).flatten(0, 1)

    def _film(self, index: int) -> Film:
        if index not in self._films:
            self._films[index] = self.open_film(self.items[index])
        return self._films[index]

    def _length(self, index: int) -> int:
        item = self.items[index]
        if item.end is not None:
            return item.end - item.start
        if index not in self._lengths:
            try:
                self._lengths[index] = self._film(index).count()
            except VideoError as error:
                raise self._blame(item, error) from error
        return self._lengths[index]

    def _frames(self, index: int, chosen: Indices) -> Tensor:
        """Frames `chosen` of an item, resized: (len(chosen), 3, h, w) uint8."""
        item, side = self.items[index], self.side
        try:
            if index not in self._cache and 3 * side**2 * self._length(index) <= self._room:
                self._keep(index, side)
            if index in self._cache:
                return self._cache[index][torch.from_numpy(chosen)]
            return resize_frames(self._film(index).decode(item.start + chosen), side)
        except VideoError as error:
            raise self._blame(item, error) from error

    def _keep(self, index: int, side: int) -> None:
        item, length = self.items[index], self._length(index)
        frames = self._film(index).iterate(item.start, item.start + length)
        # One frame at a time: a whole film at its own resolution may not fit into memory.
        resized = [resize_frames(frame[None], side) for frame in frames]
        if len({frame.shape for frame in resized}) > 1:
            raise VideoError(f'"{item.path}" {CHANGES}')
        clip = torch.cat(resized)
        with self._lock:
            if index not in self._cache and clip.nbytes <= self._room:
                self._cache[index] = clip
                self._room -= clip.nbytes

    def _blame(self, item: Item, error: VideoError) -> ConfigError:
        return ConfigError(f"data.{self.split}", f"{item.where}: {error}")


def open_videos(
    read_classes: Callable[[Config], tuple[str, ...]],
    read_split: Callable[[Config, Split, tuple[str, ...]], Sequence[Item]],
    config: Config,
    split: Split,
) -> ListedClips:
    """One split of a dataset of videos without a validation split, which has no items.

    Raises:
        ConfigError: If a file is missing or a line cannot be read; later, from `load` and
            `load_views`, if a video cannot be decoded.
    """
    classes = read_classes(config)
    items = read_split(config, split, classes) if split != "val" else []
    return ListedClips(config, split, classes, items, open_video)


def settle(
    config: ListedData,
    split: Split,
    items: Sequence[Item],
    open_film: OpenFilm,
    notes: Sequence[str],
    kind: str,
    missing_is_normal: bool,
) -> tuple[list[Item], tuple[Item, ...], tuple[str, ...]]:
    """The items that can be used, as `bad` says, those that are missing, and notes on the others.

    `limit` takes the first of those that are there.

    Raises:
        ConfigError: If one is missing or broken and `bad` is `fail`, or if none is left.
    """
    key = f"data.{split}"
    there = [item for item in items if not item.missing]
    lost = [item for item in items if item.missing]
    hint = archive_hint(lost[0].path, Path(config.root)) if lost else ""
    if lost and config.bad == "fail" and not missing_is_normal:
        more = f" (and {len(lost) - 1} more; bad: skip leaves them out)" if len(lost) > 1 else ""
        said = f"{lost[0].where}: no such {lost[0].missing}{more}{hint}"
        raise ConfigError(key, said, is_missing=True)
    notes = list(notes)
    if lost:
        notes.append(f"{split} split: {len(lost)} of {len(items)} {kind} are missing and left out")
    there = there[: config.limit]
    if config.bad == "skip":
        named = {name_of(item): item for item in there}
        paths = {name: item.path for name, item in named.items()}
        root = Path(config.root)
        why = check_once(root, paths, lambda name: find_fault(named[name], open_film))
        bad = [item for item in there if why[name_of(item)]]
        if bad:
            first = f"{bad[0].where}: {why[name_of(bad[0])]}"
            say = f"{len(bad)} of {len(there)} {kind} cannot be decoded and are left out"
            notes.append(f"{split} split: {say}; the first is {first}")
        there = [item for item in there if not why[name_of(item)]]
    if items and not there and config.bad != TELL:
        said = f"none of its {len(items)} {kind} can be used; {notes[-1]}{hint}"
        raise ConfigError(key, said, len(lost) == len(items))
    return there, tuple(lost), (*notes, *_repeats(split, there))


def _repeats(split: Split, items: Sequence[Item]) -> list[str]:
    """Notes on lines that name what an earlier line names, and on their labels if these differ."""
    first: dict[str, Item] = {}
    again = [(item, first.setdefault(name_of(item), item)) for item in items]
    again = [(item, earlier) for item, earlier in again if item is not earlier]
    if not again:
        return []
    notes = [f"{split} split: {len(again)} lines name what an earlier line names"]
    other = [(item, earlier) for item, earlier in again if item.label != earlier.label]
    if other:
        item, earlier = other[0]
        at = f"the first is {item.where}, against {earlier.where}"
        notes.append(f"{split} split: {len(other)} of these lines give it another label; {at}")
    return notes


def find_fault(item: Item, open_film: OpenFilm) -> str:
    """Reason why an item cannot be decoded from its first frame to its last; "" if it can."""
    try:
        film = open_film(item)
        end = film.count() if item.end is None else item.end
        shapes = {frame.shape for frame in film.iterate(item.start, end)}
    except VideoError as error:
        return str(error)
    return f'"{item.path}" {CHANGES}' if len(shapes) > 1 else ""


def name_of(item: Item) -> str:
    """Name of a part of a film; unique to what is decoded."""
    frames = () if item.end is None else (item.start, item.end)
    return " ".join(map(str, (item.path, *frames, *(item.seconds or ()))))
