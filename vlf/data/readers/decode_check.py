"""Films of a dataset that cannot be decoded: each is checked once, and the result is kept.

The answers lie in `checked_videos.json` in the dataset's root, by path, size and time of change. In
a folder that cannot be written every process looks again; the answers are the same.
"""

import contextlib
import errno
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av

from vlf.data.readers import RULES

FILE = "checked_videos.json"
MADE_BY = {"av": av.__version__, "rules": RULES}
WRITE_S = 60.0  # an interruption loses so much work


def check_once(
    root: Path, paths: Mapping[str, Path], check: Callable[[str], str]
) -> dict[str, str]:
    """Name -> why it cannot be used, with paths inside of `root`; "" if it can.

    Args:
        root: Folder of the dataset.
        paths: Name -> the file or folder whose change makes an answer old.
        check: Looks at what a name names.
    """
    inside = f"{root}{os.sep}"  # left out, so that the answers hold where the dataset is moved to
    known = _read(root / FILE)
    new: dict[str, Any] = {}
    found, written = {}, time.monotonic()
    for name, path in paths.items():
        key = name.removeprefix(inside)
        state = path.stat()
        stamp = [state.st_size, state.st_mtime_ns]
        if known.get(key, [])[:2] != stamp:
            known[key] = [*stamp, check(name).replace(inside, "")]
            # Rights change without the time of change.
            if os.strerror(errno.EACCES) not in known[key][2]:
                new[key] = known[key]
        found[name] = str(known[key][2])
        if new and time.monotonic() - written > WRITE_S:
            _write(root / FILE, new)
            new, written = {}, time.monotonic()
    if new:
        _write(root / FILE, new)
    return found


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        stored = json.loads(path.read_text("utf-8"))
        if isinstance(stored, dict) and MADE_BY.items() <= stored.items():
            films = stored.get("films")
            return films if isinstance(films, dict) else {}
    return {}  # missing, damaged, or of readers that may say otherwise


def _write(path: Path, new: Mapping[str, Any]) -> None:
    films = {**_read(path), **new}  # other jobs may have written meanwhile
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps({**MADE_BY, "films": films}), "utf-8")
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
