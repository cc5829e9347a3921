"""Inputs of `vlf/data/pack.py`: a study's `base.data`, or one annotation list."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from vlf.config import DataConfig, EpicKitchensConfig, ListedData, VideoListConfig
from vlf.config.folder import segment_name
from vlf.data import Split, open_clips
from vlf.data.datasets.listed_clips import Item, ListedClips, OpenFilm
from vlf.data.datasets.video_list import open_by_number, read_list
from vlf.data.preparation.study_data import StudyDataError, read_base_data
from vlf.data.readers.images import ImageFolder

ANY_LABEL = 2**31  # a list alone does not say how many classes there are


class PackError(ValueError):
    """The input cannot be packed; one line says why."""


@dataclass(frozen=True)
class Source:
    """Videos to pack.

    Attributes:
        root: Folder that names of videos are relative to.
        lists: File name -> its items.
        classes: Names; empty if they are not known.
        open_film: How to come by the frames of an item's video, as its dataset does.
        has_own_lists: Whether the dataset's lists name what is packed, and none need be written.
        notes: What is left out of the lists.
    """

    root: Path
    lists: Mapping[str, Sequence[Item]]
    classes: tuple[str, ...] = ()
    open_film: OpenFilm = open_by_number
    has_own_lists: bool = False
    notes: tuple[str, ...] = ()

    def videos(self) -> dict[str, Item]:
        """Name -> an item of that video, each once, in the order of the lists."""
        items = [item for some in self.lists.values() for item in some]
        return {self.name_of(item): item for item in items}

    def name_of(self, item: Item) -> str:
        """Path relative to `root`; of a part by time that of its video and its moments.

        Raises:
            PackError: If it lies elsewhere, or could not stand on a line of a list.
        """
        if item.seconds is not None:
            return segment_name(item.path.stem, item.seconds)
        path = Path(os.path.normpath(item.path))
        if not path.is_relative_to(os.path.normpath(self.root)):
            raise PackError(f'{item.where}: "{item.path}" is not inside of "{self.root}"')
        name = path.relative_to(os.path.normpath(self.root)).as_posix()
        if len(name.splitlines()) != 1 or name != name.strip():
            text = "a name that begins or ends with a space, or holds a line break"
            raise PackError(f"{item.where}: {text}, cannot stand in a list: {name!r}")
        return name


def find_source(path: Path, root: Path | None) -> Source:
    """Videos of a study's `base.data`, or of one annotation list.

    Raises:
        PackError: If it is neither, or names no video files.
        ConfigError: As the dataset.
    """
    if not path.is_file():
        raise PackError(f"no such study or annotation list: {path}")
    if path.suffix not in (".yaml", ".yml"):
        folder = str(root or path.parent)
        listed = VideoListConfig(root=folder, train=str(path.resolve()), num_classes=ANY_LABEL)
        items, notes = read_list(listed, "train")
        missing = next((item for item in items if item.missing), None)
        if missing is not None:
            raise PackError(f"{missing.where}: no such {missing.missing}")
        return Source(Path(folder), {path.name: items}, notes=notes)
    try:
        config = read_base_data(path, root)
    except StudyDataError as error:
        raise PackError(str(error)) from None
    return _source_of(config, path)


def _source_of(config: DataConfig, path: Path) -> Source:
    nothing = PackError(f"{path}: base.data.name: {config.name} has no video files to pack")
    if not isinstance(config, ListedData) or config.name == "packed":
        raise nothing
    has_own_lists = config.name == "epic_kitchens"  # whose `source: packed` reads them
    if isinstance(config, EpicKitchensConfig) and config.source != "videos":
        raise PackError(f"{path}: base.data.source: {config.source} has no videos to pack")
    everything = config.model_copy(update={"limit": None})
    splits = {split: cast(ListedClips, open_clips(everything, split)) for split in get_args(Split)}
    lists = {f"{split}.txt": clips.items for split, clips in splits.items() if clips.items}
    first = splits["train"]
    if not first.items or isinstance(first.open_film(first.items[0]), ImageFolder):
        raise nothing
    notes = tuple(note for clips in splits.values() for note in clips.notes)
    return Source(Path(config.root), lists, first.classes, first.open_film, has_own_lists, notes)
