"""Who may be at work in a results folder: holders of leases, and jobs with SLURM."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from study.executors.slurm.queue import ClusterError, ask_queue
from study.executors.slurm.submissions import Entry, Submission, cluster_folder, read_submissions
from study.records.lease import survey_leases

QUIET_S = 86_400.0  # what has not changed for so long is not being written, whatever clocks say

Traces = set[tuple[str, int]]


@dataclass(frozen=True)
class AtWork:
    """What was found.

    Attributes:
        who: In words, none if nobody is.
        stems: `identity.variant` of jobs that are held or submitted.
        dead_leases: Files of leases that are over.
        ended: Submissions to SLURM that are over for sure.
    """

    who: tuple[str, ...] = ()
    stems: frozenset[str] = frozenset()
    dead_leases: tuple[Path, ...] = ()
    ended: tuple[Submission, ...] = ()


def look_who_is_at_work(root: Path) -> AtWork:
    """Look at the leases and the submissions of a results folder."""
    held, dead = survey_leases(root)
    who = [f"{holder}, at {name[:20]}" for name, holder in sorted(held.items())]
    stems = {name.partition("-")[2] for name in held}
    try:
        submissions = read_submissions(root)
    except (OSError, ValueError, KeyError, TypeError):
        submissions = []
        who.append(f"perhaps SLURM: a manifest in {root / 'slurm'} cannot be read")
    live = _live(root, submissions)
    who += [f"perhaps SLURM, at {one.job_name} (slurm/{one.name})" for one in live]
    stems |= {entry.stem for one in live for pack in one.packs for entry in pack}
    ended = tuple(one for one in submissions if one not in live)
    return AtWork(tuple(who), frozenset(stems), tuple(dead), ended)


def _live(root: Path, submissions: list[Submission]) -> list[Submission]:
    """What may be queued or running: all that has not ended for sure."""
    ends = _ends(path.name for path in (root / "records").glob("*-*.json"))
    open_ones = [
        one
        for one in submissions
        if not all(_has_ended(entry, ends) for pack in one.packs for entry in pack)
        or not is_quiet(cluster_folder(root) / one.name)
    ]
    if not open_ones:
        return []
    try:
        names = {name for (name, _), state in ask_queue().items() if state.is_live}
    except ClusterError:  # no SLURM here, or it does not answer
        return open_ones
    return [one for one in open_ones if one.job_name in names or _is_doubtful(root, one)]


def _is_doubtful(root: Path, one: Submission) -> bool:
    """Whether not being in our queue tells nothing: just written, or another person's."""
    folder = cluster_folder(root) / one.name
    return not is_quiet(folder) or folder.lstat().st_uid != os.getuid()


def _ends(names: Iterable[str]) -> dict[str, list[str]]:
    """Stem -> how its records end: "json" of one that is done, "failed-<attempt>", a timing run."""
    ends: dict[str, list[str]] = {}
    for name in names:
        identity, variant, end, *_ = f"{name.partition('-')[2]}...".split(".")
        ends.setdefault(f"{identity}.{variant}", []).append(end)
    return ends


def _has_ended(entry: Entry, ends: dict[str, list[str]]) -> bool:
    return any(
        not end.startswith("failed-") or end.startswith(f"failed-{entry.attempt}")
        for end in ends.get(entry.stem, ())
    )


def traces_of(root: Path) -> Traces:
    """What a run that begins adds to: studies, leases, submissions."""
    found: Traces = set()
    for name in ("studies", "leases", "slurm"):
        try:
            with os.scandir(root / name) as entries:
                paths = [entry for entry in entries if not entry.name.startswith(".")]
                found |= {
                    (f"{name}/{one.name}", one.stat().st_mtime_ns * (name == "studies"))
                    for one in paths
                }
        except FileNotFoundError:
            continue
    return found


def is_quiet(path: Path) -> bool:
    """Whether neither a file nor, of a folder, anything in it has changed for a day."""
    limit = time.time() - QUIET_S
    try:
        if path.lstat().st_mtime > limit:
            return False
        inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
        return all(one.lstat().st_mtime <= limit for one in inside)
    except OSError:  # somebody is at it
        return False
