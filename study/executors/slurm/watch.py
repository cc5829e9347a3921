"""Run jobs as arrays on SLURM, through submitit; the researcher may close the laptop.

Each training job writes its record where every executor does. This process only submits what is
not in the queue, and reads records; so it can be killed, and another one goes on.
"""

import dataclasses
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.executors.failure import Clock, failed_record
from study.executors.placement import Placement
from study.executors.slurm import queue, submissions
from study.executors.slurm.queue import ClusterError, JobState, States
from study.executors.slurm.submissions import Place, Submission, find_places
from study.executors.slurm.submit import submit
from study.executors.task import Event, Notify, RunJob, Task
from study.records.lease import Leases
from study.records.record import Record
from study.records.store import Store

POLL_S = 2.0  # at first; less often the longer a run takes
SLOWEST_POLL_S = 30.0
GONE_AFTER = 3  # polls without a trace of a job, and without its record, before it counts as lost


@dataclass
class _Waiting:
    task: Task
    place: Place
    started: bool = False
    empty_polls: int = 0


def run_on_slurm(
    tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
) -> Generator[tuple[Task, Record], None, None]:
    """Submit what is not in the queue, and yield each record as it appears.

    With `placement.detach` it returns after submission and yields nothing. Closing the iterator
    leaves the jobs in the queue: the next run attaches to them.

    Raises:
        ClusterError: If SLURM is missing, or refuses a submission.
    """
    waiting = _attach_or_submit(tasks, run_job, placement, notify)
    if placement.detach or not waiting:
        return
    with Leases(tasks[0].root) as leases:
        yield from _watch(waiting, run_job, placement, notify, leases)


def _watch(
    waiting: dict[str, _Waiting],
    run_job: RunJob,
    placement: Placement,
    notify: Notify,
    leases: Leases,
) -> Generator[tuple[Task, Record], None, None]:
    """Until every task has its record."""
    started, last_asked, said = time.monotonic(), 0.0, ""
    states: States = {}
    while waiting:
        again = []
        store = Store(leases.folder.parent)  # anew: the folder is listed once a round
        for name, one in list(waiting.items()):
            record = _find_record(one, store)
            if record is None and last_asked:
                record, resubmit = _judge(one, states, notify, leases)
                if resubmit:
                    again.append(waiting.pop(name).task)
            if record is not None:
                del waiting[name]
                notify(Event(name, "ended", status=record.status, reason=record.reason))
                yield one.task, record
        if again:
            places = submit(again, run_job, placement, notify)
            waiting |= {task.name: _Waiting(task, places[task.name]) for task in again}
        pause = min(SLOWEST_POLL_S, max(POLL_S, (time.monotonic() - started) / 60))
        if time.monotonic() - last_asked >= pause:
            try:
                states = _ask(waiting.values())
                last_asked = time.monotonic()
            except ClusterError as error:  # it may be back in a moment; the jobs do not need us
                last_asked = 0.0
                states = {}
                notify(Event("", "note", reason=f"{error}; asking again"))
        if (words := _pending_words(waiting.values(), states)) != said:
            said = words
            notify(Event("", "note", reason=words))
        time.sleep(min(POLL_S, pause) if waiting else 0)


def find_alone(root: Path, study: str, stems: set[str], states: States) -> Submission | None:
    """A cost job of this study that is still in the queue and times all of these.

    One that was submitted for other cells, or for code that has been edited since, is none.
    """
    for one in submissions.read_submissions(root):
        state = states.get((one.job_name, 0))
        is_ours = one.kind == "cost" and one.study == study
        times_all = is_ours and stems <= {entry.stem for entry in one.packs[0]}
        if times_all and state is not None and state.is_live:
            return one
    return None


def wait_alone(submission: Submission) -> JobState:
    """Until a job has ended; its last state."""
    empty = 0
    while True:
        key = (submission.job_name, 0)
        try:
            state = queue.ask_queue().get(key) or queue.ask_accounting([key[0]]).get(key)
        except ClusterError:
            state = None
        else:
            empty = empty + 1 if state is None else 0
        if state is not None and not state.is_live:
            return state
        if empty >= GONE_AFTER:
            return JobState("LOST")
        time.sleep(POLL_S)


def ask_states(places: Sequence[Place]) -> States:
    """States of these elements: from the queue, and from accounting for those that left it.

    Raises:
        ClusterError: If the controller does not answer.
    """
    states = dict(queue.ask_queue())
    absent = {place.submission.job_name for place in places if place.key not in states}
    return {**queue.ask_accounting(sorted(absent)), **states}


def reason_of_end(place: Place, state: JobState | None, root: Path) -> str:
    """One line for an element that ended without a record."""
    words = submissions.last_words(root, place.submission, place.index)
    where = f" on {state.node}" if state is not None and state.node else ""
    if state is None:
        return "lost: the job left the queue without a trace (cancelled while it was pending?)"
    lower = words.lower()
    memory = "memory limit" in lower or "oom" in lower or "out of memory" in lower
    if state.state == "OUT_OF_MEMORY" or (state.state in ("FAILED", "CANCELLED") and memory):
        return f"out of memory{where} (run.slurm.mem_gb asks for more)"
    reasons = {
        "TIMEOUT": f"timed out after {place.submission.timeout_min} min (run.slurm.timeout_min)",
        "DEADLINE": "timed out: its deadline passed",
        "CANCELLED": "cancelled",
        "PREEMPTED": f"preempted{where}, and not put back into the queue",
        "NODE_FAIL": f"its node failed{where}, and it was not put back into the queue",
        "BOOT_FAIL": f"its node did not boot{where}",
    }
    last = next((line for line in reversed(words.splitlines()) if line.strip()), "")
    default = f"its job ended ({state.state}){where} and left no record: {last.strip()[:200]}"
    return reasons.get(state.state, default)


def _attach_or_submit(
    tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
) -> dict[str, _Waiting]:
    queue.check_slurm()
    if not tasks:
        return {}
    places = find_places(tasks[0].root, {task.key.stem for task in tasks})
    states = ask_states(list(places.values()))
    waiting, missing = {}, []
    for task in tasks:
        place = places.get(task.key.stem)
        state = states.get(place.key) if place else None
        if place is not None and state is not None and state.is_live:
            again = dataclasses.replace(task, attempt=place.entry.attempt)
            waiting[task.name] = _Waiting(again, place)
        else:
            missing.append(task)
    if waiting:
        notify(Event("", "note", reason=f"{len(waiting)} jobs are in the queue already"))
    sent = submit(missing, run_job, placement, notify) if missing else {}
    return waiting | {task.name: _Waiting(task, sent[task.name]) for task in missing}


def _find_record(one: _Waiting, store: Store) -> Record | None:
    """A record of this task: done by whichever execution, or failed in this one."""
    if done := store.done(one.task.key):
        return done[-1]
    failed = store.failed(one.task.key)
    own = [record for record in failed if record.attempt.startswith(one.task.attempt)]
    return own[-1] if own else None


def _judge(
    one: _Waiting, states: States, notify: Notify, leases: Leases
) -> tuple[Record | None, bool]:
    """What a state means for a task that has no record: (its failed record, submit it again)."""
    state = states.get(one.place.key)
    if state is not None and state.is_live:
        one.empty_polls = 0
        at = submissions.read_place(_folder(one), one.place.index)
        if state.state in queue.RUNNING and at >= one.place.number and not one.started:
            one.started = True
            notify(Event(one.task.name, "started"))
        return None, False
    one.empty_polls += 1  # a record may come late through a network file system
    if one.empty_polls < GONE_AFTER or not _is_free(one.task, leases):
        return None, False
    if state is not None and state.state == "COMPLETED":
        return None, True  # it had left the task to another, who has ended without a record
    at = submissions.read_place(_folder(one), one.place.index)
    if at < one.place.number and state is not None and state.state != "CANCELLED" and at >= 0:
        return None, True  # another task of its pack took the job down before its turn
    return record_end(one.task, one.place, state), False


def _is_free(task: Task, leases: Leases) -> bool:
    """Whether nobody is at a task; a job that another has submitted may be."""
    if not leases.take(task.key.name):
        return False
    leases.drop(task.key.name)
    return True


def record_end(task: Task, place: Place, state: JobState | None) -> Record:
    """Write the failed record of an execution that ended without one."""
    reason = reason_of_end(place, state, task.root)
    detail = submissions.last_words(task.root, place.submission, place.index)
    own = dataclasses.replace(task, attempt=place.entry.attempt)
    return Store(task.root).add(task.key, failed_record(own, Clock(), reason, detail))


def _folder(one: _Waiting) -> Path:
    return submissions.folder_of(one.task.root, one.place.submission)


def _ask(waiting: "Sequence[_Waiting] | Any") -> States:
    return ask_states([one.place for one in waiting])


def _pending_words(waiting: "Sequence[_Waiting] | Any", states: States) -> str:
    """Why jobs wait: "3 jobs pending (Priority 2, Resources 1)"; "" if none does."""
    found = {one.place.key: states.get(one.place.key) for one in waiting}
    why = Counter(s.why or s.state for s in found.values() if s and s.state in queue.PENDING)
    if not why:
        return ""
    each = ", ".join(f"{word} {count}" for word, count in why.most_common())
    return f"{sum(why.values())} jobs pending ({each})"
