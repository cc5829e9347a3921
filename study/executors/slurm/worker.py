"""Code that runs inside a SLURM job: the tasks of one pack, one after another."""

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from submitit.core.utils import DelayedSubmission, UncompletedJobError

from study.executors.slurm.submissions import write_place
from study.executors.stop import is_stop_requested, stop_on
from study.executors.task import Clock, Event, RunJob, Task, failed_record
from study.records.lease import Leases
from study.records.store import Store

POLL_S = 1.0  # between two looks at a lease that another holds


@dataclass(frozen=True)
class Pack:
    """The tasks of one array element; picklable, and called by submitit in the job.

    On SLURM's signal before the limit or a preemption, training writes its checkpoint after the
    current step; then submitit requeues the job, which resumes from there. A task whose lease is
    held elsewhere is left to its holder: a submitter does not see in its queue the jobs of another
    person, or of the same moment.

    Attributes:
        tasks: Run in this order; those that have a record are skipped.
        run_job: Runs one task.
        folder: Folder of the submission.
        index: Element of the array.
        work: Folder that paths of the study are relative to.
    """

    tasks: tuple[Task, ...]
    run_job: RunJob
    folder: Path
    index: int
    work: Path

    def __call__(self) -> str:
        """Run the tasks that have no record; the records are the result."""
        requeue = _take_over_signal()
        os.chdir(self.work)
        for number, task in enumerate(self.tasks):
            with Leases(task.root) as leases:
                if _is_ours(task, leases):
                    write_place(self.folder, self.index, number)
                    self._run(task, requeue)
        return "done"

    def _run(self, task: Task, requeue: Callable[[], None]) -> None:
        clock = Clock()
        restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
        # A node that is taken for dead may still run: no two executions share an attempt's folder.
        attempt = dataclasses.replace(task, attempt=f"{task.attempt}r{restarts}")
        print(f"started {attempt.name} as {attempt.attempt}", flush=True)
        try:
            if not is_stop_requested():
                record = self.run_job(attempt, _print)
                print(f"{record.status} {attempt.name} {record.reason}", flush=True)
                print(record.detail, end="", flush=True)
        except InterruptedError:
            print(f"stopped {attempt.name}", flush=True)
        if is_stop_requested() and not _has_ended(task):
            try:
                requeue()
            except UncompletedJobError as error:
                reason = f"timed out too often (run.slurm.max_timeouts): {error}"
                store = Store(task.root)
                store.add(task.key, failed_record(attempt, clock, " ".join(reason.split())))

    def checkpoint(self) -> DelayedSubmission:
        """Run the same after a requeue; the checkpoints are on disk."""
        return DelayedSubmission(self)


@dataclass(frozen=True)
class Alone:
    """One function call that is a job."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    work: Path

    def __call__(self) -> str:
        """Call the function, which writes its results."""
        os.chdir(self.work)
        self.function(*self.args)
        return "done"

    def checkpoint(self) -> DelayedSubmission:
        """Run the same after a requeue."""
        return DelayedSubmission(self)


def _take_over_signal() -> Callable[[], None]:
    """Make submitit's signal a request to stop; return submitit's handler of it."""
    number = signal.SIGUSR2
    handler = signal.getsignal(number)
    stop_on(number)

    def requeue() -> None:
        if not callable(handler):
            raise RuntimeError("submitit has set no handler of its signal")
        handler(number, None)

    return requeue


def _is_ours(task: Task, leases: Leases) -> bool:
    """True if a task has no record and this process holds its lease; waits for one to expire.

    The lease of an execution that was killed on another node expires when it has not changed for a
    while.
    """
    name, deadline = task.key.name, time.monotonic() + leases.expiry_s + 2 * leases.beat_s
    while not _has_ended(task):
        if leases.take(name):
            return not _has_ended(task)  # it may have ended before we took the lease
        if time.monotonic() > deadline or is_stop_requested():
            print(f"left {task.name} to {leases.holder(name) or 'another'}", flush=True)
            return False
        time.sleep(POLL_S)
    return False


def _has_ended(task: Task) -> bool:
    """True if this execution, or one that was taken for dead, has written a record."""
    store = Store(task.root)
    failed = store.failed(task.key)
    executed = any(record.attempt.startswith(task.attempt) for record in failed)
    return bool(store.done(task.key)) or executed


def _print(event: Event) -> None:
    if event.what == "epoch":
        print(f"epoch {event.done}/{event.total} of {event.task}", flush=True)
