"""What a run reads. One class a dataset; adding one adds it to `DataConfig` below."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlf.config.base import Config
from vlf.config.folder import index_videos, list_folders


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

    def digests(self) -> dict[str, str]:
        """What else decides the accuracy, such as which videos there are: role -> digest."""
        return {}


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


class ListedData(ClipData):
    """What datasets share whose videos are files that are listed somewhere (docs/data.md).

    Attributes:
        root: Folder that other paths start from.
        views: Clips averaged at test time, equally spaced shifts of the sampled frames.
        bad: A video that is missing or cannot be decoded ends the run (`fail`), or is left out
            and counted in the record's notes (`skip`: each is decoded once to its end first).
    """

    root: str
    views: int = Field(1, ge=1, le=30)
    bad: Literal["fail", "skip"] = "fail"

    @property
    def classes(self) -> int:
        """As the study file says, so that a study can be planned where the data are not."""
        return int(getattr(self, "num_classes"))  # noqa: B009

    def _paths(self, *names: str) -> tuple[Path, ...]:
        return tuple(Path(self.root) / name for name in names if name)

    def _count_lines(self, name: str, header: int = 0) -> int:
        """Lines of a file that are no remark, less its header, at most `limit`."""
        path = Path(self.root) / name
        lines = path.read_bytes().splitlines() if path.is_file() else []
        count = sum(1 for line in lines if line.strip() and not line.lstrip().startswith(b"#"))
        return min(max(0, count - header), self.limit or count)

    def _present(self, *names: str, numbers: tuple[int, int]) -> dict[str, str]:
        """With `skip`, which of the paths before `numbers` numbers of a list's line are there."""
        if self.bad == "fail":
            return {}
        root = Path(self.root)
        lists = (path for path in self._paths(*names) if path.is_file())
        lines = (line for path in lists for line in path.read_bytes().splitlines())
        words = (line.rsplit(maxsplit=count)[:1] for line in lines for count in numbers)
        paths = {word[0].decode("utf-8", "replace") for word in words if word}
        return {"present": _digest(path for path in paths if (root / path).exists())}


class VideoListConfig(ListedData):
    """Video files named by annotation lists (vlf/data/video_list.py).

    A line is `path label` or `path start_frame end_frame label`; paths are relative to `root`.

    Attributes:
        train: Annotation list for training, relative to `root`.
        val: The same for validation; empty when there is none.
        test: The same for the test.
        num_classes: Number of classes; labels are 0 to num_classes - 1.
        class_names: Optional file, one class name a line, relative to `root`.
    """

    name: Literal["video_list"] = "video_list"
    train: str = "train.txt"
    val: str = "val.txt"
    test: str = "test.txt"
    num_classes: int = Field(ge=2)
    class_names: str = ""

    def train_size(self) -> int:
        """Lines of the training list."""
        return self._count_lines(self.train)

    def files(self) -> tuple[Path, ...]:
        """The annotation lists and class names (the videos are trusted to be what they were)."""
        return self._paths(self.train, self.val, self.test, self.class_names)

    def digests(self) -> dict[str, str]:
        """With `skip`, which of the videos that the lists name are there."""
        return self._present(self.train, self.val, self.test, numbers=(1, 3))


class FramesConfig(ListedData):
    """Folders of image files named by lists (vlf/data/frames.py).

    A line is `path num_frames label`, or `path start NUMBER label` as `stretch` says.

    Attributes:
        train: List for training, relative to `root`.
        val: The same for validation; empty when there is none.
        test: The same for the test.
        num_classes: Number of classes; labels are 0 to num_classes - 1.
        class_names: Optional file, one class name a line, relative to `root`.
        template: Name of an image by its number, as Python's str.format writes it.
        first: Number of a folder's first image.
        stretch: What NUMBER is: the number of the last image (`end`), or how many there are
            (`length`).
    """

    name: Literal["frames"] = "frames"
    train: str = "train.txt"
    val: str = "val.txt"
    test: str = "test.txt"
    num_classes: int = Field(ge=2)
    class_names: str = ""
    template: str = "img_{:05d}.jpg"
    first: int = Field(1, ge=0)
    stretch: Literal["end", "length"] = "end"

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

    def train_size(self) -> int:
        """Lines of the training list."""
        return self._count_lines(self.train)

    def files(self) -> tuple[Path, ...]:
        """The lists and class names (the images are trusted to be what they were)."""
        return self._paths(self.train, self.val, self.test, self.class_names)

    def digests(self) -> dict[str, str]:
        """With `skip`, which of the folders that the lists name are there."""
        return self._present(self.train, self.val, self.test, numbers=(2, 3))


class SomethingConfig(ListedData):
    """Something-Something V2 (Goyal et al. 2017, arXiv:1706.04261; vlf/data/something.py).

    Attributes:
        videos: Folder of the webm files, relative to `root`.
        labels: JSON file, class name -> number.
        train: JSON file with the id and template of every training video.
        val: The same for validation during training; empty for none.
        test: The same for the test; or the `id;label` file of the test split's answers.
        num_classes: As many as `labels` names.
    """

    name: Literal["something"] = "something"
    videos: str = "20bn-something-something-v2"
    labels: str = "labels/labels.json"
    train: str = "labels/train.json"
    val: str = ""
    test: str = "labels/validation.json"
    num_classes: int = Field(174, ge=2)

    def train_size(self) -> int:
        """Entries of the training file."""
        path = Path(self.root) / self.train
        count = path.read_bytes().count(b'"id"') if path.is_file() else 0
        return min(count, self.limit or count)

    def files(self) -> tuple[Path, ...]:
        """Labels and splits (the videos are trusted to be what they were)."""
        return self._paths(self.labels, self.train, self.val, self.test)

    def digests(self) -> dict[str, str]:
        """With `skip`, which videos there are."""
        if self.bad == "fail":
            return {}
        return {"videos": _digest(index_videos(Path(self.root) / self.videos))}


class JesterConfig(ListedData):
    """Jester (Materzynska et al. 2019), folders of JPEG frames (vlf/data/jester.py).

    Attributes:
        videos: Folder of the folders of frames, relative to `root`.
        labels: File with one class name a line.
        train: `id;class name` of every training video.
        val: The same for validation during training; empty for none.
        test: The same for the test.
        num_classes: As many as `labels` names.
    """

    name: Literal["jester"] = "jester"
    videos: str = "20bn-jester-v1"
    labels: str = "labels/labels.csv"
    train: str = "labels/train.csv"
    val: str = ""
    test: str = "labels/validation.csv"
    num_classes: int = Field(27, ge=2)

    def train_size(self) -> int:
        """Lines of the training file."""
        return self._count_lines(self.train)

    def files(self) -> tuple[Path, ...]:
        """Labels and splits (the frames are trusted to be what they were)."""
        return self._paths(self.labels, self.train, self.val, self.test)

    def digests(self) -> dict[str, str]:
        """With `skip`, which folders there are."""
        if self.bad == "fail":
            return {}
        return {"folders": _digest(list_folders(Path(self.root) / self.videos))}


class KineticsConfig(ListedData):
    """Kinetics-400, -600 or -700 (Kay et al. 2017, arXiv:1705.06950; vlf/data/kinetics.py).

    Videos that are missing are left out and counted, whatever `bad` says: YouTube loses some.

    Attributes:
        videos: Folder of the videos, relative to `root`; at any depth.
        train: csv of the training split: label, youtube_id, time_start, time_end, split.
        val: The same for validation during training; empty for none.
        test: The same for the test.
        num_classes: As many as the training csv has labels.
    """

    name: Literal["kinetics"] = "kinetics"
    videos: str = "."
    train: str = "annotations/train.csv"
    val: str = ""
    test: str = "annotations/val.csv"
    num_classes: int = Field(400, ge=2)

    def train_size(self) -> int:
        """Rows of the training csv, videos that are missing included."""
        return self._count_lines(self.train, header=1)

    def files(self) -> tuple[Path, ...]:
        """The csv files (the videos are trusted to be what they were)."""
        return self._paths(self.train, self.val, self.test)

    def digests(self) -> dict[str, str]:
        """Which videos there are: a copy with more of them is another dataset."""
        names = index_videos(Path(self.root) / self.videos)
        return {"videos": _digest(name.rpartition("/")[2] for name in names)}


class SplitFiles(ListedData):
    """What UCF101 and HMDB51 share: three splits into training and test, and no validation.

    Attributes:
        videos: Folder of the videos, one folder a class in it, relative to `root`.
        splits: Folder of the split files, relative to `root`.
        split: Which of the three.
    """

    videos: str
    splits: str
    split: int = Field(1, ge=1, le=3)

    def digests(self) -> dict[str, str]:
        """With `skip`, which videos there are."""
        if self.bad == "fail":
            return {}
        return {"videos": _digest(index_videos(Path(self.root) / self.videos))}


class UCF101Config(SplitFiles):
    """UCF101 (Soomro et al. 2012, arXiv:1212.0402; vlf/data/ucf101.py).

    Attributes:
        num_classes: As many as classInd.txt names.
    """

    name: Literal["ucf101"] = "ucf101"
    videos: str = "UCF-101"
    splits: str = "ucfTrainTestlist"
    num_classes: int = Field(101, ge=2)

    def train_size(self) -> int:
        """Lines of the training list."""
        return self._count_lines(f"{self.splits}/trainlist{self.split:02d}.txt")

    def files(self) -> tuple[Path, ...]:
        """Class index and both lists of the split."""
        names = ("classInd", f"trainlist{self.split:02d}", f"testlist{self.split:02d}")
        return self._paths(*(f"{self.splits}/{name}.txt" for name in names))


class HMDB51Config(SplitFiles):
    """HMDB51 (Kuehne et al. 2011; vlf/data/hmdb51.py).

    Attributes:
        num_classes: As many as there are split files.
    """

    name: Literal["hmdb51"] = "hmdb51"
    videos: str = "hmdb51_org"
    splits: str = "testTrainMulti_7030_splits"
    num_classes: int = Field(51, ge=2)

    def train_size(self) -> int:
        """70 a class, as published."""
        size = 70 * self.num_classes
        return min(size, self.limit or size)

    def files(self) -> tuple[Path, ...]:
        """The split's file of every class; the folder itself where there are none."""
        folder = Path(self.root) / self.splits
        found = sorted(folder.glob(f"*_test_split{self.split}.txt"))
        return tuple(found) or (folder,)


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


DataConfig = Annotated[
    MotionConfig
    | VideoListConfig
    | FramesConfig
    | SomethingConfig
    | JesterConfig
    | KineticsConfig
    | UCF101Config
    | HMDB51Config,
    Field(discriminator="name"),
]
