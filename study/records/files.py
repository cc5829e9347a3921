"""Writing so that a power failure finds it on disk: a file's content, and a folder's names."""

import contextlib
import errno
import os
from pathlib import Path


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
