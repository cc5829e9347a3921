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
    open_root,
    read_file,
    read_json,
    read_numbered,
    read_pairs,
)
from vlf.data.datasets.listed_clips import ListedClips, open_video


def open_something(config: SomethingConfig, split: Split) -> ListedClips:
    """One split of Something-Something V2.

    Raises:
        ConfigError: If a file is missing or an entry cannot be read; later, from `load` and
            `load_views`, if a video cannot be decoded.
    """
    classes = read_labels(config)
    items = read_numbered(config, split, classes, _read_entries, index_videos, ".webm")
    return ListedClips(config, split, classes, items, open_video)


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


def _read_entries(path: Path, key: str) -> Iterator[tuple[str, str, str]]:
    """("path:line", id, label) of each entry of a JSON list, or of a csv of answers."""
    if path.suffix == ".csv":
        yield from read_pairs(path, key)
        return
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
