"""Files that are complete or absent, and on disk after a power failure."""

import contextlib
import errno
import os
import time
import uuid
from pathlib import Path

QUIET_S = 86_400.0  # a file that has not changed for so long is not being written


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and wait until the content is on disk.

    Raises:
        OSError: With the path, if it cannot be written; nothing of it is left then.
    """
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):  # a read-only disk: what went wrong first is told
            path.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_atomic(path: Path, content: str | bytes) -> Path:
    """Write a file, or replace it: readers see the old content or the new. Makes the folder.

    Raises:
        OSError: If it cannot be written; the old content stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid.uuid4().hex}.draft")
    try:
        write_synced(draft, content.encode() if isinstance(content, str) else content)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    return path


def sync_entries(folder: Path) -> None:
    """Wait until the names of a folder's files are on disk: syncing a file does not sync its name.

    A file system that cannot do this for a folder says EINVAL, and keeps its own order.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        os.close(descriptor)


def is_quiet(path: Path) -> bool:
    """True if a file, or everything in a folder, has not changed for a day."""
    limit = time.time() - QUIET_S
    try:
        if path.lstat().st_mtime > limit:
            return False
        inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
        return all(one.lstat().st_mtime <= limit for one in inside)
    except OSError:  # it is being changed
        return False
