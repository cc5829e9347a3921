"""Submissions: one folder an array, with a manifest that outlives its submitter.

    RESULTS/slurm/<submission>/manifest.json   who is in it; written before sbatch, and again after
    RESULTS/slurm/<submission>/...             what submitit needs, and the jobs' logs
    RESULTS/slurm/<submission>/at-<index>      which task of its pack an element is at
    RESULTS/slurm/code/<digest>/               the code that the jobs run

The job's name holds the submission's name, so an array whose submitter was killed between sbatch
and the second writing is found by that.
"""

import dataclasses
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from study.records.files import write_atomic

FOLDER = "slurm"  # in a results folder
NAME = "vlf-"


@dataclass(frozen=True)
class Entry:
    """One task of a pack: stem of its key, attempt (requeueing appends to it), and name."""

    stem: str
    attempt: str
    name: str


@dataclass(frozen=True)
class Submission:
    """One array.

    Attributes:
        kind: "train", "cost", or "plan": the command that plans what follows.
        study: Path of the study file.
        packs: Tasks of each array element.
        timeout_min: Time limit of each element.
        job: Id from sbatch; "" before.
        submitted: ISO 8601, UTC.
    """

    name: str
    kind: str
    study: str
    packs: tuple[tuple[Entry, ...], ...]
    timeout_min: int
    job: str = ""
    submitted: str = ""

    @property
    def job_name(self) -> str:
        """Name of the job in SLURM."""
        return NAME + self.name


@dataclass(frozen=True)
class ArraySlot:
    """The place of a submitted task.

    Attributes:
        submission: The array.
        index: Element of the array.
        number: Position of the task in the element's pack.
        entry: The task in the manifest.
    """

    submission: Submission
    index: int
    number: int
    entry: Entry

    @property
    def key(self) -> tuple[str, int]:
        """Key of its state (`queue.States`)."""
        return self.submission.job_name, self.index


@dataclass(frozen=True)
class Request:
    """A study's demands on the cluster.

    Attributes:
        settings: `run.slurm`, without those that are not set.
        study: Absolute path of the study file.
        root: The results folder, absolute.
        threads: Largest number of threads of a training job.
    """

    settings: Mapping[str, Any]
    study: str
    root: Path
    threads: int


def new_submission(
    kind: str, study: str, packs: tuple[tuple[Entry, ...], ...], timeout_min: int
) -> Submission:
    """One that nothing is known of yet."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return Submission(uuid.uuid4().hex[:12], kind, study, packs, timeout_min, "", now)


def cluster_folder(root: Path) -> Path:
    """Folder of submissions in a results folder."""
    return root.resolve() / FOLDER


def folder_of(root: Path, submission: Submission) -> Path:
    """The folder of one submission."""
    return cluster_folder(root) / submission.name


def write_submission(root: Path, submission: Submission) -> None:
    """Write the manifest, or replace it."""
    folder = folder_of(root, submission)
    write_atomic(folder / "manifest.json", json.dumps(dataclasses.asdict(submission), indent=1))


def read_submissions(root: Path) -> list[Submission]:
    """Every submission of a results folder, the oldest first."""
    return sorted(_read(root), key=lambda one: one.submitted)


def _read(root: Path) -> Iterator[Submission]:
    for path in cluster_folder(root).glob("*/manifest.json"):
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        packs = tuple(tuple(Entry(**one) for one in pack) for pack in values.pop("packs"))
        yield Submission(**values, packs=packs)


def write_place(folder: Path, index: int, task: int) -> None:
    """An element says which task of its pack it is at."""
    write_atomic(folder / f"at-{index}", str(task))


def read_place(folder: Path, index: int) -> int:
    """Index in its pack of the task that an element runs or ran; -1 if it never began one."""
    path = folder / f"at-{index}"
    return int(path.read_text("utf-8")) if path.exists() else -1


def log_of(root: Path, submission: Submission, index: int) -> Path:
    """Output log of an element; errors and messages of libraries are in `.err` beside it."""
    job = f"{submission.job}_{index}" if len(submission.packs) > 1 else submission.job
    return folder_of(root, submission) / f"{job}_0_log.out"


def last_words(root: Path, submission: Submission, index: int, characters: int = 4000) -> str:
    """The end of what an element wrote to its error log; "" if there is none."""
    path = log_of(root, submission, index).with_suffix(".err")
    return path.read_text("utf-8", errors="replace")[-characters:] if path.exists() else ""


def find_slots(root: Path, stems: set[str]) -> dict[str, ArraySlot]:
    """Stem of a task -> the slot of its newest execution."""
    found = {}
    for submission in read_submissions(root):
        for index, pack in enumerate(submission.packs):
            for number, entry in enumerate(pack):
                if entry.stem in stems:
                    found[entry.stem] = ArraySlot(submission, index, number, entry)
    return found
