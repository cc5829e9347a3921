"""Folders of image files named by lists, as TSN's and TSM's tools write them.

A line is `path num_frames label`, or `path start NUMBER label`, where NUMBER is the number of the
last image (`stretch: end`) or how many there are (`length`). Paths are relative to the root and may
hold spaces; `start` counts as the file names do. Empty lines and lines that begin with `#` are left
out.
"""

from functools import partial
from pathlib import Path

from vlf.config import ConfigError, FramesConfig
from vlf.data import Split
from vlf.data.annotations import open_root, read_lines, split_file
from vlf.data.listed_clips import Item, ListedClips, settle
from vlf.data.readers.films import Film
from vlf.data.readers.images import ImageFolder
from vlf.data.video_list import is_whole, read_classes

FORM = "`path num_frames label` or `path start {} label`"


class FrameFolders(ListedClips):
    """One split of `frames`.

    Raises:
        ConfigError: If the root, a list or a folder is missing, or a line cannot be read; later,
            from `load` and `load_views`, if an image cannot be decoded.
    """

    def __init__(self, config: FramesConfig, split: Split) -> None:
        open_film = partial(_open_folder, config)
        items = read_list(config, split)
        listing = settle(config, split, read_classes(config), items, open_film)
        super().__init__(config, split, listing, open_film)


def _open_folder(config: FramesConfig, item: Item) -> Film:
    return ImageFolder(item.path, lambda number: config.template.format(number + config.first))


def read_list(config: FramesConfig, split: Split) -> list[Item]:
    """The items of one split; none for a split without a list.

    Raises:
        ConfigError: If the list is missing or a line cannot be read; with `bad: fail`, if a line
            names a folder or image that is not there.
    """
    key, root = f"data.{split}", open_root(config)
    path = split_file(config, split, "a list")
    if path is None:
        return []
    items = []
    for where, text in read_lines(path, key, "list"):
        if not text.startswith("#"):
            try:
                items.append(_read_line(text, root, config, where))
            except ValueError as error:
                raise ConfigError(key, f"{where}: {error}") from None
    if not items:
        raise ConfigError(key, f"{path}: has no line that names a folder")
    return items


def _read_line(text: str, root: Path, config: FramesConfig, where: str) -> Item:
    words = text.rsplit(maxsplit=2)
    if len(words) < 3 or not all(map(is_whole, words[1:])):
        raise ValueError(f'must be {FORM.format(config.stretch)}, got "{text}"')
    name, number, label = words[0], int(words[1]), int(words[2])
    start, end = 0, number
    parts = name.rsplit(maxsplit=1)
    # A folder whose own name ends in a number is still that folder.
    if len(parts) == 2 and is_whole(parts[1]) and not (root / name).is_dir():
        name, start = parts[0], int(parts[1]) - config.first
        end = start + number if config.stretch == "length" else number - config.first + 1
    if not 0 <= label < config.num_classes:
        top = config.num_classes - 1
        raise ValueError(f"label must be 0 to {top} (data.num_classes), got {label}")
    if not 0 <= start < end:
        first, last = start + config.first, end + config.first - 1
        raise ValueError(
            f"must be at least one image, from number {config.first} (data.first) on; "
            f"got {first} to {last}"
        )
    image = root / name / config.template.format(end - 1 + config.first)
    found = image.is_file()
    if not found and config.bad == "fail":
        missing = "image" if (root / name).is_dir() else "folder"
        raise ValueError(f'no such {missing}: "{image if missing == "image" else root / name}"')
    return Item(root / name, label, start, end, where, found)
