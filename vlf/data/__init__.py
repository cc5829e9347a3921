"""Every dataset, by name. A new one is a file, a config class and a line here."""

from collections.abc import Mapping
from typing import Literal, Protocol, cast

import numpy as np
from torch import Tensor

from vlf.config import DataConfig, load_object

Split = Literal["train", "val", "test"]

DATASETS: dict[str, str] = {  # name -> "module:function or class"; importing one imports no other
    "motion": "vlf.data.datasets.motion:Motion",
    "packed": "vlf.data.datasets.packed:Packed",
    "video_list": "vlf.data.datasets.video_list:VideoList",
    "frames": "vlf.data.datasets.frames:open_frames",
    "something": "vlf.data.datasets.something:open_something",
    "jester": "vlf.data.datasets.jester:open_jester",
    "kinetics": "vlf.data.datasets.kinetics:open_kinetics",
    "ucf101": "vlf.data.datasets.ucf101:open_ucf101",
    "hmdb51": "vlf.data.datasets.hmdb51:open_hmdb51",
    "epic_kitchens": "vlf.data.datasets.epic_kitchens:open_epic_kitchens",
}


class Views(Protocol):
    """Test views of one split.

    Attributes:
        classes: Class names, K of them; of several heads one after the other.
        heads: Head -> its number of classes (vlf/heads.py).
        labels: (N,) int64, or (N, H) with several heads; numbers of classes among all K.
        views: Clips that `load_views` gives for one item.
        notes: What a reader of the numbers must know, such as how many videos are missing.
    """

    classes: tuple[str, ...]
    heads: Mapping[str, int]
    labels: Tensor
    views: int
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of items, N."""

    def load_views(self, index: int) -> Tensor:
        """The test views of an item, the same at every call: (views, T, 3, H, W) uint8."""


class Clips(Views, Protocol):
    """The clips of one split."""

    def load(self, index: int, rng: np.random.Generator) -> Tensor:
        """A training clip, sampled and augmented by `rng`: (T, 3, H, W) uint8."""


def open_clips(config: DataConfig, split: Split) -> Clips:
    """Open one split.

    Raises:
        ConfigError: With the key at fault, if files are missing or a line cannot be read.
    """
    return cast(Clips, load_object(DATASETS[config.name])(config, split))
