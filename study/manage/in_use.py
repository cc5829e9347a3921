"""Processes and jobs that may use a results folder: lease holders and submitted jobs."""

import os
from dataclasses import dataclass
from pathlib import Path

from study.executors import EXECUTORS, executor_class, executor_folders
from study.executors.executor import Submitted
from study.records.lease import survey_leases

Traces = set[tuple[str, int]]


@dataclass(frozen=True)
class AtWork:
    """Users of a results folder.

    Attributes:
        who: In words, none if nobody is.
        stems: `identity.variant` of jobs that are held or submitted.
        dead_leases: Files of leases that are over.
        submitted: What each executor has submitted.
    """

    who: tuple[str, ...] = ()
    stems: frozenset[str] = frozenset()
    dead_leases: tuple[Path, ...] = ()
    submitted: tuple[Submitted, ...] = ()


def look_who_is_at_work(root: Path) -> AtWork:
    """Look at the leases and the submissions of a results folder."""
    held, dead = survey_leases(root)
    who = [f"{holder}, at {name[:20]}" for name, holder in sorted(held.items())]
    stems = {name.partition("-")[2] for name in held}
    submitted = [executor_class(name).survey(root) for name in EXECUTORS]
    return AtWork(
        (*who, *(line for one in submitted for line in one.who)),
        frozenset(stems).union(*(one.stems for one in submitted)),
        tuple(dead),
        tuple(submitted),
    )


def traces_of(root: Path) -> Traces:
    """Files that a starting run adds: studies, leases, submissions."""
    found: Traces = set()
    for name in ("studies", "leases", *executor_folders()):
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
