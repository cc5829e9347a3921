"""How many jobs at a time, and what each may use."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """What an executor may use.

    Attributes:
        workers: Jobs at a time.
        threads: Largest number of threads of one job.
        gpus: A GPU index for each worker; empty on CPU.
        timeout_s: A job is ended after so long; None never.
    """

    workers: int
    threads: int = 1
    gpus: tuple[int, ...] = ()
    timeout_s: float | None = None


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
