"""Datasets on the files of their publishers. `DataConfig` is the union of all."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlf.config.data import (
    FramesConfig,
    LabelledData,
    ListedData,
    MotionConfig,
    PackedConfig,
    VideoListConfig,
    digest_of,
)
from vlf.config.folder import index_videos, list_folders, pack_path


class SomethingConfig(LabelledData):
    """Something-Something V2 (Goyal et al. 2017, arXiv:1706.04261; vlf/data/datasets/something.py).

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
        """Digest of the videos that exist, with `skip`."""
        if self.bad == "fail":
            return {}
        return {"videos": digest_of(index_videos(Path(self.root) / self.videos))}


class JesterConfig(LabelledData):
    """Jester (Materzynska et al. 2019), folders of JPEG frames (vlf/data/datasets/jester.py).

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
        """Digest of the folders that exist, with `skip`."""
        if self.bad == "fail":
            return {}
        return {"folders": digest_of(list_folders(Path(self.root) / self.videos))}


class KineticsConfig(LabelledData):
    """Kinetics-400, -600 or -700 (Kay et al. 2017, arXiv:1705.06950; datasets/kinetics.py).

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
        """Digest of the videos that exist: a copy with more of them is another dataset."""
        names = index_videos(Path(self.root) / self.videos)
        return {"videos": digest_of(name.rpartition("/")[2] for name in names)}


class SplitFiles(LabelledData):
    """Options of UCF101 and HMDB51: three splits into training and test, and no validation.

    Attributes:
        videos: Folder of the videos, one folder a class in it, relative to `root`.
        splits: Folder of the split files, relative to `root`.
        split: Which of the three.
    """

    videos: str
    splits: str
    split: int = Field(1, ge=1, le=3)

    def digests(self) -> dict[str, str]:
        """Digest of the videos that exist, with `skip`."""
        if self.bad == "fail":
            return {}
        return {"videos": digest_of(index_videos(Path(self.root) / self.videos))}


class UCF101Config(SplitFiles):
    """UCF101 (Soomro et al. 2012, arXiv:1212.0402; vlf/data/datasets/ucf101.py).

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
    """HMDB51 (Kuehne et al. 2011; vlf/data/datasets/hmdb51.py).

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


class EpicKitchensConfig(ListedData):
    """EPIC-KITCHENS-100 (Damen et al. 2022, arXiv:2006.13256; vlf/data/datasets/epic_kitchens.py).

    Attributes:
        videos: Folder of the participants' folders, relative to `root`.
        source: What to read in a participant's folder: its `videos`, cut by time stamps, or the
            folders of images in its `rgb_frames`, cut by image numbers; or the segments of the
            videos that are `packed` in the folder `packs`.
        packs: Folder that `python -m vlf.data.pack` made, relative to `root`; of `packed` alone.
        verbs: csv that numbers the verb classes: id, key.
        nouns: The same of the noun classes.
        train: csv of the training segments.
        val: The same for validation during training; empty for none.
        test: The same for the test.
        num_verbs: As many as `verbs` names.
        num_nouns: As many as `nouns` names.
    """

    name: Literal["epic_kitchens"] = "epic_kitchens"
    videos: str = "."
    source: Literal["videos", "rgb_frames", "packed"] = "videos"
    packs: str = Field("packed", min_length=1)
    verbs: str = "epic-kitchens-100-annotations/EPIC_100_verb_classes.csv"
    nouns: str = "epic-kitchens-100-annotations/EPIC_100_noun_classes.csv"
    train: str = "epic-kitchens-100-annotations/EPIC_100_train.csv"
    val: str = ""
    test: str = "epic-kitchens-100-annotations/EPIC_100_validation.csv"
    num_verbs: int = Field(97, ge=2)
    num_nouns: int = Field(300, ge=2)

    @model_validator(mode="after")
    def _knows_no_left_from_right(self) -> Self:
        if self.flip_swaps:
            raise ValueError("flip_swaps: must be []: no verb or noun tells left from right")
        return self

    @property
    def heads(self) -> dict[str, int]:
        """A verb and a noun."""
        return {"verb": self.num_verbs, "noun": self.num_nouns}

    @property
    def classes(self) -> int:
        """Verbs, then nouns."""
        return self.num_verbs + self.num_nouns

    def train_size(self) -> int:
        """Rows of the training csv."""
        return self._count_lines(self.train, header=1)

    def files(self) -> tuple[Path, ...]:
        """Classes and segments (videos and images are trusted to be what they were).

        Of `packed` the index, too, whose digests stand for the frames themselves.
        """
        files = self._paths(self.verbs, self.nouns, self.train, self.val, self.test)
        return (*files, self.pack_index()) if self.source == "packed" else files

    def participant(self, name: str) -> Path:
        """Folder of a participant's videos or folders of images."""
        return Path(self.root) / self.videos / name / self.source

    def pack_index(self) -> Path:
        """Index of the packed videos."""
        return Path(self.root) / self.packs / "index.jsonl"

    def pack_of(self, segment: str) -> Path:
        """Pack of a segment's frames."""
        return pack_path(self.pack_index().parent, segment)

    def digests(self) -> dict[str, str]:
        """Digest of the videos or packed segments that exist, with `skip`."""
        if self.bad == "fail":
            return {}
        if self.source == "packed":
            folder = self.pack_index().parent
            packs = (path.relative_to(folder).as_posix() for path in folder.rglob("*.pack"))
            return {"videos": digest_of(packs)}
        folders = map(self.participant, list_folders(Path(self.root) / self.videos))
        list_in = index_videos if self.source == "videos" else list_folders
        return {"videos": digest_of(name for folder in folders for name in list_in(folder))}


DataConfig = Annotated[
    MotionConfig
    | VideoListConfig
    | PackedConfig
    | FramesConfig
    | SomethingConfig
    | JesterConfig
    | KineticsConfig
    | UCF101Config
    | HMDB51Config
    | EpicKitchensConfig,
    Field(discriminator="name"),
]
