"""Run each job in a fresh process of this machine.

A fork server imports the job's module (and with it torch) once and runs nothing; each job is
forked from it in milliseconds and sees no other job's memory. A job whose process dies is a
failed record; the others go on. One that hangs is ended at its time limit, with the stacks of where
it hung. When this process dies, its jobs end too, and no temporary file of theirs is left. Other
commands may run jobs of the same folder at the same time: each job is run by who holds its lease.
"""

import contextlib
import dataclasses
import faulthandler
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import cache
from multiprocessing import util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from study.executors.executor import Executor, Running
from study.executors.placement import Placement, variables
from study.executors.queue import TaskQueue
from study.executors.task import (
    Clock,
    Event,
    Notify,
    RunJob,
    Task,
    failed_record,
    is_storage_error,
    reason_of_exit,
)
from study.records.environment import set_environment
from study.records.lease import Leases, is_dead, myself
from study.records.record import Record
from study.records.store import Store

COMMAND = ("rich.console", "study.cli.main")  # imports of run_study.py, and so of every job
POLL_S = 0.5
GRACE_S = 3.0  # from SIGTERM to SIGKILL
STACK_S = 0.5  # from asking a hanging job where it is to SIGKILL
STACK_SIGNAL = signal.SIGUSR1
LOG_CHARACTERS = 4_000  # of a dead job's output that its record keeps: the last
OWNER = "owner.json"  # marks a folder of temporary files with its process
STACK_CHARACTERS = 16_000  # of one that hung, whose main thread is told last


@dataclasses.dataclass
class _Running:
    task: Task
    process: ForkServerProcess
    events: Connection
    clock: Clock
    record: Record | None = None
    is_silent: bool = False  # it has closed its end of the pipe, and is about to end
    timed_out: float | None = None  # when it was asked where it hangs; monotonic clock, s
    taken_over: bool = False


class ProcessExecutor(Executor):
    """A fresh process a job."""

    def train(
        self, tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
    ) -> Running:
        """Yield each record as its job ends, at most `placement.workers` jobs at a time.

        Closing the iterator, or an exception in it such as KeyboardInterrupt, ends all jobs within
        `GRACE_S` seconds; their checkpoints stay.
        """
        if not tasks:
            return
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([run_job.__module__, *COMMAND])
        gpus = list(placement.gpus)
        running: list[_Running] = []
        with Leases(tasks[0].root) as leases:
            queue = TaskQueue(tasks, leases, notify)
            try:
                while queue.is_open or running:
                    while len(running) < placement.workers and (task := queue.take()) is not None:
                        task = dataclasses.replace(task, gpu=gpus.pop(0) if gpus else None)
                        running.append(_start(context, task, run_job, placement))
                        notify(Event(task.name, "started"))
                    yield from queue.ended_elsewhere()
                    for job in _ended(running, placement, queue, notify):
                        running.remove(job)
                        if job.task.gpu is not None:
                            gpus.append(job.task.gpu)
                        if job.taken_over and job.record is None:
                            queue.put_back(job.task)
                            continue
                        record = job.record or _write_death(job, placement)
                        queue.end(job.task)
                        event = Event(job.task.name, "ended", 0, 0, record.status, record.reason)
                        notify(event)
                        yield job.task, record
            finally:
                _stop(running)


def _start(
    context: ForkServerContext, task: Task, run_job: RunJob, placement: Placement
) -> _Running:
    receiver, sender = context.Pipe(duplex=False)
    scratch = scratch_folder()
    # Not a daemon: those may not start the processes of a data-parallel run. `_stop` ends it.
    process = context.Process(target=_work, args=(run_job, task, sender, scratch), daemon=False)
    # By itself the fork server imports from the working directory and what is installed: another
    # copy of this project, perhaps, whose code would train under our fingerprint.
    path = os.pathsep.join(place or os.getcwd() for place in sys.path)
    imports = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    with set_environment({**variables(placement.threads), **imports}):
        process.start()  # the first job starts the fork server, which keeps this environment
    sender.close()
    return _Running(task, process, receiver, Clock())


def _work(run_job: RunJob, task: Task, sender: Connection, scratch: str) -> None:
    """Body of a job's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too; the parent decides
    tempfile.tempdir = scratch  # a job that is killed removes nothing
    threading.Thread(target=_die_with_parent, args=(scratch,), daemon=True).start()
    log = _redirect_output(task)
    faulthandler.enable(log)
    faulthandler.register(STACK_SIGNAL, log, all_threads=True)
    try:
        sender.send(run_job(task, sender.send))
    except OSError as error:
        if not is_storage_error(error):
            raise
        sender.send(error)  # not this job's fault: the next would fail of it too


def _die_with_parent(scratch: str) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)


def _redirect_output(task: Task) -> int:
    """Send this process's output to the attempt's log, so that it cannot break the live view."""
    path = Store(task.root).log_path(task.key.stem, task.attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    return log


def _ended(
    running: list[_Running], placement: Placement, queue: TaskQueue, notify: Notify
) -> list[_Running]:
    """Pass on what the jobs say; return those whose process has ended."""
    # A pipe that is closed is always ready: waiting for it would keep a core from those that end.
    heard = [job.events for job in running if not job.is_silent]
    wait(heard + [job.process.sentinel for job in running], POLL_S)
    ended = []
    for job in running:
        over = not job.process.is_alive()  # asked first, so that its last words are read after
        _listen(job, notify)
        if over:
            job.process.join()
            job.events.close()
            ended.append(job)
        elif job.timed_out is not None:
            if time.monotonic() - job.timed_out > STACK_S:
                job.process.kill()
        elif placement.timeout_s is not None and job.clock.seconds() > placement.timeout_s:
            job.timed_out = time.monotonic()
            assert job.process.pid is not None
            # The stacks of its threads go into its log, whatever it is at, in C code too.
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(job.process.pid, STACK_SIGNAL)
        elif queue.is_lost(job.task):
            job.taken_over = True
            job.process.kill()
    return ended


def _listen(job: _Running, notify: Notify) -> None:
    if job.is_silent:
        return
    try:
        while job.events.poll():
            message = job.events.recv()
            if isinstance(message, Record):
                job.record = message
            elif isinstance(message, OSError):
                raise message
            else:
                notify(message)
    except (EOFError, ConnectionError):
        job.is_silent = True  # the sentinel tells how it ended


def _write_death(job: _Running, placement: Placement) -> Record:
    store = Store(job.task.root)
    if done := store.done(job.task.key):  # it died after its record was written
        return done[-1]
    reason = reason_of_exit(job.process.exitcode)
    if job.timed_out is not None:
        reason = f"timed out after {(placement.timeout_s or 0) / 60:g} min (run.timeout_min)"
    path = store.log_path(job.task.key.stem, job.task.attempt)
    most = LOG_CHARACTERS if job.timed_out is None else STACK_CHARACTERS
    detail = path.read_text("utf-8", errors="replace")[-most:] if path.exists() else ""
    record = failed_record(job.task, job.clock, reason, detail)
    return store.add(job.task.key, record)


def _stop(running: list[_Running]) -> None:
    for job in running:
        job.process.terminate()
    deadline = time.monotonic() + GRACE_S
    for job in running:
        job.process.join(max(0.0, deadline - time.monotonic()))
        if job.process.is_alive():
            job.process.kill()
            job.process.join()


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
