"""The tasks of a run, handed out one at a time, without those that another command runs."""

import time
from collections import deque
from collections.abc import Iterator, Sequence

from study.executors.task import Event, Notify, Task
from study.records.lease import Leases
from study.records.record import Record
from study.records.store import Store

POLL_S = 1.0  # between two looks at what others are at


class TaskQueue:
    """Tasks by lease: ours, another command's, or ended.

    A task whose lease a live other holds waits at the end for the other's record, and is ours if
    the lease ends without one.
    """

    def __init__(self, tasks: Sequence[Task], leases: Leases, notify: Notify) -> None:
        self._waiting = deque(tasks)
        self._elsewhere: deque[Task] = deque()
        self._failures: dict[str, int] = {}  # task -> failed records when another was seen at it
        self._ended: list[tuple[Task, Record]] = []
        self._leases, self._notify = leases, notify
        self._looked = 0.0

    @property
    def is_open(self) -> bool:
        """True while a task may still be handed out, or end elsewhere."""
        return bool(self._waiting or self._elsewhere or self._ended)

    def take(self) -> Task | None:
        """The next task that is ours, its lease held; None if there is none for now."""
        if not self._waiting and self._elsewhere and time.monotonic() - self._looked >= POLL_S:
            self._looked = time.monotonic()
            self._waiting, self._elsewhere = self._elsewhere, self._waiting
        while self._waiting:
            task = self._waiting.popleft()
            if self._leases.take(task.key.name):
                # Only now: it may have ended between the plan, or a look, and the lease.
                if not self._has_ended(task):
                    return task
                self._leases.drop(task.key.name)
            elif not self._has_ended(task):
                self._leave(task)
        return None

    def ended_elsewhere(self) -> Iterator[tuple[Task, Record]]:
        """Yield tasks that other commands have recorded since the last call."""
        while self._ended:
            task, record = self._ended.pop(0)
            self._notify(Event(task.name, "ended", status=record.status, reason=record.reason))
            yield task, record

    def end(self, task: Task) -> None:
        """Its record is on disk."""
        self._leases.drop(task.key.name)

    def is_lost(self, task: Task) -> bool:
        """True if another command has taken the task over: our execution must stop."""
        return not self._leases.holds(task.key.name)

    def put_back(self, task: Task) -> None:
        """An execution of it was stopped, as another has taken it over."""
        self._leases.drop(task.key.name)
        self._leave(task)

    def _leave(self, task: Task) -> None:
        if task.name not in self._failures:
            self._failures[task.name] = len(Store(task.root).failed(task.key))
            holder = self._leases.holder(task.key.name) or "another command"
            self._notify(Event("", "note", reason=f"{task.name} is with {holder}"))
        self._elsewhere.append(task)

    def _has_ended(self, task: Task) -> bool:
        store = Store(task.root)
        record = store.find(task.key)
        if record is None and task.name in self._failures:
            failed = store.failed(task.key)
            if len(failed) > self._failures[task.name]:
                record = failed[-1]
        if record is not None:
            self._ended.append((task, record))
        return record is not None
