"""Temporary files of a command's jobs: in one folder, so that none is left however they end."""

import contextlib
import json
import os
import shutil
from functools import cache
from multiprocessing import util
from pathlib import Path

from study.records.lease import is_dead, myself

OWNER = "owner.json"


@cache
def scratch_folder() -> str:
    """The folder of this process; it goes when this process ends, or with its last job.

    Where all of them were killed at once, the next command on the machine removes it.
    """
    folder = Path(util.get_temp_dir())  # where the fork server listens
    (folder / OWNER).write_text(json.dumps(myself()), "utf-8")
    remove_orphans(folder.parent)
    return str(folder)


def remove_orphans(place: Path) -> None:
    """Remove the folders that commands of this person and machine left here when they died."""
    for folder in place.glob("pymp-*"):
        with contextlib.suppress(OSError, ValueError):  # not ours, not marked, or gone meanwhile
            said = json.loads((folder / OWNER).read_text("utf-8"))
            is_ours = folder.stat().st_uid == os.getuid()
            if is_ours and isinstance(said, dict) and is_dead(said):
                shutil.rmtree(folder)
