"""Hand jobs to SLURM: what they ask for, what is refused before it waits for ever, the arrays."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from submitit.core.utils import FailedJobError, FailedSubmissionError
from submitit.slurm.slurm import SlurmExecutor

from study.executors.placement import variables
from study.executors.slurm import queue, submissions
from study.executors.slurm.queue import ClusterError
from study.executors.slurm.snapshot import take_snapshot
from study.executors.slurm.submissions import ArraySlot, Entry, Request, Submission
from study.executors.slurm.worker import Alone, Pack
from study.executors.task import CostJob, Event, Notify, RunJob, Task

DEFAULT_MIN = 60
MOST_SIGNAL_S = 120


def check_needs(tasks: Iterable[Task], settings: Mapping[str, Any]) -> None:
    """Refuse a study that the cluster cannot run, before anything is submitted.

    Raises:
        ClusterError: If SLURM is missing, a partition does not exist or its limit is too low.
    """
    queue.check_slurm()
    needs = {json.dumps(_needs(task, settings)) for task in tasks}
    for text in {json.dumps(dict(settings)), *needs}:
        _check_partition(json.loads(text))


def submit(
    tasks: Sequence[Task], run_job: RunJob, request: Request, notify: Notify
) -> dict[str, ArraySlot]:
    """Submit arrays: one for each need of resources, cut to the size that the cluster takes.

    Returns:
        Name of a task -> its slot.

    Raises:
        ClusterError: If SLURM refuses.
    """
    shapes: dict[str, list[Task]] = {}
    for task in tasks:
        text = json.dumps(_needs(task, request.settings), sort_keys=True)
        shapes.setdefault(text, []).append(task)
    most = queue.max_array_size()
    slots: dict[str, ArraySlot] = {}
    for text, members in shapes.items():
        settings = json.loads(text)
        size = settings.get("cells_per_job") or 1
        packs = [members[i : i + size] for i in range(0, len(members), size)]
        for at in range(0, len(packs), most):
            sent = _submit_array(packs[at : at + most], run_job, settings, request)
            slots |= sent
            array = next(iter(sent.values())).submission
            words = f"submitted {len(sent)} cells as job {array.job} ({array.job_name})"
            notify(Event("", "note", reason=words))
    return slots


def submit_cost_job(job: CostJob, request: Request) -> Submission:
    """Submit the cost job, with a node to itself: other jobs would disturb its timings.

    Raises:
        ClusterError: If SLURM is missing, or refuses.
    """
    settings = {**_gpus(request.settings, job.device, 1), "exclusive": True}
    entries = tuple(Entry(stem, "", name) for stem, name in job.cells.items())
    submission = submissions.new_submission("cost", request.study, (entries,), _limit(settings))
    return _send(submission, [Alone(job.measure_there, job.args, Path.cwd())], settings, request)


def submit_follower(
    function: Callable[..., Any], args: tuple[Any, ...], jobs: Sequence[str], request: Request
) -> Submission:
    """Submit a job without a GPU that calls a function when these jobs have ended, however.

    Raises:
        ClusterError: If SLURM is missing, or refuses.
    """
    settings = {name: value for name, value in request.settings.items() if name != "gpus_per_node"}
    if jobs:
        options = {**(settings.get("options") or {}), "dependency": f"afterany:{':'.join(jobs)}"}
        settings["options"] = options
    submission = submissions.new_submission("plan", request.study, (), _limit(settings))
    return _send(submission, [Alone(function, args, Path.cwd())], settings, request)


def _needs(task: Task, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Resources of a task: the study's settings, those of its levels, and what they imply."""
    train = task.config.train
    asked = _gpus({**settings, **task.resources}, task.device, train.processes)
    return {"cpus_per_task": train.threads * train.processes, **asked}


def _gpus(settings: Mapping[str, Any], device: str, count: int) -> dict[str, Any]:
    """Add the GPUs that are needed, unless the settings name some."""
    options = settings.get("options") or {}
    says = any("gpu" in f"{name} {value}" for name, value in options.items())
    return {**settings} if says or device != "cuda" else {"gpus_per_node": count, **settings}


def _submit_array(
    packs: Sequence[Sequence[Task]],
    run_job: RunJob,
    settings: Mapping[str, Any],
    request: Request,
) -> dict[str, ArraySlot]:
    entries = tuple(
        tuple(Entry(task.key.stem, task.attempt, task.name) for task in pack) for pack in packs
    )
    submission = submissions.new_submission("train", request.study, entries, _limit(settings))
    folder = submissions.folder_of(request.root, submission)
    calls = [
        Pack(
            tuple(dataclasses.replace(task, root=request.root) for task in pack),
            run_job,
            folder,
            index,
            Path.cwd(),
        )
        for index, pack in enumerate(packs)
    ]
    submission = _send(submission, calls, settings, request)
    return {
        task.name: ArraySlot(submission, index, number, entries[index][number])
        for index, pack in enumerate(packs)
        for number, task in enumerate(pack)
    }


def _send(
    submission: Submission,
    calls: Sequence[Pack | Alone],
    settings: Mapping[str, Any],
    request: Request,
) -> Submission:
    """Write the manifest, call sbatch, write the manifest again with the job's id."""
    queue.check_slurm()
    root = request.root
    code = take_snapshot(submissions.cluster_folder(root) / "code")
    folder = submissions.folder_of(root, submission)
    submissions.write_submission(root, submission)
    retries = int(settings.get("max_timeouts", 10))
    executor = SlurmExecutor(folder, max_num_timeout=retries)
    executor.update_parameters(**_parameters(submission, settings, request.threads, code))
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
    submission: Submission, settings: Mapping[str, Any], threads: int, code: Path
) -> dict[str, Any]:
    """Parameters of submitit."""
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
    exports = {**variables(threads), "PYTHONPATH": str(code)}
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
