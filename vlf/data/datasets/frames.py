"""Folders of image files named by lists, as TSN's and TSM's tools write them.

A line is `path num_frames label`, or `path start NUMBER label`, where NUMBER is the number of the
last image (`stretch: end`) or how many there are (`length`). Paths are relative to the root and may
hold spaces; `start` counts as the file names do. Empty lines are left out, and lines that begin
with `#` and name no folder.
"""

from functools import partial
from pathlib import Path

from vlf.config import FramesConfig
from vlf.data import Split
from vlf.data.datasets.annotations import open_root
from vlf.data.datasets.listed_clips import Item, ListedClips
from vlf.data.datasets.video_list import check_label, is_whole, read_classes, read_list
from vlf.data.readers.films import Film
from vlf.data.readers.images import ImageFolder

FORM = "`path num_frames label` or `path start {} label`"


def open_frames(config: FramesConfig, split: Split) -> ListedClips:
    """One split of `frames`.

    Raises:
        ConfigError: If the root, a list or a folder is missing, or a line cannot be read; later,
            from `load` and `load_views`, if an image cannot be decoded.
    """
    image_name = partial(name_image, config)
    read_line = partial(_read_line, open_root(config))
    items, notes = read_list(config, split, read_line, "a list", "folder")
    classes = read_classes(config)

    def open_film(item: Item) -> Film:
        return ImageFolder(item.path, image_name)

    return ListedClips(config, split, classes, items, open_film, notes, image_name=image_name)


def name_image(config: FramesConfig, number: int) -> str:
    """File name of a frame, counted from 0."""
    return config.template.format(number + config.first)


def _read_line(root: Path, text: str, config: FramesConfig, where: str) -> Item:
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
    check_label(label, config)
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
