"""Kinetics-400, -600 and -700 (Kay et al. 2017, arXiv:1705.06950): a csv a split, and clips.

A clip's file is named by its row, `{youtube_id}_{time_start:06d}_{time_end:06d}` and a suffix, as
the downloaders of ActivityNet and CVDF name it; the folders around it do not matter, but that CVDF
ships files in place of broken ones in a folder of their own. Clips that are missing are normal,
since videos leave YouTube: they are left out, counted and told.
"""

from collections import defaultdict
from pathlib import Path

from vlf.config import ConfigError, KineticsConfig
from vlf.config.folder import index_videos
from vlf.data import Split
from vlf.data.datasets.annotations import check_names, number_of, open_root, read_csv, split_file
from vlf.data.datasets.listed_clips import Item, ListedClips, open_video, video_item

REPLACEMENT = "replacement"  # replacement/replacement_for_corrupted_k400
COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")


def open_kinetics(config: KineticsConfig, split: Split) -> ListedClips:
    """One split of Kinetics.

    Raises:
        ConfigError: If a csv is missing or a row cannot be read, or if no clip is there; later,
            from `load` and `load_views`, if a clip cannot be decoded.
    """
    classes = read_classes(config)
    items, notes = read_split(config, split, classes)
    return ListedClips(config, split, classes, items, open_video, notes, missing_is_normal=True)


def read_classes(config: KineticsConfig) -> tuple[str, ...]:
    """The labels of the training csv, sorted; clips that are missing count.

    Raises:
        ConfigError: If there are not `num_classes` of them.
    """
    key, path = "data.train", open_root(config) / config.train
    labels = {row["label"] for _, row in read_csv(path, key, COLUMNS)}
    return check_names(path, "data.num_classes", sorted(labels), config.num_classes)


def read_split(
    config: KineticsConfig, split: Split, classes: tuple[str, ...]
) -> tuple[list[Item], tuple[str, ...]]:
    """The items of one split, those that are missing too, and notes; none without a csv.

    Raises:
        ConfigError: If the csv is missing, a row cannot be read or has a label that training has
            not, the rows are of several splits, or two files are one clip.
    """
    key, videos = f"data.{split}", open_root(config) / config.videos
    path = split_file(config, split, "a csv")
    if path is None:
        return [], ()
    found: dict[str, list[str]] = defaultdict(list)
    for name, file in index_videos(videos).items():
        found[name.rpartition("/")[2]].append(file)
    numbers = {label: number for number, label in enumerate(classes)}
    items, splits, replaced = [], set(), 0
    for where, row in read_csv(path, key, COLUMNS):
        number = number_of(row["label"], numbers, key, where, config.train)
        splits.add(row["split"])
        if len(splits) > 1:
            said = f"has rows of the splits {', '.join(sorted(splits))}; a csv is one split"
            raise ConfigError(key, f"{where}: {said}")
        clip = _name_of(row, key, where)
        files, there = _choose(found.get(clip, []), videos)
        replaced += len(files) < there
        if len(files) > 1:
            said = f'two files are clip {clip}: "{files[0]}" and "{files[1]}"; keep one'
            raise ConfigError(key, f"{where}: {said}")
        items.append(video_item(number, next(iter(files), None), f"{videos}/{clip}.mp4", where))
    if not items:
        raise ConfigError(key, f"{path}: names no clip")
    said = f"{split} split: clips that are read from the folder of replacements: {replaced}"
    return items, (said,) if replaced else ()


def _choose(files: list[str], videos: Path) -> tuple[list[str], int]:
    """The files of a clip, replacements alone where there are both; and how many there are."""
    if len(files) < 2:
        return files, len(files)
    replacements = [
        file
        for file in files
        if any(part.startswith(REPLACEMENT) for part in Path(file).relative_to(videos).parts[:-1])
    ]
    return replacements or files, len(files)


def _name_of(row: dict[str, str], key: str, where: str) -> str:
    try:
        start, end = int(row["time_start"]), int(row["time_end"])
    except ValueError:
        said = f'must be whole seconds, got "{row["time_start"]}" and "{row["time_end"]}"'
        raise ConfigError(key, f"{where}: time_start and time_end {said}") from None
    return f"{row['youtube_id']}_{start:06d}_{end:06d}"
