"""How many jobs of a plan run at a time, and with what."""

from collections.abc import Sequence

from study.executors import Placement
from study.executors.placement import default_workers
from study.plan.planner import Plan, Planned
from study.records.environment import visible_gpus


def place(plan: Plan, jobs: Sequence[Planned], detach: bool = False) -> Placement:
    """Workers, threads and GPUs for training these jobs."""
    run = plan.study.run
    threads = max((job.cell.config.train.threads for job in jobs), default=1)
    if run.executor == "slurm":
        settings = run.slurm.model_dump(exclude_none=True)
        study = str(plan.study.path.resolve())
        workers = run.slurm.array_parallelism
        return Placement(workers, threads, slurm=settings, study=study, detach=detach)
    gpus = visible_gpus() if plan.device == "cuda" else 0
    processes = max((job.cell.config.train.processes for job in jobs), default=1)
    slots = max(1, gpus // processes) if gpus else 0  # groups of GPUs
    workers = run.workers or default_workers(threads * processes, slots)
    timeout_s = None if run.timeout_min is None else run.timeout_min * 60
    # More jobs than GPUs share them in turn; a job's first index is taken from this pool.
    pool = [index % slots * processes for index in range(workers)] if gpus else []
    return Placement(workers, threads, tuple(pool), timeout_s)
