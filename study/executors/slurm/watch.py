"""Run jobs as arrays on SLURM, through submitit; the researcher may close the laptop.

Each training job writes its record where every executor does. This process only submits what is
not in the queue, and reads records; so it can be killed, and another one goes on.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.executors.executor import Running
from study.executors.slurm import queue, submissions
from study.executors.slurm.queue import ClusterError, States
from study.executors.slurm.status import GONE_AFTER, POLL_S, ask_states, record_end
from study.executors.slurm.submissions import ArraySlot, Request, find_slots
from study.executors.slurm.submit import submit
from study.executors.task import Event, Notify, RunJob, Task
from study.records.lease import Leases
from study.records.record import Record
from study.records.store import Store

SLOWEST_POLL_S = 30.0  # POLL_S at first; less often the longer a run takes


@dataclass
class _Waiting:
    """A task that is submitted and has no record yet."""

    task: Task
    slot: ArraySlot
    started: bool = False
    absent_polls: int = 0


def submit_and_watch(
    tasks: Sequence[Task], run_job: RunJob, request: Request, detach: bool, notify: Notify
) -> Running:
    """Submit what is not in the queue, and yield each record as it appears.

    Raises:
        ClusterError: If SLURM is missing, or refuses a submission.
    """
    waiting = _attach_or_submit(tasks, run_job, request, notify)
    if detach or not waiting:
        return
    with Leases(request.root) as leases:
        yield from _watch(waiting, run_job, request, notify, leases)


def _watch(
    waiting: dict[str, _Waiting],
    run_job: RunJob,
    request: Request,
    notify: Notify,
    leases: Leases,
) -> Running:
    """Yield records until every task has one."""
    started, last_asked, last_note = time.monotonic(), 0.0, ""
    states: States = {}
    while waiting:
        again = []
        store = Store(request.root)  # new each round: a store lists its folder once
        for name, job in list(waiting.items()):
            record = _find_record(job, store)
            if record is None and last_asked:
                record, resubmit = _judge(job, states, notify, leases)
                if resubmit:
                    again.append(waiting.pop(name).task)
            if record is not None:
                del waiting[name]
                notify(Event(name, "ended", status=record.status, reason=record.reason))
                yield job.task, record
        if again:
            slots = submit(again, run_job, request, notify)
            waiting |= {task.name: _Waiting(task, slots[task.name]) for task in again}
        pause = min(SLOWEST_POLL_S, max(POLL_S, (time.monotonic() - started) / 60))
        if time.monotonic() - last_asked >= pause:
            try:
                states = ask_states([job.slot for job in waiting.values()])
                last_asked = time.monotonic()
            except ClusterError as error:  # it may answer soon, and the jobs go on without us
                states, last_asked = {}, 0.0
                notify(Event("", "note", reason=f"{error}; asking again"))
        if (note := _pending_note(waiting.values(), states)) != last_note:
            last_note = note
            notify(Event("", "note", reason=note))
        time.sleep(min(POLL_S, pause) if waiting else 0)


def _attach_or_submit(
    tasks: Sequence[Task], run_job: RunJob, request: Request, notify: Notify
) -> dict[str, _Waiting]:
    queue.check_slurm()
    if not tasks:
        return {}
    slots = find_slots(request.root, {task.key.stem for task in tasks})
    states = ask_states([*slots.values()])
    waiting, missing = {}, []
    for task in tasks:
        slot = slots.get(task.key.stem)
        state = states.get(slot.key) if slot else None
        if slot is not None and state is not None and state.is_live:
            attached = dataclasses.replace(task, attempt=slot.entry.attempt)
            waiting[task.name] = _Waiting(attached, slot)
        else:
            missing.append(task)
    if waiting:
        notify(Event("", "note", reason=f"{len(waiting)} jobs are in the queue already"))
    sent = submit(missing, run_job, request, notify) if missing else {}
    return waiting | {task.name: _Waiting(task, sent[task.name]) for task in missing}


def _find_record(job: _Waiting, store: Store) -> Record | None:
    """A complete record of the task by any execution, or a failed one by this execution."""
    if done := store.done(job.task.key):
        return done[-1]
    failed = store.failed(job.task.key)
    executed = [record for record in failed if record.attempt.startswith(job.task.attempt)]
    return executed[-1] if executed else None


def _judge(
    job: _Waiting, states: States, notify: Notify, leases: Leases
) -> tuple[Record | None, bool]:
    """Meaning of a state for a task without a record: (its failed record, submit it again)."""
    slot, state = job.slot, states.get(job.slot.key)
    at = submissions.read_place(submissions.folder_of(job.task.root, slot.submission), slot.index)
    if state is not None and state.is_live:
        job.absent_polls = 0
        if state.state in queue.RUNNING and at >= slot.number and not job.started:
            job.started = True
            notify(Event(job.task.name, "started"))
        return None, False
    job.absent_polls += 1  # a record may come late through a network file system
    if job.absent_polls < GONE_AFTER or not _is_free(job.task, leases):
        return None, False
    if state is not None and state.state == "COMPLETED":
        return None, True  # it left the task to another execution, which ended without a record
    if 0 <= at < slot.number and state is not None and state.state != "CANCELLED":
        return None, True  # an earlier task of its pack ended the job
    return record_end(job.task, slot, state), False


def _is_free(task: Task, leases: Leases) -> bool:
    """True if no execution holds the lease of a task; one of another person may."""
    if not leases.take(task.key.name):
        return False
    leases.drop(task.key.name)
    return True


def _pending_note(waiting: Iterable[_Waiting], states: States) -> str:
    """Reasons of pending jobs: "3 jobs pending (Priority 2, Resources 1)"; "" without any."""
    known = {job.slot.key: states.get(job.slot.key) for job in waiting}
    reasons = Counter(s.why or s.state for s in known.values() if s and s.state in queue.PENDING)
    if not reasons:
        return ""
    each = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    return f"{sum(reasons.values())} jobs pending ({each})"
