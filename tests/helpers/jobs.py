"""Tasks without training, and executors that run them."""

import dataclasses

from study.executors import executor_class
from study.executors.placement import Placement
from study.executors.task import Clock, Task, failed_record
from study.records.store import Key, Store
from vlf.config import RunConfig


def make_task(root, number, name="work"):
    key = Key("train", f"{number:064d}", "f" * 64, {})
    return Task(f"{name} {number}", key, RunConfig(), number, "cpu", root, f"attempt{number}", 1.0)


def finish(task):
    """A complete record without any training."""
    record = failed_record(task, Clock(), "")
    return Store(task.root).add(task.key, dataclasses.replace(record, status="done"))


def train(executor, tasks, run_job, workers=1, notify=lambda event: None, timeout_s=None):
    """Records of tasks as an executor, by its name, yields them."""
    placement = Placement(workers, timeout_s=timeout_s)
    return executor_class(executor)().train(tasks, run_job, placement, notify)
