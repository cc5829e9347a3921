"""Run jobs one after another in this process."""

from collections.abc import Generator, Sequence

from study.executors.placement import Placement
from study.record import Record
from study.task import Event, Notify, RunJob, Task


def run_inline(
    tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
) -> Generator[tuple[Task, Record], None, None]:
    """Yield each record as its job ends. Memory leaks from job to job; no time limit is kept."""
    for task in tasks:
        notify(Event(task.name, "started"))
        record = run_job(task, notify)
        notify(Event(task.name, "ended", status=record.status, reason=record.reason))
        yield task, record
