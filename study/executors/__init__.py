"""Where jobs run. An executor is one function and a line here; it knows no model."""

from collections.abc import Callable, Generator, Sequence

from study.executors.inline import run_inline
from study.executors.placement import Placement
from study.executors.process import run_in_processes
from study.executors.slurm.watch import run_on_slurm
from study.executors.task import Notify, RunJob, Task
from study.records.record import Record

Executor = Callable[
    [Sequence[Task], RunJob, Placement, Notify], Generator[tuple[Task, Record], None, None]
]

EXECUTORS: dict[str, Executor] = {
    "inline": run_inline,  # in this process: a debugger works
    "process": run_in_processes,  # a fresh process a job: the default
    "slurm": run_on_slurm,  # arrays on a cluster
}

__all__ = ["EXECUTORS", "Executor", "Placement"]
