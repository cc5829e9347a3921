"""Contents of a folder of videos, listed once: a stat of every file takes minutes."""

import os
from pathlib import Path

VIDEO_SUFFIXES = (
    ".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".flv", ".wmv", ".3gp",
)  # fmt: skip
RANKS = {suffix: rank for rank, suffix in enumerate(VIDEO_SUFFIXES)}


def index_videos(folder: Path) -> dict[str, str]:
    """Path inside the folder without its suffix, with "/", -> path of the video; at any depth.

    A suffix tells no codec: what is in a file is asked of its content. Of two files that differ
    in their suffix alone the first in the order of `VIDEO_SUFFIXES` counts. Hidden files are left
    out. A folder that does not exist has no videos.
    """
    found: dict[str, str] = {}
    for place, _, names in os.walk(folder, followlinks=True):
        inside = os.path.relpath(place, folder)
        prefix = "" if inside == "." else f"{inside.replace(os.sep, '/')}/"
        for name in names:  # strings, not Paths: there may be 240,000
            stem, suffix = os.path.splitext(name)
            rank = RANKS.get(suffix.lower())
            if rank is None or name.startswith("."):
                continue
            other = found.get(prefix + stem)
            if other is None or rank < RANKS[os.path.splitext(other)[1].lower()]:
                found[prefix + stem] = f"{place}{os.sep}{name}"
    return found


def list_folders(folder: Path) -> set[str]:
    """Names of the folders in a folder; none where there is no such folder."""
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_dir()}


def pack_path(folder: Path, name: str) -> Path:
    """Path of a video's frames in a folder made by `python -m vlf.data.pack`."""
    return folder / "videos" / f"{name}.pack"


def segment_name(video: str, seconds: tuple[float, float]) -> str:
    """Name of a part of a video where each part is packed by itself."""
    return f"{video}/{seconds[0]}-{seconds[1]}"
