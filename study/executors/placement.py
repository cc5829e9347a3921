"""Jobs at a time, and the cores and GPUs of each."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """Resources of an executor.

    Attributes:
        workers: Jobs at a time.
        threads: Largest number of threads of a job.
        gpus: A GPU index for each worker; empty on CPU.
        timeout_s: Time limit of a job; None for no limit.
    """

    workers: int
    threads: int = 1
    gpus: tuple[int, ...] = ()
    timeout_s: float | None = None


def default_workers(threads: int, gpus: int) -> int:
    """One job a GPU; without GPUs, as many as fit on the cores with a core for each thread."""
    if gpus:
        return gpus
    return max(1, available_cores() // threads)


def available_cores() -> int:
    """Cores that this process may use; fewer than the machine has in some containers and jobs."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def variables(threads: int) -> dict[str, str]:
    """Environment variables of a job's process."""
    # Passive waiting: with two spinning OpenMP threads on a busy machine one forward call was
    # seen to go from 39 ms to between 148 and 704 ms. cuBLAS needs its workspace fixed to be
    # deterministic.
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
