"""Run jobs one after another in this process."""

import time
from collections.abc import Generator, Sequence

from study.executors.placement import Placement
from study.executors.queue import POLL_S, TaskQueue
from study.executors.task import Event, Notify, RunJob, Task
from study.records.lease import Leases
from study.records.record import Record


def run_inline(
    tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
) -> Generator[tuple[Task, Record], None, None]:
    """Yield each record as its job ends. Memory leaks from job to job; no time limit is kept.

    Raises:
        OSError: If the results folder cannot be written.
    """
    if not tasks:
        return
    with Leases(tasks[0].root) as leases:
        queue = TaskQueue(tasks, leases, notify)
        while queue.is_open:
            task = queue.take()
            yield from queue.ended_elsewhere()
            if task is None:
                time.sleep(POLL_S if queue.is_open else 0)
                continue
            notify(Event(task.name, "started"))
            record = run_job(task, notify)
            queue.end(task)
            notify(Event(task.name, "ended", status=record.status, reason=record.reason))
            yield task, record
