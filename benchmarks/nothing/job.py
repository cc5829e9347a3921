"""A training job that trains nothing and leaves its record, in a process that could train."""

import study.run.train  # noqa: F401  # as every training job: torch, models and data
from benchmarks.nothing import nothing
from study.executors.task import Clock, Notify, Task, record_of
from study.records.record import Measurement, Record
from study.records.store import Store


def run_nothing(task: Task, notify: Notify) -> Record:
    """Ends as study/run/train.py does: the record is synced, what the attempt left is deleted."""
    clock, store = Clock(), Store(task.root)
    value = float(nothing(task.seed))
    measured = (Measurement("top1", "%", "higher", (value,), conditions={"split": "test"}),)
    return store.add(task.key, record_of(task, clock, "done", measurements=measured))
