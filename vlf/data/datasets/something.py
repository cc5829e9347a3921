"""Something-Something V2 (Goyal et al. 2017, arXiv:1706.04261), on the files as published.

The label of a video is its template without the brackets, which labels.json numbers. The split file
of the test's answers has `id;label` lines instead.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlf.config import ConfigError, SomethingConfig
from vlf.config.folder import index_videos
from vlf.data import Split
from vlf.data.datasets.annotations import (
    check_names,
    number_of,
    open_root,
    read_file,
    read_json,
    read_pairs,
    split_file,
)
from vlf.data.datasets.listed_clips import Item, ListedClips, open_video, settle, video_item


class Something(ListedClips):
    """One split of Something-Something V2.

    Raises:
        ConfigError: If a file is missing or an entry cannot be read; later, from `load` and
            `load_views`, if a video cannot be decoded.
    """

    def __init__(self, config: SomethingConfig, split: Split) -> None:
        classes = read_labels(config)
        items = read_split(config, split, classes)
        super().__init__(
            config, split, settle(config, split, classes, items, open_video), open_video
        )


def read_labels(config: SomethingConfig) -> tuple[str, ...]:
    """Class names in the order of their numbers.

    Raises:
        ConfigError: If the file is missing, or does not number `num_classes` names from 0.
    """
    key, path = "data.labels", open_root(config) / config.labels
    numbers: dict[str, Any] = read_json(path, key, dict)
    try:
        names = sorted(numbers, key=lambda name: int(numbers[name]))
        whole = [int(numbers[name]) for name in names] == list(range(len(names)))
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise ConfigError(key, f"{path}: must number its classes from 0 on, each number once")
    return check_names(path, key, names, config.num_classes)


def read_split(config: SomethingConfig, split: Split, classes: tuple[str, ...]) -> list[Item]:
    """The items of one split; none for a split without a file.

    Raises:
        ConfigError: If the file is missing or an entry has no id or no template that is a class.
    """
    key, videos = f"data.{split}", open_root(config) / config.videos
    path = split_file(config, split, "a file")
    if path is None:
        return []
    found = index_videos(videos)
    numbers = {label: number for number, label in enumerate(classes)}
    items = []
    entries = read_pairs(path, key) if path.suffix == ".csv" else _read_entries(path, key)
    for where, one, label in entries:
        number = number_of(label, numbers, key, where, config.labels)
        video = found.get(one, f"{videos}/{one}.webm")
        items.append(video_item(number, Path(video), one in found, where))
    if not items:
        raise ConfigError(key, f"{path}: names no video")
    return items


def _read_entries(path: Path, key: str) -> Iterator[tuple[str, str, str]]:
    """("path:line", id, label) of each entry of a JSON list."""
    entries = read_json(path, key, list)
    lines = list(_lines_of_ids(read_file(path, key)))
    for number, entry in enumerate(entries):
        # Parsed JSON has no lines; they are found again by the keys, one an entry.
        line = lines[number] if len(lines) == len(entries) else 1
        values = entry if isinstance(entry, dict) else {}
        one, template = values.get("id"), values.get("template")
        if not isinstance(one, str) or not isinstance(template, str):
            said = f'entry {number + 1} must have a text "id" and a text "template"'
            raise ConfigError(key, f"{path}:{line}: {said}")
        yield f"{path}:{line}", one, template.replace("[", "").replace("]", "")


def _lines_of_ids(text: str) -> Iterator[int]:
    line, at = 1, 0
    for found in re.finditer(r'"id"\s*:', text):
        line += text.count("\n", at, found.start())
        at = found.start()
        yield line
