"""UCF101 (Soomro et al. 2012, arXiv:1212.0402): AVI files, class index and lists of three splits.

classInd.txt numbers the classes from 1; a line of a training list is `Class/video.avi number`, one
of a test list `Class/video.avi`.
"""

from functools import partial
from pathlib import Path

from vlf.config import ConfigError, UCF101Config, nearest
from vlf.config.folder import index_videos
from vlf.data import Split
from vlf.data.datasets.annotations import check_names, open_root, read_lines
from vlf.data.datasets.listed_clips import Item, open_videos, video_item

KEY = "data.splits"


def read_classes(config: UCF101Config) -> tuple[str, ...]:
    """Class names in the order of their numbers.

    Raises:
        ConfigError: If the file is missing, or a line does not number the next class.
    """
    path = open_root(config) / config.splits / "classInd.txt"
    names: list[str] = []
    for where, text in read_lines(path, KEY):
        number, _, name = text.partition(" ")
        if number != str(len(names) + 1) or not name.strip():
            raise ConfigError(KEY, f'{where}: must be `{len(names) + 1} Class`, got "{text}"')
        names.append(name.strip())
    return check_names(path, "data.num_classes", names, config.num_classes)


def read_split(config: UCF101Config, split: Split, classes: tuple[str, ...]) -> list[Item]:
    """The items of one split.

    Raises:
        ConfigError: If the list is missing, or a line names no class or another than its folder.
    """
    root = open_root(config)
    path = root / config.splits / f"{split}list{config.split:02d}.txt"
    videos = root / config.videos
    found = index_videos(videos)
    number_of = {name: number for number, name in enumerate(classes)}
    items = []
    for where, text in read_lines(path, KEY):
        video, _, number = text.partition(" ")
        name = video.partition("/")[0]
        if "/" not in video or name not in number_of:
            said = f'must be `Class/video.avi`, got "{text}"{nearest(name, classes)}'
            raise ConfigError(KEY, f"{where}: {said}")
        if number.strip() and number.strip() != str(number_of[name] + 1):
            said = f"says class {number.strip()}, which is not {name} ({number_of[name] + 1})"
            raise ConfigError(KEY, f"{where}: {said}")
        stem = str(Path(video).with_suffix("").as_posix())
        items.append(video_item(number_of[name], found.get(stem), f"{videos}/{video}", where))
    if not items:
        raise ConfigError(KEY, f"{path}: names no video")
    return items


open_ucf101 = partial(open_videos, read_classes, read_split)
