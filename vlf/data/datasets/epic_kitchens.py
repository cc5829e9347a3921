"""EPIC-KITCHENS-100 (Damen et al. 2022, arXiv:2006.13256): a verb and a noun of each segment.

A row of a csv is a segment of a long video. Videos are cut by the time stamps of the row, and the
published images by its image numbers: those of the older videos count 60 images a second, which
the videos themselves do not have (59.94), so that one cannot be told from the other by a rate.
Packed, a segment of a video is a file of its own, named by the row's video and moments.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from vlf.config import ConfigError, EpicKitchensConfig
from vlf.config.folder import index_videos, segment_name
from vlf.data import Split
from vlf.data.datasets.annotations import check_names, open_root, read_csv, split_file
from vlf.data.datasets.listed_clips import CACHE_BYTES, Item, ListedClips
from vlf.data.datasets.packed import Packs
from vlf.data.readers.films import Film, VideoStretch
from vlf.data.readers.images import ImageFolder

IMAGE = "frame_{:010d}.jpg"  # numbered from 1
COLUMNS = ("participant_id", "video_id", "verb_class", "noun_class")
SPANS = {
    "videos": ("start_timestamp", "stop_timestamp"),
    "rgb_frames": ("start_frame", "stop_frame"),
    "packed": ("start_timestamp", "stop_timestamp"),
}
Index = Callable[[str], dict[str, str]]  # participant -> video -> its path

_MOMENT = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)", re.ASCII)
_VIDEO = re.compile(r"P\d+_\d+", re.ASCII)


def open_epic_kitchens(config: EpicKitchensConfig, split: Split) -> ListedClips:
    """One split of EPIC-KITCHENS-100.

    Raises:
        ConfigError: If a csv or the index of what is packed is missing, or a row cannot be read;
            later, from `load` and `load_views`, if a segment cannot be decoded.
    """
    verbs = read_classes(config, "verbs", config.num_verbs)
    classes = verbs + read_classes(config, "nouns", config.num_nouns)
    items, open_film, room = read_split(config, split), open_segment, CACHE_BYTES
    if config.source == "packed":
        packs = Packs(config.pack_index(), "data.packs", config.pack_of)
        items, open_film, room = packs.look_up(items, config, split), packs.open, 0
    image_name = name_image if config.source == "rgb_frames" else None
    return ListedClips(
        config,
        split,
        classes,
        items,
        open_film,
        kind="segments",
        cache_bytes=room,
        image_name=image_name,
    )


def open_segment(item: Item) -> Film:
    """A part of a video by its time stamps, or of a folder of images."""
    if item.seconds is None:
        return ImageFolder(item.path, name_image)
    return VideoStretch(item.path, *item.seconds)


def name_image(number: int) -> str:
    """File name of a frame, counted from 0."""
    return IMAGE.format(number + 1)


def read_classes(config: EpicKitchensConfig, kind: str, count: int) -> tuple[str, ...]:
    """Verbs or nouns in the order of their numbers.

    Raises:
        ConfigError: If the csv is missing, or does not number `count` keys from 0.
    """
    key, path = f"data.{kind}", open_root(config) / getattr(config, kind)
    names: dict[str, str] = {}
    for where, row in read_csv(path, key, ("id", "key")):
        if row["id"] != str(len(names)):
            said = f'id must be {len(names)}, as ids count from 0; got "{row["id"]}"'
            raise ConfigError(key, f"{where}: {said}")
        names[row["id"]] = row["key"]
    return check_names(path, key, list(names.values()), count, f"num_{kind}")


def read_split(config: EpicKitchensConfig, split: Split) -> list[Item]:
    """The items of one split; none for a split without a csv.

    Raises:
        ConfigError: If the csv is missing or a row cannot be read.
    """
    key = f"data.{split}"
    path = split_file(config, split, "a csv")
    if path is None:
        return []
    index: Index = cache(lambda participant: index_videos(config.participant(participant)))
    read = partial(_image_item if config.source == "rgb_frames" else _video_item, config)
    items = []
    for where, row in read_csv(path, key, (*COLUMNS, *SPANS[config.source])):
        try:
            if not _VIDEO.fullmatch(row["video_id"]):
                raise ValueError(f"video_id must be as P01_01, got {row['video_id']!r}")
            if not row["video_id"].startswith(f"{row['participant_id']}_"):
                one = f"{row['participant_id']!r} of participant_id"
                raise ValueError(f"video_id {row['video_id']} is not of {one}")
            items.append(read(row, where, index))
        except ValueError as error:
            raise ConfigError(key, f"{where}: {error}") from None
    if not items:
        raise ConfigError(key, f"{path}: names no segment")
    return items


def _labels(config: EpicKitchensConfig, row: dict[str, str]) -> tuple[int, int]:
    """Verb, and noun behind the verbs."""
    found, first = [], 0
    for head, count in config.heads.items():
        text = row[f"{head}_class"]
        if not text.isdecimal() or not int(text) < count:
            allowed = f"0 to {count - 1} (data.num_{head}s)"
            raise ValueError(f"{head}_class must be {allowed}, got {text!r}")
        found.append(first + int(text))
        first += count
    verb, noun = found
    return verb, noun


def _video_item(config: EpicKitchensConfig, row: dict[str, str], where: str, index: Index) -> Item:
    moments = []
    for name in SPANS[config.source]:
        if not (found := _MOMENT.fullmatch(row[name])):
            raise ValueError(f"{name} must be as 00:01:02.34, got {row[name]!r}")
        hours, minutes, seconds = map(float, found.groups())
        moments.append(3600 * hours + 60 * minutes + seconds)
    start, stop = moments
    if not start < stop:
        first, last = (row[name] for name in SPANS[config.source])
        raise ValueError(f"stop_timestamp must be after start_timestamp {first}, got {last}")
    participant, video = row["participant_id"], row["video_id"]
    if config.source == "packed":
        path = config.pack_of(segment_name(video, (start, stop)))
        missing = "" if path.is_file() else f'video: "{path}"'
        parts = path.parent
        return Item(path, _labels(config, row), 0, None, where, missing, (start, stop), parts)
    found_at = index(participant).get(video)
    path = Path(found_at or config.participant(participant) / f"{video}.MP4")
    missing = "" if found_at else f'video: "{path}"'
    return Item(path, _labels(config, row), 0, None, where, missing, (start, stop))


def _image_item(config: EpicKitchensConfig, row: dict[str, str], where: str, _: Index) -> Item:
    numbers = []
    for name in SPANS["rgb_frames"]:
        if not row[name].isdecimal() or int(row[name]) < 1:
            raise ValueError(f"{name} must be a whole number from 1 on, got {row[name]!r}")
        numbers.append(int(row[name]))
    start, stop = numbers
    if stop < start:
        raise ValueError(f"stop_frame must be at least start_frame {start}, got {stop}")
    folder = config.participant(row["participant_id"]) / row["video_id"]
    last, missing = folder / name_image(stop - 1), ""
    if not last.is_file():
        missing = f'image: "{last}"' if folder.is_dir() else f'video: "{folder}"'
    return Item(folder, _labels(config, row), start - 1, stop, where, missing)
