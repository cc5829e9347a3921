"""A training job that trains nothing and leaves its record, in a process that could train."""

import study.job  # noqa: F401  # as every training job: torch, models and data
from benchmarks.nothing import nothing
from study.failure import Clock, record_of
from study.record import Measurement, Record
from study.store import Store
from study.task import Notify, Task


def run_nothing(task: Task, notify: Notify) -> Record:
    """Ends as study/job.py does: the record is synced to disk, what the attempt left is deleted."""
    clock, store = Clock(), Store(task.root)
    value = float(nothing(task.seed))
    measured = (Measurement("top1", "%", "higher", (value,), conditions={"split": "test"}),)
    record = store.add(task.key, record_of(task, clock, "done", measurements=measured))
    return record
