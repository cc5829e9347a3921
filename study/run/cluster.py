"""A study whose jobs are on SLURM: how they stand there, what became of them, cancelling them."""

from collections.abc import Sequence

from study.executors.slurm import queue, watch
from study.executors.slurm.submissions import (
    Place,
    find_places,
    log_of,
    read_place,
    read_submissions,
)
from study.executors.slurm.submissions import folder_of as submission_folder
from study.plan.planner import Plan, Planned, task_of
from study.records.record import Outcome
from study.records.store import Store


def settle(plan: Plan, store: Store) -> bool:
    """Write the failed records of jobs that began and ended while nobody looked.

    Returns:
        Whether there were any, so that the plan has to be made again.

    Raises:
        ClusterError: If SLURM does not answer: nothing is known then.
    """
    places = _places(plan.training, store)
    if not places:
        return False
    states = watch.ask_states(list(places.values()))
    found = False
    for job in plan.training:
        place = places.get(job.key.stem)
        if job.status != "to run" or place is None or _is_recorded(job, place, store):
            continue
        state = states.get(place.key)
        began = _began(place, store)
        if began and (state is None or not state.is_live):
            watch.record_end(task_of(plan, job, store.root), place, state)
            found = True
    store.refresh()
    return found


def outcomes_in_queue(plan: Plan, store: Store) -> list[Outcome]:
    """The outcomes of `--status`: what is not run yet says where it is.

    Raises:
        ClusterError: If SLURM does not answer.
    """
    places = _places(plan.jobs, store)
    states = watch.ask_states(list(places.values())) if places else {}
    found = []
    for job in plan.jobs:
        outcome = job.outcome()
        place = places.get(job.key.stem)
        if job.status == "to run" and place is not None:
            words = _cost_words if job.kind == "cost" else _words
            if reason := words(job, place, states, store):
                outcome = job.outcome("not run", reason=reason, record=None, log="")
        found.append(outcome)
    return found


def cancel_study(plan: Plan, store: Store) -> int:
    """Cancel the jobs that this study has submitted, and no others; how many there were.

    Raises:
        ClusterError: If SLURM is missing or refuses.
    """
    queue.check_slurm()
    study = str(plan.study.path.resolve())
    names = {one.job_name for one in read_submissions(store.root) if one.study == study}
    live = [
        state.job_id
        for (name, _), state in queue.ask_queue().items()
        if name in names and state.is_live
    ]
    queue.cancel(live)
    return len(live)


def _places(jobs: Sequence[Planned], store: Store) -> dict[str, Place]:
    stems = {job.key.stem for job in jobs if job.status == "to run"}
    return find_places(store.root, stems) if stems else {}


def _began(place: Place, store: Store) -> bool:
    folder = submission_folder(store.root, place.submission)
    return read_place(folder, place.index) >= place.number


def _is_recorded(job: Planned, place: Place, store: Store) -> bool:
    return any(one.attempt.startswith(place.entry.attempt) for one in store.failed(job.key))


def _words(job: Planned, place: Place, states: queue.States, store: Store) -> str:
    state = states.get(place.key)
    log = log_of(store.root, place.submission, place.index)
    if _is_recorded(job, place, store):
        return ""  # the plan has its failure
    if state is not None and state.state in queue.PENDING:
        return _pending(state)
    if state is not None and state.state in queue.RUNNING:
        if not _began(place, store):
            return f"waits in its pack (job {state.job_id}, log {log})"
        return f"running on {state.node} (job {state.job_id}, log {log})"
    if _began(place, store):
        return f"{watch.reason_of_end(place, state, store.root)} (log {log})"
    return "cancelled" if state is not None and state.state == "CANCELLED" else ""


def _cost_words(job: Planned, place: Place, states: queue.States, store: Store) -> str:
    """Of a cell's share of the cost job, which is one job and no pack."""
    state = states.get(place.key)
    log = log_of(store.root, place.submission, place.index)
    if any(one.started >= place.submission.submitted for one in store.failed(job.key)):
        return ""
    if state is not None and state.state in queue.PENDING:
        return _pending(state)
    if state is not None and state.state in queue.RUNNING:
        return f"being timed on {state.node} (job {state.job_id}, log {log})"
    if log.exists():
        return f"{watch.reason_of_end(place, state, store.root)} (log {log})"
    return "cancelled" if state is not None and state.state == "CANCELLED" else ""


def _pending(state: queue.JobState) -> str:
    return f"pending: {state.why or state.state} (job {state.job_id})"
