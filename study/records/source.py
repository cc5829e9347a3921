"""The state of the code that runs: its commit, and whether files differ from it."""

import json
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
STATE_FILE = ".source_state.json"  # in a copy of the code, which has no repository
UNKNOWN = "unknown"


def source_state(root: Path = SOURCE) -> dict[str, str]:
    """{"commit": ..., "dirty": "yes" or "no"} of the code under `root`, "unknown" without git."""
    copied = root / STATE_FILE
    if copied.exists():
        state: dict[str, str] = json.loads(copied.read_text("utf-8"))
        return state
    commit = lines_of("git", "-C", str(root), "rev-parse", "HEAD")
    if not commit:
        return {"commit": UNKNOWN, "dirty": UNKNOWN}
    changed = lines_of("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit[0], "dirty": "yes" if changed else "no"}


def lines_of(*command: str) -> list[str]:
    """What a command prints; nothing where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
