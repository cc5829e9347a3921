"""Run jobs one after another in this process: a debugger works."""

import time
from collections.abc import Sequence

from study.executors.executor import Executor, Running
from study.executors.placement import Placement
from study.executors.queue import POLL_S, TaskQueue
from study.executors.task import Event, Notify, RunJob, Task
from study.records.lease import Leases


class InlineExecutor(Executor):
    """Memory leaks from job to job, and no time limit is kept."""

    def train(
        self, tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
    ) -> Running:
        """Yield each record as its job ends."""
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
