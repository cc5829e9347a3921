"""What is in a folder of videos: each is listed once, since a stat of every file takes minutes."""

import os
from pathlib import Path

VIDEO_SUFFIXES = (
    ".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".flv", ".wmv", ".3gp",
)  # fmt: skip


def index_videos(folder: Path) -> dict[str, Path]:
    """Path inside the folder without its suffix, with "/", -> video; at any depth.

    A suffix tells no codec: what is in a file is asked of its content. Of two files that differ
    in their suffix alone the first in the order of `VIDEO_SUFFIXES` counts. Hidden files are left
    out. A folder that does not exist has no videos.
    """
    found: dict[str, Path] = {}
    for place, _, names in os.walk(folder, followlinks=True):
        inside = os.path.relpath(place, folder)
        prefix = "" if inside == "." else f"{inside.replace(os.sep, '/')}/"
        for name in sorted(names, key=_rank):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."):
                found.setdefault(prefix + stem, Path(place) / name)
    return found


def list_folders(folder: Path) -> set[str]:
    """Names of the folders in a folder; none where there is no such folder."""
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_dir()}


def pack_path(folder: Path, name: str) -> Path:
    """Where the frames of a video are in a folder that `python -m vlf.data.pack` made."""
    return folder / "videos" / f"{name}.pack"


def _rank(name: str) -> tuple[int, str]:
    suffix = os.path.splitext(name)[1].lower()
    return VIDEO_SUFFIXES.index(suffix) if suffix in VIDEO_SUFFIXES else -1, name
