"""States of submitted jobs, and the reasons of those that ended without a record. No submitit."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from study.executors.slurm import queue, submissions
from study.executors.slurm.queue import JobState, States
from study.executors.slurm.submissions import ArraySlot, Submission
from study.executors.task import Clock, Task, failed_record
from study.records.record import Record
from study.records.store import Key, Store

POLL_S = 2.0
GONE_AFTER = 3  # polls without a trace of a job, and without its record, before it counts as lost


def ask_states(slots: Sequence[ArraySlot]) -> States:
    """States of array elements: from the queue, and from accounting for those that left it.

    Raises:
        ClusterError: If the controller does not answer.
    """
    states = dict(queue.ask_queue())
    absent = {slot.submission.job_name for slot in slots if slot.key not in states}
    return {**queue.ask_accounting(sorted(absent)), **states}


def find_cost_job(root: Path, study: str, stems: set[str], states: States) -> Submission | None:
    """A cost job of a study that is still in the queue and measures all of these keys.

    A job that was submitted for other cells, or for code that was edited since, does not count.
    """
    for submission in submissions.read_submissions(root):
        state = states.get((submission.job_name, 0))
        if submission.kind != "cost" or submission.study != study:
            continue
        measured = {entry.stem for entry in submission.packs[0]}
        if stems <= measured and state is not None and state.is_live:
            return submission
    return None


def wait_for_cost_job(submission: Submission) -> JobState:
    """Wait until a job has ended; its last state."""
    absent_polls = 0
    name = submission.job_name
    while True:
        try:
            state = queue.ask_queue().get((name, 0)) or queue.ask_accounting([name]).get((name, 0))
        except queue.ClusterError:
            state = None
        else:
            absent_polls = absent_polls + 1 if state is None else 0
        if state is not None and not state.is_live:
            return state
        if absent_polls >= GONE_AFTER:
            return JobState("LOST")
        time.sleep(POLL_S)


def reason_of_end(slot: ArraySlot, state: JobState | None, root: Path) -> str:
    """One line for an array element that ended without a record."""
    words = submissions.last_words(root, slot.submission, slot.index)
    where = f" on {state.node}" if state is not None and state.node else ""
    if state is None:
        return "lost: the job left the queue without a trace (cancelled while it was pending?)"
    lower = words.lower()
    memory = "memory limit" in lower or "oom" in lower or "out of memory" in lower
    if state.state == "OUT_OF_MEMORY" or (state.state in ("FAILED", "CANCELLED") and memory):
        return f"out of memory{where} (run.slurm.mem_gb asks for more)"
    reasons = {
        "TIMEOUT": f"timed out after {slot.submission.timeout_min} min (run.slurm.timeout_min)",
        "DEADLINE": "timed out: its deadline passed",
        "CANCELLED": "cancelled",
        "PREEMPTED": f"preempted{where}, and not requeued",
        "NODE_FAIL": f"its node failed{where}, and it was not requeued",
        "BOOT_FAIL": f"its node did not boot{where}",
    }
    last = next((line for line in reversed(words.splitlines()) if line.strip()), "")
    default = f"its job ended ({state.state}){where} and left no record: {last.strip()[:200]}"
    return reasons.get(state.state, default)


def record_end(task: Task, slot: ArraySlot, state: JobState | None) -> Record:
    """Write the failed record of an execution that ended without one."""
    reason = reason_of_end(slot, state, task.root)
    detail = submissions.last_words(task.root, slot.submission, slot.index)
    executed = dataclasses.replace(task, attempt=slot.entry.attempt)
    return Store(task.root).add(task.key, failed_record(executed, Clock(), reason, detail))


def has_begun(root: Path, slot: ArraySlot) -> bool:
    """True if an array element has reached the task of a slot."""
    folder = submissions.folder_of(root, slot.submission)
    return submissions.read_place(folder, slot.index) >= slot.number


def has_failed_record(key: Key, slot: ArraySlot, store: Store) -> bool:
    """True if the execution in a slot left a failed record."""
    if slot.submission.kind == "cost":
        return any(record.started >= slot.submission.submitted for record in store.failed(key))
    return any(record.attempt.startswith(slot.entry.attempt) for record in store.failed(key))


def describe(key: Key, slot: ArraySlot, states: States, store: Store) -> str:
    """State of a job without a complete record; "" if the plan knows more."""
    if has_failed_record(key, slot, store):
        return ""
    state, root = states.get(slot.key), store.root
    log = submissions.log_of(root, slot.submission, slot.index)
    is_cost = slot.submission.kind == "cost"
    has_started = log.exists() if is_cost else has_begun(root, slot)
    if state is not None and state.state in queue.PENDING:
        return f"pending: {state.why or state.state} (job {state.job_id})"
    if state is not None and state.state in queue.RUNNING:
        where = f"(job {state.job_id}, log {log})"
        if is_cost:
            return f"being timed on {state.node} {where}"
        return f"running on {state.node} {where}" if has_started else f"waits in its pack {where}"
    if has_started:
        return f"{reason_of_end(slot, state, root)} (log {log})"
    return "cancelled" if state is not None and state.state == "CANCELLED" else ""
