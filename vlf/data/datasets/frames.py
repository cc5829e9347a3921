"""Folders of image files named by lists, as TSN's and TSM's tools write them.

A line is `path num_frames label`, or `path start NUMBER label`, where NUMBER is the number of the
last image (`stretch: end`) or how many there are (`length`). Paths are relative to the root and may
hold spaces; `start` counts as the file names do. Empty lines are left out, and lines that begin
with `#` and name no folder.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from vlf.config import ConfigError, FramesConfig
from vlf.data import Split
from vlf.data.datasets.annotations import open_root, read_items, remark_notes, split_file
from vlf.data.datasets.listed_clips import Item, ListedClips, settle
from vlf.data.datasets.video_list import MAX_TOLD, is_whole, read_classes
from vlf.data.readers.films import Film
from vlf.data.readers.images import ImageFolder

FORM = "`path num_frames label` or `path start {} label`"


class FrameFolders(ListedClips):
    """One split of `frames`.

    Raises:
        ConfigError: If the root, a list or a folder is missing, or a line cannot be read; later,
            from `load` and `load_views`, if an image cannot be decoded.
    """

    def __init__(self, config: FramesConfig, split: Split) -> None:
        image_name = partial(name_image, config)
        open_film = partial(_open_folder, image_name)
        items, notes = read_list(config, split)
        listing = settle(config, split, read_classes(config), items, open_film, notes=notes)
        super().__init__(config, split, listing, open_film, image_name=image_name)


def name_image(config: FramesConfig, number: int) -> str:
    """File name of a frame, counted from 0."""
    return config.template.format(number + config.first)


def _open_folder(image_name: Callable[[int], str], item: Item) -> Film:
    return ImageFolder(item.path, image_name)


def read_list(config: FramesConfig, split: Split) -> tuple[list[Item], tuple[str, ...]]:
    """The items of one split, and notes on its list; none for a split without a list.

    Raises:
        ConfigError: If the list is missing or a line cannot be read.
    """
    key, root = f"data.{split}", open_root(config)
    path = split_file(config, split, "a list")
    if path is None:
        return [], ()
    lines, remarks = read_items(path, key, "list", config)
    items = []
    for where, text in lines:
        try:
            items.append(_read_line(text, root, config, where))
        except (ValueError, OSError) as error:  # OSError: a name that no file system takes
            raise ConfigError(key, f"{where}: {str(error)[:MAX_TOLD]}") from None
    notes = remark_notes(split, remarks)
    if not items:
        raise ConfigError(key, "; ".join([f"{path}: has no line that names a folder", *notes]))
    return items, notes


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
    folder = root / name
    image = folder / name_image(config, end - 1)
    missing = ""
    if not image.is_file():
        missing = f'image: "{image}"' if folder.is_dir() else f'folder: "{folder}"'
    return Item(folder, label, start, end, where, missing)
