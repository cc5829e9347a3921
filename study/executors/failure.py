"""The record of an attempt, and one line of reason for what went wrong. No torch."""

import errno
import platform
import signal
import time
from datetime import UTC, datetime
from typing import Any, Literal

from study.executors.task import Task
from study.records.record import Record

AGAIN = "will be tried again: "  # begins the reason of a failed job that a plain run runs
STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Clock:
    """When an attempt began, and how long it has taken."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Wall-clock seconds since it was made."""
        return time.monotonic() - self._start


def record_of(task: Task, clock: Clock, status: Literal["done", "failed"], **what: Any) -> Record:
    """The record of one attempt at a task; `what` it found, or why it failed."""
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
    """The row that a failed attempt leaves."""
    return record_of(task, clock, "failed", reason=reason, detail=detail)


def reason_of(error: BaseException) -> str:
    """One line for a raised error; its own words where they were written for a person."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if kind in ("DivergedError", "NoDeviceError", "ConfigError"):
        return text
    if isinstance(error, MemoryError) or kind == "OutOfMemoryError":
        return f"out of memory: {text}"
    return f"{kind}: {text}"[:500]


def reason_of_attempts(reason: str, attempts: int, max_retries: int) -> str:
    """The reason of the last failed attempt, and what becomes of its job."""
    if attempts <= max_retries:
        return f"{AGAIN}{reason}"
    return f"{reason} (tried {attempts} times; --retry-failed tries again)"


def is_storage_error(error: BaseException) -> bool:
    """Whether a disk is full or read-only: nothing that another try of the same job would mend."""
    return isinstance(error, OSError) and error.errno in STORAGE


def reason_of_exit(code: int | None) -> str:
    """One line for a process that ended without a record; `code` as multiprocessing gives it."""
    if code is None:
        return "its process vanished"
    if code >= 0:
        return f"its process ended with exit code {code} and left no record"
    name = signal.Signals(-code).name
    hint = "; out of memory, or killed by a person" if name == "SIGKILL" else ""
    return f"killed by signal {-code} ({name}{hint})"
