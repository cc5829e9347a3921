"""How many jobs at a time, and what each may use."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Placement:
    """What an executor may use.

    Attributes:
        workers: Jobs at a time.
        threads: Largest number of threads of one job.
        gpus: A GPU index for each worker; empty on CPU.
        timeout_s: A job is ended after so long; None never.
        slurm: Settings of `run.slurm`, for the executor of that name.
        study: Path of the study, by which its jobs are told from another's.
        detach: Return after submission.
    """

    workers: int
    threads: int = 1
    gpus: tuple[int, ...] = ()
    timeout_s: float | None = None
    slurm: Mapping[str, Any] = field(default_factory=dict)
    study: str = ""
    detach: bool = False


def default_workers(threads: int, gpus: int) -> int:
    """One job a GPU; without GPUs, as many as have their threads on a core each."""
    if gpus:
        return gpus
    return max(1, available_cores() // threads)


def available_cores() -> int:
    """Cores this process may use, which in a container or a job can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def variables(threads: int) -> dict[str, str]:
    """What a job's process has in its environment before it starts."""
    # Passive waiting: with two spinning OpenMP threads on a busy machine one forward call was
    # seen to go from 39 ms to between 148 and 704 ms. cuBLAS needs its workspace fixed to be
    # deterministic.
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
