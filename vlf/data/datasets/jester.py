"""Jester (Materzynska et al. 2019): a folder of JPEG frames a video, `id;class name` lines.

A video's frames are all images of its folder in the order of the numbers in their names.
"""

from vlf.config import ConfigError, JesterConfig
from vlf.config.folder import list_folders
from vlf.data import Split
from vlf.data.datasets.annotations import number_of, open_root, read_names, read_pairs, split_file
from vlf.data.datasets.listed_clips import Item, ListedClips, settle, video_item
from vlf.data.readers.films import Film
from vlf.data.readers.images import ImageFolder


class Jester(ListedClips):
    """One split of Jester.

    Raises:
        ConfigError: If a file or folder is missing or a line cannot be read; later, from `load`
            and `load_views`, if an image cannot be decoded.
    """

    def __init__(self, config: JesterConfig, split: Split) -> None:
        path = open_root(config) / config.labels
        classes = read_names(path, "data.labels", config.num_classes)
        listing = settle(config, split, classes, read_split(config, split, classes), _open_folder)
        super().__init__(config, split, listing, _open_folder)


def _open_folder(item: Item) -> Film:
    return ImageFolder(item.path)


def read_split(config: JesterConfig, split: Split, classes: tuple[str, ...]) -> list[Item]:
    """The items of one split; none for a split without a file.

    Raises:
        ConfigError: If the file is missing, or a line is none or names no class.
    """
    key, videos = f"data.{split}", open_root(config) / config.videos
    path = split_file(config, split, "a file")
    if path is None:
        return []
    there = list_folders(videos)
    numbers = {label: number for number, label in enumerate(classes)}
    items = []
    for where, one, label in read_pairs(path, key):
        number = number_of(label, numbers, key, where, config.labels)
        items.append(video_item(number, videos / one, one in there, where))
    if not items:
        raise ConfigError(key, f"{path}: names no video")
    return items
