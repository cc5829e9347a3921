"""Jester (Materzynska et al. 2019): a folder of JPEG frames a video, `id;class name` lines.

A video's frames are all images of its folder in the order of the numbers in their names.
"""

from pathlib import Path

from vlf.config import JesterConfig
from vlf.config.folder import list_folders
from vlf.data import Split
from vlf.data.datasets.annotations import open_root, read_names, read_numbered, read_pairs
from vlf.data.datasets.listed_clips import ListedClips
from vlf.data.readers.images import ImageFolder


def open_jester(config: JesterConfig, split: Split) -> ListedClips:
    """One split of Jester.

    Raises:
        ConfigError: If a file or folder is missing or a line cannot be read; later, from `load`
            and `load_views`, if an image cannot be decoded.
    """
    path = open_root(config) / config.labels
    classes = read_names(path, "data.labels", config.num_classes)

    def index(videos: Path) -> dict[str, str]:
        return {name: f"{videos}/{name}" for name in list_folders(videos)}

    items = read_numbered(config, split, classes, read_pairs, index)
    return ListedClips(config, split, classes, items, lambda item: ImageFolder(item.path))
