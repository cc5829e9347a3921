"""HMDB51 (Kuehne et al. 2011): AVI files in a folder a class, a split file a class.

A line of `CLASS_test_splitN.txt` is `video.avi MARK`: 1 is training, 2 is test, 0 is neither.
"""

from functools import partial
from pathlib import Path

from vlf.config import ConfigError, HMDB51Config
from vlf.config.folder import index_videos
from vlf.data import Split
from vlf.data.datasets.annotations import check_names, open_root, read_lines
from vlf.data.datasets.listed_clips import Item, open_videos, video_item

KEY = "data.splits"
MARKS = {"train": "1", "test": "2"}


def read_classes(config: HMDB51Config) -> tuple[str, ...]:
    """The classes that have a file of this split, sorted.

    Raises:
        ConfigError: If there are not `num_classes` of them.
    """
    folder = open_root(config) / config.splits
    if not folder.is_dir():
        raise ConfigError(KEY, f'no such folder: "{folder}"')
    end = f"_test_split{config.split}.txt"
    names = sorted(path.name.removesuffix(end) for path in folder.glob(f"*{end}"))
    if not names:
        raise ConfigError(KEY, f'"{folder}" has no CLASS{end}')
    return check_names(folder, "data.num_classes", names, config.num_classes)


def read_split(config: HMDB51Config, split: Split, classes: tuple[str, ...]) -> list[Item]:
    """The items of one split, class by class.

    Raises:
        ConfigError: If a line cannot be read or no video is of this split.
    """
    root = open_root(config)
    videos, folder = root / config.videos, root / config.splits
    found = index_videos(videos)
    items = []
    for number, name in enumerate(classes):
        for where, text in read_lines(folder / f"{name}_test_split{config.split}.txt", KEY):
            video, _, mark = text.rpartition(" ")
            if not video or mark not in ("0", "1", "2"):
                raise ConfigError(KEY, f'{where}: must be `video.avi 0, 1 or 2`, got "{text}"')
            if mark == MARKS[split]:
                stem = f"{name}/{Path(video.strip()).stem}"
                usual = f"{videos}/{name}/{video.strip()}"
                items.append(video_item(number, found.get(stem), usual, where))
    if not items:
        raise ConfigError(KEY, f'"{folder}" marks no video for the {split} split')
    return items


open_hmdb51 = partial(open_videos, read_classes, read_split)
