"""Every dataset, by name. A new one is a file, a config class and a line here."""

import importlib
from typing import Literal, Protocol, cast

import numpy as np
from torch import Tensor

from vlf.config import DataConfig

Split = Literal["train", "val", "test"]

DATASETS: dict[str, str] = {  # name -> "module:Class"; importing one imports no other
    "motion": "vlf.data.motion:Motion",
    "packed": "vlf.data.packed:Packed",
    "video_list": "vlf.data.video_list:VideoList",
}


class Clips(Protocol):
    """The clips of one split.

    Attributes:
        classes: Class names, K of them.
        labels: (N,) int64.
        views: Clips that `load_views` gives for one item.
    """

    classes: tuple[str, ...]
    labels: Tensor
    views: int

    def __len__(self) -> int:
        """Number of items, N."""

    def load(self, index: int, rng: np.random.Generator) -> Tensor:
        """A training clip, sampled and augmented by `rng`: (T, 3, H, W) uint8."""

    def load_views(self, index: int) -> Tensor:
        """The test views of an item, the same at every call: (views, T, 3, H, W) uint8."""


def check_data(config: DataConfig) -> None:
    """Read what a dataset is listed in, without decoding a clip.

    Raises:
        ConfigError: As `open_clips` and `Augment`.
    """
    from vlf.data.augment import Augment

    if config.files():  # what is made from a seed has nothing to check
        for split in ("train", "val", "test"):
            Augment(config, open_clips(config, split).classes)


def open_clips(config: DataConfig, split: Split) -> Clips:
    """Open one split.

    Raises:
        ConfigError: With the key at fault, if files are missing or a line cannot be read.
    """
    module, name = DATASETS[config.name].split(":")
    return cast(Clips, getattr(importlib.import_module(module), name)(config, split))
