"""The embedded clips, and videos or images in one's own lists.

One class a dataset. Adding one adds it to `DataConfig` of vlf/config/published.py.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from vlf.config.base import Config
from vlf.config.folder import pack_path

Scales = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(strict=False)]
Jitter = Annotated[
    tuple[
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=0.5)],
    ],
    Field(strict=False),
]


def _whole(value: object) -> object:
    if type(value) is not int:  # pydantic takes true and 1.0 for a literal 1
        raise PydanticKnownError("int_type")
    return value


Crops = Annotated[Literal[1, 3, 5], BeforeValidator(_whole)]
Pairs = Annotated[
    tuple[Annotated[tuple[str | int, str | int], Field(strict=False)], ...], Field(strict=False)
]


class ClipData(Config):
    """Options of every dataset: the shape of a clip and the number of classes.

    Attributes:
        frames: Frames a clip, T.
        size: Height and width of a frame, in pixels.
        limit: At most so many clips of each split; None takes all.
        seed: Seed of the data themselves (not of a run): which clips are made or drawn.
    """

    frames: int = Field(8, ge=1, le=1024)
    size: int = Field(32, ge=8, le=1024)
    limit: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)

    @property
    def classes(self) -> int:
        """Number of classes, known without reading any data; of several heads all together."""
        raise NotImplementedError

    @property
    def heads(self) -> dict[str, int]:
        """Head -> its number of classes, in the order of the logits (vlf/heads.py).

        Most ask one thing of a clip; its head has no name.
        """
        return {"": self.classes}

    def train_size(self) -> int:
        """Training clips a pass, for estimates of time; 0 where it cannot be told."""
        return 0

    def files(self) -> tuple[Path, ...]:
        """Files whose content decides the accuracy; their digests are part of the identity."""
        return ()

    def digests(self) -> dict[str, str]:
        """Other facts that decide the accuracy, such as the videos that exist: role -> digest."""
        return {}


class MotionConfig(ClipData):
    """The embedded clips, made from a seed: the label is in the motion (datasets/motion.py).

    Attributes:
        train_clips: Training clips.
        val_clips: Validation clips.
        test_clips: Test clips.
    """

    name: Literal["motion"] = "motion"
    train_clips: int = Field(2000, ge=10)
    val_clips: int = Field(400, ge=10)
    test_clips: int = Field(1000, ge=10)

    @property
    def classes(self) -> int:
        """Ten motions; `vlf.data.datasets.motion.CLASSES` names them."""
        return 10

    def train_size(self) -> int:
        """Number of training clips, as configured."""
        return min(self.train_clips, self.limit or self.train_clips)


class ListedData(ClipData):
    """Options of datasets of listed video files (docs/data.md).

    How clips are cut from them, and varied, is in docs/clips.md.

    Attributes:
        root: Folder that other paths start from.
        bad: A video that is missing or cannot be decoded ends the run (`fail`), or is left out
            and counted in the record's notes (`skip`: each is decoded once to its end first).
        sampling: Which frames make a clip. "segments": one of each of T equal parts of the video
            (TSN); "uniform": the same, all at one place of their part; "dense": T frames that are
            `stride` apart.
        stride: Of "dense", in frames of the video.
        views: Clips of a video whose answers are averaged at test time, times `crops`.
        crops: Of each of these clips: 1 the centre, 3 along the long side, 5 corners and centre.
        short_side: Side, in pixels, that frames are brought to before a crop of `size` is cut;
            None is 1.15 times `size`.
        crop: Of training clips. "random": any place; "multi_scale": one of 13 places, each side one
            of `crop_scales` times the short side, scaled to `size` (TSN).
        crop_scales: Of "multi_scale", largest first.
        jitter: Largest change of brightness, contrast, saturation and hue of training clips.
        flip: Probability that a training clip is mirrored left to right.
        flip_swaps: Pairs of classes, by name or number, that mirroring turns into each other; []
            says that no label knows left from right.
        rand_augment: RandAugment operations a training clip.
        rand_magnitude: Their strength, 0 to 30.
    """

    root: str
    bad: Literal["fail", "skip"] = "fail"
    sampling: Literal["segments", "uniform", "dense"] = "segments"
    stride: int = Field(1, ge=1, le=1024)
    views: int = Field(1, ge=1, le=30)
    crops: Crops = 1
    short_side: int | None = Field(None, ge=8, le=2048)
    crop: Literal["random", "multi_scale"] = "random"
    crop_scales: Scales = Field((1.0, 0.875, 0.75, 0.66), min_length=1)
    jitter: Jitter = (0.0, 0.0, 0.0, 0.0)
    flip: float = Field(0.0, ge=0, le=1)
    flip_swaps: Pairs | None = None
    rand_augment: int = Field(0, ge=0, le=14)
    rand_magnitude: int = Field(9, ge=0, le=30)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.short_side is not None and self.short_side < self.size:
            raise ValueError(
                f"short_side: must be at least data.size ({self.size}), got {self.short_side}"
            )
        if self.stride > 1 and self.sampling != "dense":
            raise ValueError(f"stride: is of sampling: dense, not of {self.sampling}")
        if self.flip and self.flip_swaps is None:
            raise ValueError(
                "flip_swaps: must name the pairs of classes that mirroring swaps, or be [] where "
                "no label knows left from right"
            )
        return self

    def _paths(self, *names: str) -> tuple[Path, ...]:
        return tuple(Path(self.root) / name for name in names if name)

    def _count_lines(self, name: str, header: int = 0) -> int:
        """Lines of a file that are not empty and no remark, less its header, at most `limit`."""
        path = Path(self.root) / name
        lines = path.read_bytes().splitlines() if path.is_file() else []
        stripped = (line.decode("utf-8", "replace").strip() for line in lines)
        count = sum(1 for line in stripped if line and not self.is_remark(line))
        return min(max(0, count - header), self.limit or count)

    def is_remark(self, line: str) -> bool:
        """True if a line of a list is none of the list; publishers' lists have no such lines."""
        return False


class LabelledData(ListedData):
    """Options of datasets whose videos have one label.

    Attributes:
        num_classes: Number of classes; labels are 0 to num_classes - 1.
    """

    num_classes: int = Field(ge=2)

    @property
    def classes(self) -> int:
        """Number of classes in the study file, for plans without the data."""
        return self.num_classes


class OwnLists(LabelledData):
    """Options of datasets that are named by one's own lists.

    Attributes:
        train: List for training, relative to `root`.
        val: The same for validation; empty when there is none.
        test: The same for the test.
        class_names: Optional file, one class name a line, relative to `root`.
    """

    train: str = "train.txt"
    val: str = "val.txt"
    test: str = "test.txt"
    class_names: str = ""

    NUMBERS: ClassVar[tuple[int, int]] = (1, 3)  # that may stand behind a path

    def train_size(self) -> int:
        """Lines of the training list."""
        return self._count_lines(self.train)

    def files(self) -> tuple[Path, ...]:
        """The lists and class names (videos and images are trusted to be what they were)."""
        return self._paths(self.train, self.val, self.test, self.class_names)

    def digests(self) -> dict[str, str]:
        """Digest of the listed videos that exist, with `skip`."""
        return self._present()

    def is_remark(self, line: str) -> bool:
        """It begins with `#` and names nothing that is there."""
        return line.startswith("#") and not self.names(line)

    def names(self, line: str) -> bool:
        """True if a line, less the numbers at its end, is the name of what is there."""
        if not line.strip():
            return False
        names = (line.rsplit(maxsplit=count)[0] for count in (0, *self.NUMBERS))
        return any(self._is_there(self.path_of(name)) for name in names)

    def _is_there(self, path: Path) -> bool:
        return os.path.isfile(path)  # not raised for a name that no file system takes

    def path_of(self, name: str) -> Path:
        """Path of the video that a list calls `name`."""
        return Path(self.root) / name

    def _present(self) -> dict[str, str]:
        """The paths of a list's lines that exist, with `skip`."""
        if self.bad == "fail":
            return {}
        lists = (path for path in self._paths(self.train, self.val, self.test) if path.is_file())
        lines = (line for path in lists for line in path.read_bytes().splitlines())
        words = (line.rsplit(maxsplit=count)[:1] for line in lines for count in self.NUMBERS)
        paths = {word[0].decode("utf-8", "replace") for word in words if word}
        return {"present": digest_of(path for path in paths if self.path_of(path).exists())}


class VideoListConfig(OwnLists):
    """Video files, decoded when they are asked for (vlf/data/datasets/video_list.py).

    A line is `path label` or `path start_frame end_frame label`; paths are relative to `root`.
    """

    name: Literal["video_list"] = "video_list"


class PackedConfig(OwnLists):
    """Videos as small JPEG frames, made by `python -m vlf.data.pack` (vlf/data/datasets/packed.py).

    Lines are those of `video_list`.

    Attributes:
        index: What is packed, with a digest of every video's frames, relative to `root`.
    """

    name: Literal["packed"] = "packed"
    index: str = Field("index.jsonl", min_length=1)

    def path_of(self, name: str) -> Path:
        """Its frames."""
        return pack_path(Path(self.root), name)

    def files(self) -> tuple[Path, ...]:
        """Lists, class names and the index, whose digests stand for the frames themselves."""
        return (*super().files(), Path(self.root) / self.index)


class FramesConfig(OwnLists):
    """Folders of image files named by lists (vlf/data/datasets/frames.py).

    A line is `path num_frames label`, or `path start NUMBER label` as `stretch` says.

    Attributes:
        template: Name of an image by its number, as Python's str.format writes it.
        first: Number of a folder's first image.
        stretch: What NUMBER is: the number of the last image (`end`), or how many there are
            (`length`).
    """

    name: Literal["frames"] = "frames"
    template: str = "img_{:05d}.jpg"
    first: int = Field(1, ge=0)
    stretch: Literal["end", "length"] = "end"

    NUMBERS: ClassVar[tuple[int, int]] = (2, 3)

    def _is_there(self, path: Path) -> bool:
        return os.path.isdir(path)

    @model_validator(mode="after")
    def _template_has_a_number(self) -> Self:
        try:
            differ = self.template.format(1) != self.template.format(2)
        except (ValueError, LookupError, AttributeError, TypeError):
            differ = False
        if not differ:
            example = "img_{:05d}.jpg"
            raise ValueError(f'template: must hold one number, as {example}; got "{self.template}"')
        return self


def digest_of(names: Iterable[str]) -> str:
    """One digest of names in any order."""
    return hashlib.sha256("\n".join(sorted(names)).encode("utf-8", "surrogateescape")).hexdigest()
