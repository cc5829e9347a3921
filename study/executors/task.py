"""Tasks, the messages about them, and the records of their attempts. No torch."""

import errno
import platform
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from study.records.record import Record
from study.records.store import Key
from vlf.config import RunConfig

AGAIN = "will be tried again: "  # starts the reason of a failed job that a plain run retries
STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Task:
    """One training job.

    Attributes:
        name: Shown to a person: "variant=VLF, seed=0".
        key: Names its records.
        config: The run.
        seed: Its seed.
        device: "cpu" or "cuda".
        root: The results folder.
        attempt: Unique name of this execution.
        estimate_s: Expected time, for the live view.
        gpu: Index of its GPU, or of the first of several; None on CPU.
        resources: Settings of the executor that levels of its cell change.
        loaders: `run.loaders`; not in the config because it cannot change results.
        tensorboard: `run.tensorboard`, likewise.
        examples: `run.examples`, likewise.
    """

    name: str
    key: Key
    config: RunConfig
    seed: int
    device: str
    root: Path
    attempt: str
    estimate_s: float
    gpu: int | None = None
    resources: Mapping[str, object] = field(default_factory=dict)
    loaders: int | None = None
    tensorboard: bool = False
    examples: tuple[int, ...] = ()


@dataclass(frozen=True)
class CostJob:
    """The missing costs of a study, measured side by side in one job.

    Attributes:
        cells: Stem of a key -> name of its cell.
        device: "cpu" or "cuda".
        measure_here: Measures them in a process of this machine.
        measure_there: A picklable call that plans and measures them on another machine.
        args: Its arguments.
    """

    cells: Mapping[str, str]
    device: str
    measure_here: Callable[[], None]
    measure_there: Callable[..., None]
    args: tuple[Any, ...]


@dataclass(frozen=True)
class Event:
    """Something that happened to a task, for the live view.

    Attributes:
        task: Its name; "" of a note.
        what: "started", "epoch", "ended", or "note", a line in `reason`.
        done: Epochs done.
        total: Epochs in all.
        status: Of "ended": "done" or "failed".
        reason: Of a failure.
    """

    task: str
    what: str
    done: int = 0
    total: int = 0
    status: str = ""
    reason: str = ""


Notify = Callable[[Event], None]
RunJob = Callable[[Task, Notify], Record]


class Clock:
    """Start of an attempt, and the time since."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Wall-clock seconds since the start."""
        return time.monotonic() - self._start


def record_of(task: Task, clock: Clock, status: Literal["done", "failed"], **what: Any) -> Record:
    """Record of one attempt at a task, with results or the reason of its failure."""
    known: dict[str, Any] = {
        "kind": task.key.kind,
        "identity": task.key.identity,
        "status": status,
        "config": task.key.config,
        "seed": task.seed,
        "device": task.device,
        "fingerprint": task.key.fingerprint,
        "measurements": (),
        "environment": {"host": platform.node()},
        "attempt": task.attempt,
        "started": clock.started,
        "seconds": clock.seconds(),
    }
    return Record(**{**known, **what})


def failed_record(task: Task, clock: Clock, reason: str, detail: str = "") -> Record:
    """Record of a failed attempt."""
    return record_of(task, clock, "failed", reason=reason, detail=detail)


def reason_of(error: BaseException) -> str:
    """One line for an exception; its message alone if that was written for a person."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if kind in ("DivergedError", "NoDeviceError", "ConfigError"):
        return text
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return f"out of memory: {text}"
    return f"{kind}: {text}"[:500]


def reason_of_attempts(last: Record, attempts: int, max_retries: int) -> str:
    """Reason of the last failed attempt, and whether a plain run tries again."""
    if last.is_diverged:
        return last.reason
    if attempts <= max_retries:
        return f"{AGAIN}{last.reason}"
    return f"{last.reason} (tried {attempts} times; --retry-failed tries again)"


def is_storage_error(error: BaseException) -> bool:
    """True if a disk is full or read-only, which fails every job alike."""
    return isinstance(error, OSError) and error.errno in STORAGE


def reason_of_exit(code: int | None) -> str:
    """One line for a process that ended without a record; `code` as in multiprocessing."""
    if code is None:
        return "its process vanished"
    if code >= 0:
        return f"its process ended with exit code {code} and left no record"
    name = signal.Signals(-code).name
    hint = "; out of memory, or killed by a person" if name == "SIGKILL" else ""
    return f"killed by signal {-code} ({name}{hint})"
