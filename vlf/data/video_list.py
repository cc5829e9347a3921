"""Video files named by annotation lists, decoded with PyAV and sampled as TSN does.

A line is `path label` or `path start_frame end_frame label`: paths are relative to the root and may
hold spaces, frames count from 0, and `end_frame` is the first that no longer belongs to the clip.
Empty lines and lines that begin with `#` are left out.

Shapes: N items, T frames, S pixels of the clip's side.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vlf.config import ConfigError, VideoListConfig
from vlf.data import Split
from vlf.data.sampling import Indices, segment_indices, view_indices
from vlf.data.transforms import crop_clip, resize_frames, short_side
from vlf.data.video import VideoError, count_frames, decode_frames, iterate_frames

CACHE_BYTES = 512 * 2**20
MAX_TOLD = 500  # characters of a line's complaint


@dataclass(frozen=True)
class Item:
    """One line of a list: frames `start` to `end` (which is not among them) of a video.

    Attributes:
        path: The video.
        label: Its class.
        start: First frame.
        end: First frame after it; None runs to the end of the video.
        where: List and line, for messages.
    """

    path: Path
    label: int
    start: int
    end: int | None
    where: str


class VideoList:
    """One split of a `video_list`.

    An item's frames are kept in memory once decoded, at the short side that crops are cut from, as
    long as `cache_bytes` has room; the numbers are the same with the cache and without it.

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
        self.config, self.split = config, split
        self.classes = read_classes(config)
        self.items = read_list(config, split)[: config.limit]
        self.labels = torch.tensor([item.label for item in self.items], dtype=torch.int64)
        self.views = config.views
        self._lengths: dict[int, int] = {}
        self._cache: dict[int, Tensor] = {}
        self._room = cache_bytes

    def __len__(self) -> int:
        return len(self.items)

    def load(self, index: int, rng: np.random.Generator) -> Tensor:
        """A random frame of each segment, a random crop: (T, 3, S, S) uint8."""
        chosen = segment_indices(self._length(index), self.config.frames, rng)
        return crop_clip(self._frames(index, chosen), self.config.size, rng)

    def load_views(self, index: int) -> Tensor:
        """Centres of segments, the centre crop: (views, T, 3, S, S) uint8."""
        chosen = view_indices(self._length(index), self.config.frames, self.views)
        clip = crop_clip(self._frames(index, chosen.ravel()), self.config.size, None).contiguous()
        return clip.view(*chosen.shape, *clip.shape[1:])

    def _length(self, index: int) -> int:
        item = self.items[index]
        if item.end is not None:
            return item.end - item.start
        if index not in self._lengths:
            try:
                self._lengths[index] = count_frames(item.path)
            except VideoError as error:
                raise self._blame(item, error) from error
        return self._lengths[index]

    def _frames(self, index: int, chosen: Indices) -> Tensor:
        """Frames `chosen` of an item, resized: (len(chosen), 3, h, w) uint8."""
        item, side = self.items[index], short_side(self.config.size)
        try:
            if index not in self._cache and 3 * side**2 * self._length(index) <= self._room:
                self._keep(index, side)
            if index in self._cache:
                return self._cache[index][torch.from_numpy(chosen)]
            return resize_frames(decode_frames(item.path, item.start + chosen), side)
        except VideoError as error:
            raise self._blame(item, error) from error

    def _keep(self, index: int, side: int) -> None:
        item, length = self.items[index], self._length(index)
        frames = iterate_frames(item.path, item.start, item.start + length)
        # One frame at a time: a whole film at its own resolution may not fit into memory.
        clip = torch.cat([resize_frames(frame[None], side) for frame in frames])
        if clip.nbytes <= self._room:
            self._cache[index] = clip
            self._room -= clip.nbytes

    def _blame(self, item: Item, error: VideoError) -> ConfigError:
        return ConfigError(f"data.{self.split}", f"{item.where}: {error}")


def read_classes(config: VideoListConfig) -> tuple[str, ...]:
    """Class names: the lines of `class_names`, or "0", "1" and so on.

    Raises:
        ConfigError: If the file is missing or does not have `num_classes` names.
    """
    if not config.class_names:
        return tuple(str(k) for k in range(config.num_classes))
    path = _root(config) / config.class_names
    if not path.is_file():
        raise ConfigError("data.class_names", f'no such file: "{path}"')
    lines = _read_lines(path, "data.class_names")
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != config.num_classes:
        message = f"{path} has {len(names)} names, data.num_classes is {config.num_classes}"
        raise ConfigError("data.class_names", message)
    return names


def read_list(config: VideoListConfig, split: Split) -> list[Item]:
    """The items of one split; none for a split without a list.

    Raises:
        ConfigError: If the list or a video is missing, or a line cannot be read.
    """
    key, name = f"data.{split}", {"train": config.train, "val": config.val, "test": config.test}
    root = _root(config)
    if not name[split]:
        if split != "val":
            raise ConfigError(key, "must name an annotation list; only data.val may be empty")
        return []
    path = root / name[split]
    if not path.is_file():
        raise ConfigError(key, f'no such annotation list: "{path}"')
    items = []
    for number, line in enumerate(_read_lines(path, key), start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                items.append(_read_line(text, root, config.num_classes, f"{path}:{number}"))
            except (ValueError, OSError) as error:  # OSError: a name that no file system takes
                raise ConfigError(key, f"{path}:{number}: {str(error)[:MAX_TOLD]}") from None
    if not items:
        raise ConfigError(key, f"{path}: has no line that names a video")
    return items


def _read_lines(path: Path, key: str) -> list[str]:
    """Lines as an editor counts them.

    Raises:
        ConfigError: If the file is no text, with the line that is not.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(key, f"{path}:{number}: is not UTF-8 text") from None
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _read_line(text: str, root: Path, classes: int, where: str) -> Item:
    *front, label = text.rsplit(maxsplit=1)
    if not front or not _is_whole(label):
        form = "`path label` or `path start_frame end_frame label`"
        raise ValueError(f'must be {form}, got "{text}"')
    if not 0 <= int(label) < classes:
        raise ValueError(f"label must be 0 to {classes - 1} (data.num_classes), got {label}")
    name, start, end = front[0], 0, None
    parts = name.rsplit(maxsplit=2)
    # A file whose own name ends in two numbers is still that file.
    if len(parts) == 3 and all(map(_is_whole, parts[1:])) and not (root / name).is_file():
        name, start, end = parts[0], int(parts[1]), int(parts[2])
        if not 0 <= start < end:
            raise ValueError(f"frames must have 0 <= start < end, got {start} and {end}")
    if not (root / name).is_file():
        raise ValueError(f'no such video: "{root / name}"')
    return Item(root / name, int(label), start, end, where)


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _root(config: VideoListConfig) -> Path:
    root = Path(config.root)
    if not root.is_dir():
        made = " (clips cut from films are made by `python -m vlf.data.footage FOLDER`)"
        raise ConfigError("data.root", f'no such folder: "{root}"{made}')
    return root
