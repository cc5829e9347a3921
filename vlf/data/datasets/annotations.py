"""Reading what datasets are listed in: lines, csv and JSON, with errors that name file and line.

A byte order mark is taken off and lines may end in CR, LF or both, as publishers' files do.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlf.config import (
    ConfigError,
    EpicKitchensConfig,
    JesterConfig,
    KineticsConfig,
    ListedData,
    OwnLists,
    SomethingConfig,
    VideoListConfig,
    nearest,
)
from vlf.data import Split
from vlf.data.datasets.listed_clips import Item, video_item
from vlf.data.readers.archives import archive_hint

_ITEM = re.compile(r"#\S.*\s\d+")  # a remark that reads as `path label`


def open_root(config: ListedData) -> Path:
    """The dataset's folder.

    Raises:
        ConfigError: If there is none.
    """
    root = Path(config.root)
    if not root.is_dir():
        made = " (clips cut from films are made by `python -m vlf.data.footage FOLDER`)"
        hint = made if isinstance(config, VideoListConfig) else ""
        raise ConfigError("data.root", f'no such folder: "{root}"{hint}', is_missing=True)
    return root


def split_file(
    config: OwnLists | SomethingConfig | JesterConfig | KineticsConfig | EpicKitchensConfig,
    split: Split,
    what: str,
) -> Path | None:
    """The file that lists a split; None for a validation split without one.

    Raises:
        ConfigError: If another split has none.
    """
    root = open_root(config)
    name = {"train": config.train, "val": config.val, "test": config.test}[split]
    if not name and split != "val":
        raise ConfigError(f"data.{split}", f"must name {what}; only data.val may be empty")
    return root / name if name else None


def number_of(label: str, classes: Mapping[str, int], key: str, where: str, source: str) -> int:
    """The number of a class.

    Raises:
        ConfigError: If there is no such class, with the nearest name.
    """
    if label not in classes:
        said = f'"{label}" is no class of {source}{nearest(label, classes)}'
        raise ConfigError(key, f"{where}: {said}")
    return classes[label]


def read_file(path: Path, key: str, what: str = "file") -> str:
    """The whole text.

    Raises:
        ConfigError: If the file is missing, unreadable or no UTF-8.
    """
    if not path.is_file():
        said = f'no such {what}: "{path}"{archive_hint(path)}'
        raise ConfigError(key, said, is_missing=True)
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(key, f'"{path}" cannot be read: {error.strerror}') from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(key, f"{path}:{line}: is no UTF-8 text") from None


def read_lines(path: Path, key: str, what: str = "file") -> Iterator[tuple[str, str]]:
    """("path:line", text without space around it) of every line that is not empty.

    Raises:
        ConfigError: As `read_file`.
    """
    text = read_file(path, key, what).replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), start=1):  # as an editor counts them
        if text := line.strip():
            yield f"{path}:{number}", text


def read_items(
    path: Path, key: str, what: str, config: OwnLists
) -> tuple[list[tuple[str, str]], list[str]]:
    """The lines of an annotation list that name something: (("path:line", text), ...), and remarks.

    The second value has the places of remarks that are written as lines of a list, such as
    `#clip.mp4 3`, or `# clip.mp4 3` where there is a clip.mp4.

    Raises:
        ConfigError: As `read_file`.
    """
    items, remarks = [], []
    for where, text in read_lines(path, key, what):
        if not config.is_remark(text):
            items.append((where, text))
        elif _ITEM.fullmatch(text) or config.names(text.lstrip("# ")):
            remarks.append(where)
    return items, remarks


def remark_notes(split: Split, remarks: Sequence[str]) -> tuple[str, ...]:
    """Note on comment lines that may have been meant as items."""
    if not remarks:
        return ()
    what = "1 line that begins" if len(remarks) == 1 else f"{len(remarks)} lines that begin"
    said = "names no file and is" if len(remarks) == 1 else "name no file and are"
    return (f"{split} split: {what} with # {said} left out; the first is {remarks[0]}",)


def read_names(path: Path, key: str, classes: int) -> tuple[str, ...]:
    """Class names, one a line.

    Raises:
        ConfigError: As `read_file`; or if there are not `classes` of them.
    """
    return check_names(path, key, [text for _, text in read_lines(path, key)], classes)


def check_names(
    path: Path, key: str, names: Sequence[str], classes: int, count: str = "num_classes"
) -> tuple[str, ...]:
    """The names, if they are `classes`, as the config's `count` says, and no two are the same.

    Raises:
        ConfigError: If they are not.
    """
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise ConfigError(key, f'{path} names the class "{twice[0]}" {names.count(twice[0])} times')
    if len(names) != classes:
        message = f"{path} has {len(names)} names, data.{count} is {classes}"
        raise ConfigError(key, message)
    return tuple(names)


def read_pairs(path: Path, key: str) -> Iterator[tuple[str, str, str]]:
    """("path:line", id, class name) of every `id;class name` line.

    Raises:
        ConfigError: As `read_file`; or if a line is none.
    """
    for where, text in read_lines(path, key):
        name, mark, label = text.partition(";")
        if not mark or not name or not label:
            raise ConfigError(key, f'{where}: must be `id;class name`, got "{text}"')
        yield where, name.strip(), label.strip()


def read_numbered(
    config: SomethingConfig | JesterConfig,
    split: Split,
    classes: Sequence[str],
    entries: Callable[[Path, str], Iterator[tuple[str, str, str]]],
    found: Callable[[Path], Mapping[str, str]],
    suffix: str = "",
) -> list[Item]:
    """The items of a split whose file names each video by its id; none for a split without a file.

    Args:
        config: The dataset.
        split: Of it.
        classes: Names in the order of their numbers.
        entries: Reads the file: ("path:line", id, class name) of each video.
        found: Id -> path of what is in the folder of videos.
        suffix: Of the names of videos.

    Raises:
        ConfigError: If the file is missing or names no video, or an entry cannot be read.
    """
    key, videos = f"data.{split}", open_root(config) / config.videos
    path = split_file(config, split, "a file")
    if path is None:
        return []
    there = found(videos)
    numbers = {label: number for number, label in enumerate(classes)}
    items = []
    for where, name, label in entries(path, key):
        number = number_of(label, numbers, key, where, config.labels)
        items.append(video_item(number, there.get(name), f"{videos}/{name}{suffix}", where))
    if not items:
        raise ConfigError(key, f"{path}: names no video")
    return items


def read_csv(path: Path, key: str, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """("path:line", column -> value) of every row under the header.

    Raises:
        ConfigError: As `read_file`; or if a column is missing or a row has not as many values.
    """
    rows = csv.reader(io.StringIO(read_file(path, key), newline=""))
    try:
        header = [name.strip() for name in next(rows, [])]
        if missing := [name for name in columns if name not in header]:
            said = f"must have the columns {', '.join(columns)}; {', '.join(missing)} missing"
            raise ConfigError(key, f"{path}:1: {said}")
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(header):  # as of a comma without quotes
                said = f"has {len(row)} values, the header {len(header)}"
                raise ConfigError(key, f"{path}:{rows.line_num}: {said}")
            yield f"{path}:{rows.line_num}", dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise ConfigError(key, f"{path}:{rows.line_num}: {error}") from None


def read_json(path: Path, key: str, kind: type[Any]) -> Any:
    """Content of a JSON file, which is of `kind` (dict or list).

    Raises:
        ConfigError: As `read_file`; or if it is no JSON, or of another kind.
    """
    try:
        found = json.loads(read_file(path, key))
    except json.JSONDecodeError as error:
        raise ConfigError(key, f"{path}:{error.lineno}: is no JSON: {error.msg}") from None
    if not isinstance(found, kind):
        said = "a mapping" if kind is dict else "a list"
        raise ConfigError(key, f"{path}:1: must hold {said}")
    return found
