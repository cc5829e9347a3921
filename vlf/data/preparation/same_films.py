"""Paths of the same film: by their names, as links to one file, or as copies of it.

Folders of images are the same if they are one folder; copies of them are not looked for. Nor is a
film that was encoded again.
"""

import contextlib
import hashlib
import os
import stat
import time
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set

SECONDS = 20.0  # that files are looked at for
BLOCK = 65_536  # bytes at each end of a file that decide, beside its size


def film_keys(
    paths: Iterable[str], splits: Sequence[Set[str]], seconds: float = SECONDS
) -> tuple[Mapping[str, Hashable], int]:
    """Path -> what is the same for the same film; and how many were not looked at in time.

    Args:
        paths: Files or folders, each once, in the order in which they are looked at.
        splits: The paths of each split; copies are looked for in different splits alone.
        seconds: When to stop; the others are known by their names.
    """
    deadline = time.monotonic() + seconds
    names = {path: os.path.abspath(path) for path in paths}
    files: dict[str, Hashable] = {}
    sizes: dict[int, list[str]] = defaultdict(list)
    skipped = 0
    for path, name in names.items():
        if name in files:
            continue
        if time.monotonic() > deadline:
            skipped += 1
            continue
        files[name] = name
        with contextlib.suppress(OSError):
            state = os.stat(name)
            files[name] = (state.st_dev, state.st_ino)
            if stat.S_ISREG(state.st_mode) and state.st_size:
                sizes[state.st_size].append(path)
    for size, alike in sizes.items():
        is_in_several = sum(not split.isdisjoint(alike) for split in splits) > 1
        if is_in_several and len({files[names[path]] for path in alike}) > 1:
            if time.monotonic() > deadline:
                skipped += len(alike)
                continue
            for path in alike:
                files[names[path]] = _digest(path, size) or files[names[path]]
    return {path: files.get(name, name) for path, name in names.items()}, skipped


def _digest(path: str, size: int) -> Hashable:
    """Digest of the size and both ends of a file; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read(BLOCK))
            file.seek(max(BLOCK, size - BLOCK))
            digest.update(file.read(BLOCK))
    except OSError:
        return None
    return size, digest.hexdigest()
