"""Archives that a dataset was downloaded as, to name the one that was not unpacked."""

import os
import re
from pathlib import Path

MOST = 10_000  # entries of a folder that are looked at

# With parts such as v.zip.001 and v.part1.rar, and 20bn-jester-v1-00, which has no suffix.
_ARCHIVE = re.compile(
    r"(?P<stem>.+?)(\.part\d+)?\.(tar|tgz|zip|rar|7z|tar\.(gz|xz|bz2|zst))(\.?\d+)?|"
    r"(?P<part>20bn-.+)-\d\d",
    re.IGNORECASE,
)


def archive_hint(path: Path, root: Path | None = None) -> str:
    """Advice to unpack an archive near a missing file or folder; "" without one.

    Args:
        path: What is missing.
        root: Folder of the dataset: all between it and the path is looked into, and what lies
            beside; without it the nearest folder that exists.
    """
    archives = _near(path, root)
    own = [archive for archive, stem in archives if stem == path.name]
    if own:
        return f'; not unpacked: "{own[0]}" (what it holds belongs in "{path}")'
    names = {path.stem, *(folder.name for folder in path.parents)}
    likely = [archive for archive, stem in archives if stem in names] or [a for a, _ in archives]
    more = f" and {len(archives) - 1} more" if len(archives) > 1 else ""
    return f'; not unpacked: "{likely[0]}"{more}' if likely else ""


def _near(path: Path, root: Path | None) -> list[tuple[Path, str]]:
    """Archives and their names less what says that they are archives, the nearest first."""
    # `os.path.isdir` raises nothing for a name too long.
    above = [folder for folder in path.parents if os.path.isdir(folder)]
    above = above[: above.index(root) + 1 if root in above else 1]
    archives = [archive for folder in above for archive in _archives_in(folder)]
    if not archives and above:
        folders = [above[-1] / entry.name for entry in _entries(above[-1]) if entry.is_dir()]
        archives = [archive for folder in folders for archive in _archives_in(folder)]
    return archives


def _archives_in(folder: Path) -> list[tuple[Path, str]]:
    matches = [(entry, _ARCHIVE.fullmatch(entry.name)) for entry in _entries(folder)]
    return [
        (folder / entry.name, match["stem"] or match["part"])
        for entry, match in matches
        if match and entry.is_file()
    ]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            first = [entry for entry, _ in zip(entries, range(MOST), strict=False)]
    except OSError:
        return []
    return sorted(first, key=lambda entry: entry.name)
