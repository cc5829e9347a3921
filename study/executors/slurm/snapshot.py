"""The code that a queued job runs: a copy of the source as it was when the job was submitted."""

import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

from study.records.environment import SOURCE, STATE_FILE, source_state

PLACES = ("run_study.py", "vlf", "study", "analysis")


def take_snapshot(folder: Path, root: Path = SOURCE) -> Path:
    """Copy the code into a folder named by its content; one that is there is taken as it is."""
    files = sorted(
        path
        for place in PLACES
        for path in ([root / place] if place.endswith(".py") else (root / place).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )
    state = json.dumps(source_state(root), sort_keys=True)
    digest = hashlib.sha256(state.encode())
    for path in files:
        digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    target = folder / digest.hexdigest()[:16]
    if target.exists():
        return target
    draft = folder / f".{uuid.uuid4().hex}"
    for path in files:
        copy = draft / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (draft / STATE_FILE).write_text(state, "utf-8")
    try:
        os.rename(draft, target)
    except OSError:  # another process was faster
        if not target.exists():
            raise
        shutil.rmtree(draft)
    return target
