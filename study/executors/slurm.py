"""Run jobs as arrays on SLURM, through submitit; the researcher may close the laptop.

Each training job writes its record where every executor does. This process only submits what is
not in the queue, and reads records; so it can be killed, and another one goes on.
"""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.slurm.slurm import SlurmExecutor

from study.executors import slurm_queue as queue
from study.executors import submissions
from study.executors.placement import Placement, variables
from study.executors.slurm_queue import ClusterError, JobState, States
from study.executors.slurm_worker import Alone, Pack
from study.executors.snapshot import take_snapshot
from study.executors.submissions import Entry, Submission
from study.failure import Clock, failed_record
from study.record import Record
from study.store import Store
from study.task import Event, Notify, RunJob, Task

POLL_S = 2.0  # at first; less often the longer a run takes
SLOWEST_POLL_S = 30.0
GONE_AFTER = 3  # polls without a trace of a job, and without its record, before it counts as lost
DEFAULT_MIN = 60
MOST_SIGNAL_S = 120


@dataclass(frozen=True)
class Place:
    """Where a task is in the queue.

    Attributes:
        submission: The array.
        index: Its element.
        number: Of the task in the element's pack.
        entry: The task, as the manifest has it.
    """

    submission: Submission
    index: int
    number: int
    entry: Entry

    @property
    def key(self) -> tuple[str, int]:
        """As states are found."""
        return self.submission.job_name, self.index


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
    if placement.detach:
        return
    started, last_asked, said = time.monotonic(), 0.0, ""
    states: States = {}
    while waiting:
        again = []
        for name, one in list(waiting.items()):
            record = _find_record(one)
            if record is None and last_asked:
                record, resubmit = _judge(one, states, notify)
                if resubmit:
                    again.append(waiting.pop(name).task)
            if record is not None:
                del waiting[name]
                notify(Event(name, "ended", status=record.status, reason=record.reason))
                yield one.task, record
        if again:
            waiting |= _submit(again, run_job, placement, notify)
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


def check_needs(tasks: Sequence[Task], placement: Placement) -> None:
    """Refuse what the cluster cannot run, before anything is submitted.

    Raises:
        ClusterError: If SLURM is missing, a partition does not exist or its limit is too low.
    """
    queue.check_slurm()
    for text in {json.dumps(s) for s in (placement.slurm, *(_needs(t, placement) for t in tasks))}:
        _check_partition(json.loads(text))


def submit_alone(
    device: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    root: Path,
    placement: Placement,
) -> Submission:
    """One call as a job that has its node to itself, so that its timings are not disturbed.

    Raises:
        ClusterError: If SLURM is missing, or refuses.
    """
    settings = {**_gpus(placement.slurm, device, 1), "exclusive": True}
    entry = Entry("", "", "cost")
    one = submissions.new_submission("cost", placement.study, ((entry,),), _limit(settings))
    return _send(one, [Alone(function, args, Path.cwd())], settings, root, placement)


def find_alone(root: Path, study: str, states: States) -> Submission | None:
    """A cost job of this study that is still in the queue."""
    for one in submissions.read_submissions(root):
        state = states.get((one.job_name, 0))
        if one.kind == "cost" and one.study == study and state is not None and state.is_live:
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


def find_places(root: Path, stems: set[str]) -> dict[str, Place]:
    """Stem of a task -> where its newest execution was submitted."""
    found = {}
    for submission in submissions.read_submissions(root):
        for index, pack in enumerate(submission.packs):
            for number, entry in enumerate(pack):
                if entry.stem in stems:
                    found[entry.stem] = Place(submission, index, number, entry)
    return found


def state_of(place: Place, states: States) -> JobState | None:
    """What is known of a task's element."""
    return states.get(place.key)


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
    return waiting | (_submit(missing, run_job, placement, notify) if missing else {})


def _submit(
    tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
) -> dict[str, _Waiting]:
    """Arrays: one for each need of resources, cut to the size that the cluster takes."""
    shapes: dict[str, list[Task]] = {}
    for task in tasks:
        shapes.setdefault(json.dumps(_needs(task, placement), sort_keys=True), []).append(task)
    most = queue.max_array_size()
    waiting: dict[str, _Waiting] = {}
    for text, members in shapes.items():
        settings = json.loads(text)
        size = settings.get("cells_per_job") or 1
        packs = [members[i : i + size] for i in range(0, len(members), size)]
        for at in range(0, len(packs), most):
            sent = _submit_array(packs[at : at + most], run_job, settings, placement)
            waiting |= sent
            one = next(iter(sent.values())).place.submission
            words = f"submitted {len(sent)} cells as job {one.job} ({one.job_name})"
            notify(Event("", "note", reason=words))
    return waiting


def _needs(task: Task, placement: Placement) -> dict[str, Any]:
    """What a task asks for: the study's settings, its levels' over them, and what it implies."""
    train = task.config.train
    settings = _gpus({**placement.slurm, **task.slurm}, task.device, train.processes)
    return {"cpus_per_task": train.threads * train.processes, **settings}


def _gpus(settings: Mapping[str, Any], device: str, count: int) -> dict[str, Any]:
    """With the GPUs that are needed, where the settings do not say."""
    options = settings.get("options") or {}
    says = any("gpu" in f"{name} {value}" for name, value in options.items())
    return {**settings} if says or device != "cuda" else {"gpus_per_node": count, **settings}


def _submit_array(
    packs: Sequence[Sequence[Task]],
    run_job: RunJob,
    settings: Mapping[str, Any],
    placement: Placement,
) -> dict[str, _Waiting]:
    root = packs[0][0].root.resolve()
    entries = tuple(
        tuple(Entry(task.key.stem, task.attempt, task.name) for task in pack) for pack in packs
    )
    one = submissions.new_submission("train", placement.study, entries, _limit(settings))
    folder = submissions.folder_of(root, one)
    calls = [
        Pack(
            tuple(dataclasses.replace(task, root=root) for task in pack),
            run_job,
            folder,
            index,
            Path.cwd(),
        )
        for index, pack in enumerate(packs)
    ]
    one = _send(one, calls, settings, root, placement)
    return {
        task.name: _Waiting(task, Place(one, index, number, entries[index][number]))
        for index, pack in enumerate(packs)
        for number, task in enumerate(pack)
    }


def _send(
    submission: Submission,
    calls: Sequence[Pack | Alone],
    settings: Mapping[str, Any],
    root: Path,
    placement: Placement,
) -> Submission:
    """Write the manifest, call sbatch, write the manifest again with the job's id."""
    queue.check_slurm()
    root = root.resolve()
    code = take_snapshot(submissions.cluster_folder(root) / "code")
    folder = submissions.folder_of(root, submission)
    submissions.write_submission(root, submission)
    retries = int(settings.get("max_timeouts", 10))
    executor = SlurmExecutor(folder, max_num_timeout=retries)
    executor.update_parameters(**_parameters(submission, settings, placement, code))
    try:
        with queue.clean_environment(), executor.batch():
            jobs = [executor.submit(call) for call in calls]
    except (FailedJobError, FailedSubmissionError, OSError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        words = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise ClusterError(f"sbatch refused the job: {words.strip()[:300]}") from None
    job = str(jobs[0].job_id).partition("_")[0]
    submission = dataclasses.replace(submission, job=job)
    submissions.write_submission(root, submission)
    return submission


def _limit(settings: Mapping[str, Any]) -> int:
    return int(settings.get("timeout_min") or DEFAULT_MIN)


def _parameters(
    submission: Submission, settings: Mapping[str, Any], placement: Placement, code: Path
) -> dict[str, Any]:
    """What submitit is told, of what is set."""
    limit = _limit(settings)
    # Early enough to write a checkpoint after the step that is being made; SLURM itself looks at
    # its clock every half minute, and may signal that much earlier.
    delay = settings.get("signal_delay_s") or max(10, min(MOST_SIGNAL_S, limit * 60 // 10))
    names = [
        "partition", "account", "qos", "gpus_per_node", "cpus_per_task", "constraint", "exclude",
        "array_parallelism", "exclusive",
    ]  # fmt: skip
    given = {name: settings[name] for name in names if settings.get(name) is not None}
    if settings.get("mem_gb") is not None:
        given["mem"] = f"{int(settings['mem_gb'] * 1024)}MB"
    exports = {**variables(placement.threads), "PYTHONPATH": str(code)}
    lines = [f"export {name}={json.dumps(value)}" for name, value in exports.items()]
    options = dict(settings.get("options") or {})
    options["chdir"] = str(code)  # python -m looks there first: not at what the tree is by then
    options["requeue"] = True
    return {
        **given,
        "job_name": submission.job_name,
        "comment": submission.study,
        "time": limit,
        "signal_delay_s": delay,
        "setup": [*(settings.get("setup") or ()), *lines],
        "additional_parameters": options,
    }


def _check_partition(settings: Mapping[str, Any]) -> None:
    """Refuse what would wait for ever.

    Raises:
        ClusterError: If the partition does not exist or its limit is below what is asked for.
    """
    name = settings.get("partition")
    if name is None:
        return
    known = queue.partitions()
    for one in str(name).split(","):
        if one not in known:
            raise ClusterError(
                f"partition: this cluster has no {one!r} (it has: {', '.join(known)})"
            )
        most = known[one]
        if most is not None and _limit(settings) > most:
            raise ClusterError(
                f"timeout_min: {_limit(settings)} is more than the {most:g} min of partition {one}"
            )


def _find_record(one: _Waiting) -> Record | None:
    """A record of this task: done by whichever execution, or failed in this one."""
    store = Store(one.task.root)
    if done := store.done(one.task.key):
        return done[-1]
    failed = store.failed(one.task.key)
    own = [record for record in failed if record.attempt.startswith(one.task.attempt)]
    return own[-1] if own else None


def _judge(one: _Waiting, states: States, notify: Notify) -> tuple[Record | None, bool]:
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
    if one.empty_polls < GONE_AFTER:
        return None, False
    at = submissions.read_place(_folder(one), one.place.index)
    if at < one.place.number and state is not None and state.state != "CANCELLED" and at >= 0:
        return None, True  # another task of its pack took the job down before its turn
    return record_end(one.task, one.place, state), False


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
