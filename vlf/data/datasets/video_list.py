"""Video files named by annotation lists, decoded with PyAV.

A line is `path label` or `path start_frame end_frame label`: paths are relative to the root and may
hold spaces, frames count from 0, and `end_frame` is the first that no longer belongs to the clip.
Empty lines are left out, and lines that begin with `#` and name no file.
"""

from collections.abc import Callable
from typing import TypeVar

from vlf.config import ConfigError, OwnLists, VideoListConfig
from vlf.data import Split
from vlf.data.datasets.annotations import (
    open_root,
    read_items,
    read_names,
    remark_notes,
    split_file,
)
from vlf.data.datasets.listed_clips import CACHE_BYTES, Item, ListedClips
from vlf.data.readers.films import Film, VideoFile

MAX_TOLD = 500  # characters of a line's complaint
Own = TypeVar("Own", bound=OwnLists)


class VideoList(ListedClips):
    """One split of a `video_list`.

    Args:
        config: Which lists.
        split: Which of them; with `val: ""` the validation split has no items.
        cache_bytes: Most bytes of decoded frames to keep.

    Raises:
        ConfigError: If the root, a list or a video is missing, or a line cannot be read; later,
            from `load` and `load_views`, if a video cannot be decoded.
    """

    def __init__(
        self, config: VideoListConfig, split: Split, cache_bytes: int = CACHE_BYTES
    ) -> None:
        items, notes = read_list(config, split)
        classes = read_classes(config)
        super().__init__(
            config, split, classes, items, open_by_number, notes, cache_bytes=cache_bytes
        )


def open_by_number(item: Item) -> Film:
    """A video by the numbers of its frames, which is what lines count in."""
    return VideoFile(item.path)


def read_classes(config: OwnLists) -> tuple[str, ...]:
    """Class names: the lines of `class_names`, or "0", "1" and so on.

    Raises:
        ConfigError: If the file is missing or does not have `num_classes` names.
    """
    if not config.class_names:
        return tuple(str(k) for k in range(config.num_classes))
    path = open_root(config) / config.class_names
    return read_names(path, "data.class_names", config.num_classes)


def _read_line(text: str, config: OwnLists, where: str) -> Item:
    *front, label = text.rsplit(maxsplit=1)
    if not front or not is_whole(label):
        form = "`path label` or `path start_frame end_frame label`"
        raise ValueError(f'must be {form}, got "{text}"')
    check_label(int(label), config)
    name, start, end = front[0], 0, None
    parts = name.rsplit(maxsplit=2)
    # A file whose own name ends in two numbers is still that file.
    if len(parts) == 3 and all(map(is_whole, parts[1:])) and not config.path_of(name).is_file():
        name, start, end = parts[0], int(parts[1]), int(parts[2])
        if not 0 <= start < end:
            raise ValueError(f"frames must have 0 <= start < end, got {start} and {end}")
    path = config.path_of(name)
    missing = "" if path.is_file() else f'video: "{path}"'
    return Item(path, int(label), start, end, where, missing)


def read_list(
    config: Own,
    split: Split,
    read_line: Callable[[str, Own, str], Item] = _read_line,
    what: str = "an annotation list",
    named: str = "video",
) -> tuple[list[Item], tuple[str, ...]]:
    """The items of one split, and notes on its list; none for a split without a list.

    Args:
        config: The dataset.
        split: Of it.
        read_line: Reads a line that is found at "path:line"; raises ValueError.
        what: The list, for messages.
        named: What its lines name.

    Raises:
        ConfigError: If the list is missing or a line cannot be read.
    """
    key = f"data.{split}"
    path = split_file(config, split, what)
    if path is None:
        return [], ()
    lines, remarks = read_items(path, key, what.partition(" ")[2], config)
    items = []
    for where, text in lines:
        try:
            items.append(read_line(text, config, where))
        except (ValueError, OSError) as error:  # OSError: a name that no file system takes
            raise ConfigError(key, f"{where}: {str(error)[:MAX_TOLD]}") from None
    notes = remark_notes(split, remarks)
    if not items:
        raise ConfigError(key, "; ".join([f"{path}: has no line that names a {named}", *notes]))
    return items, notes


def check_label(label: int, config: OwnLists) -> None:
    """Refuse a label that is no number of a class.

    Raises:
        ValueError: With what is allowed.
    """
    if not 0 <= label < config.num_classes:
        top = config.num_classes - 1
        raise ValueError(f"label must be 0 to {top} (data.num_classes), got {label}")


def is_whole(word: str) -> bool:
    """Whether a word is a whole number."""
    return word.removeprefix("-").isdecimal()
