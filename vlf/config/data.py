"""What a run reads. One class a dataset; adding one adds it to `DataConfig` below."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlf.config.base import Config

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
Pair = Annotated[tuple[str | int, str | int], Field(strict=False)]


class ClipData(Config):
    """What every dataset has: the shape of a clip and the number of classes.

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
        """Number of classes, known without reading any data."""
        raise NotImplementedError

    def train_size(self) -> int:
        """Training clips a pass, for estimates of time; 0 where it cannot be told."""
        return 0

    def files(self) -> tuple[Path, ...]:
        """Files whose content decides the accuracy; their digests are part of the identity."""
        return ()


class MotionConfig(ClipData):
    """The embedded clips, made from a seed: the label is in the motion (vlf/data/motion.py).

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
        """Ten motions; `vlf.data.motion.CLASSES` names them."""
        return 10

    def train_size(self) -> int:
        """As configured."""
        return min(self.train_clips, self.limit or self.train_clips)


class VideoData(ClipData):
    """What every dataset of real video has besides: how clips are cut (docs/loading.md).

    Attributes:
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

    sampling: Literal["segments", "uniform", "dense"] = "segments"
    stride: int = Field(1, ge=1, le=1024)
    views: int = Field(1, ge=1, le=30)
    crops: Literal[1, 3, 5] = 1
    short_side: int | None = Field(None, ge=8, le=2048)
    crop: Literal["random", "multi_scale"] = "random"
    crop_scales: Scales = Field((1.0, 0.875, 0.75, 0.66), min_length=1)
    jitter: Jitter = (0.0, 0.0, 0.0, 0.0)
    flip: float = Field(0.0, ge=0, le=1)
    flip_swaps: list[Pair] | None = None
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


class ListData(VideoData):
    """Videos named by annotation lists.

    A line is `path label` or `path start_frame end_frame label`; paths are relative to `root`.

    Attributes:
        root: Folder that the paths in the lists start from.
        train: Annotation list for training, relative to `root`.
        val: The same for validation; empty when there is none.
        test: The same for the test.
        num_classes: Number of classes; labels are 0 to num_classes - 1.
        class_names: Optional file, one class name a line, relative to `root`.
    """

    root: str
    train: str = "train.txt"
    val: str = "val.txt"
    test: str = "test.txt"
    num_classes: int = Field(ge=2)
    class_names: str = ""

    @property
    def classes(self) -> int:
        """As the study file says, so that a study can be planned where the data are not."""
        return self.num_classes

    def train_size(self) -> int:
        """Lines of the training list."""
        path = Path(self.root) / self.train
        if not path.exists():
            return 0
        with path.open("rb") as file:
            lines = sum(1 for line in file if line.strip())
        return min(lines, self.limit or lines)

    def files(self) -> tuple[Path, ...]:
        """The annotation lists and class names (the videos are trusted to be what they were)."""
        names = (self.train, self.val, self.test, self.class_names)
        return tuple(Path(self.root) / name for name in names if name)


class VideoListConfig(ListData):
    """Video files, decoded when they are asked for (vlf/data/video_list.py)."""

    name: Literal["video_list"] = "video_list"


class PackedConfig(ListData):
    """Videos as small JPEG frames, made by `python -m vlf.data.pack` (vlf/data/packed.py).

    Attributes:
        index: What is packed, with a digest of every video's frames, relative to `root`.
    """

    name: Literal["packed"] = "packed"
    index: str = Field("index.jsonl", min_length=1)

    def files(self) -> tuple[Path, ...]:
        """Lists, class names and the index, whose digests stand for the frames themselves."""
        return (*super().files(), Path(self.root) / self.index)


DataConfig = Annotated[MotionConfig | VideoListConfig | PackedConfig, Field(discriminator="name")]
