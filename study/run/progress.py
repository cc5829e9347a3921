"""Live view of a run: cells done, running, failed, and the time left."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from study.executors.task import Event
from study.records.units import duration


@dataclass
class Tally:
    """Progress of a run.

    Attributes:
        estimates: Task -> expected seconds.
        workers: Tasks at a time.
        running: Task -> share done, in [0, 1].
        epochs: Task -> "3/16".
        done: Tasks that ended well.
        failed: Task -> reason.
        note: What the executor last told.
    """

    estimates: Mapping[str, float]
    workers: int
    running: dict[str, float] = field(default_factory=dict)
    epochs: dict[str, str] = field(default_factory=dict)
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    note: str = ""
    _finished_estimate: float = 0.0

    def take(self, event: Event) -> None:
        """Count an event."""
        if event.what == "note":
            self.note = event.reason
        elif event.what == "started":
            self.running[event.task] = 0.0
        elif event.what == "epoch":
            self.running[event.task] = event.done / max(1, event.total)
            self.epochs[event.task] = f"epoch {event.done}/{event.total}"
        elif event.what == "ended":
            self.running.pop(event.task, None)
            self.epochs.pop(event.task, None)
            self._finished_estimate += self.estimates[event.task]
            if event.status == "done":
                self.done += 1
            else:
                self.failed[event.task] = event.reason

    @property
    def total(self) -> int:
        """Tasks in all."""
        return len(self.estimates)

    @cached_property
    def _whole_estimate(self) -> float:
        return sum(self.estimates.values())  # of 10,000 tasks, asked for at every event

    @property
    def share(self) -> float:
        """Work done, in [0, 1], by expected time."""
        whole = self._whole_estimate
        part = sum(self.estimates[task] * share for task, share in self.running.items())
        return min(1.0, (self._finished_estimate + part) / whole) if whole else 1.0

    def left_s(self, elapsed_s: float) -> float | None:
        """Time left, from the pace so far; None while there is no pace."""
        if self.share < 0.01:
            return None
        return elapsed_s * (1 - self.share) / self.share


class LiveView:
    """Shows a tally as bars in a terminal, and as a line an event elsewhere."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self.tally, self.console = tally, console
        self._start = time.monotonic()
        self._progress: Progress | None = None
        self._rows: dict[str, TaskID] = {}  # running task -> its bar; "" -> that of the run

    def notify(self, event: Event) -> None:
        """Count an event and show it."""
        self.tally.take(event)
        if self._progress is not None:
            if event.what == "ended" and event.status == "failed":
                line = Text(f"failed: {event.task}: {event.reason}", style="red")
                self._progress.console.print(line)
            self._draw(self._progress)
        elif event.what != "epoch" and (event.task or event.reason):
            self.console.print(self._line(event), soft_wrap=True)

    @contextmanager
    def show(self) -> Iterator["LiveView"]:
        """Draw while the context lasts."""
        if not self.console.is_terminal:
            yield self
            return
        columns = BarColumn(16), _Words(self._describe)
        with Progress(
            *columns, console=self.console, refresh_per_second=4, transient=True
        ) as self._progress:
            self._draw(self._progress)
            try:
                yield self
            finally:
                self._progress, self._rows = None, {}

    def _draw(self, progress: Progress) -> None:
        shares = {"": self.tally.share, **self.tally.running}
        for name in [*self._rows.keys() - shares.keys()]:
            progress.remove_task(self._rows.pop(name))
        for name, share in shares.items():
            if name not in self._rows:
                self._rows[name] = progress.add_task(name, total=1.0)
            progress.update(self._rows[name], completed=share)

    def _describe(self, name: str) -> Text:
        """Text beside the bar of a running task, or of the run."""
        tally = self.tally
        if name:
            return Text(f"{tally.epochs.get(name, 'starting')}  {name}")
        waiting = tally.total - tally.done - len(tally.failed) - len(tally.running)
        text = Text(f"{tally.done} done   {len(tally.running)} running   ")
        text.append(f"{len(tally.failed)} failed", "red" if tally.failed else "")
        text.append(f"   {waiting} waiting   {self._left()}")
        return text.append(f"\n{tally.note}", "dim") if tally.note else text

    def _line(self, event: Event) -> Text:
        tally = self.tally
        count = f"[{tally.done + len(tally.failed)}/{tally.total}]"
        if event.what == "note":
            return Text(f"{count} {event.reason}" if event.reason else "")
        if event.what == "started":
            return Text(f"{count} started  {event.task}")
        if event.status == "failed":
            return Text(f"{count} FAILED   {event.task}: {event.reason}")
        return Text(f"{count} done     {event.task}   ({self._left()})")

    def _left(self) -> str:
        seconds = self.tally.left_s(time.monotonic() - self._start)
        return "time left: not known yet" if seconds is None else f"about {duration(seconds)} left"


class _Words(ProgressColumn):
    """Text of a row; on a narrow terminal it takes several lines."""

    def __init__(self, describe: Callable[[str], Text]) -> None:
        super().__init__(Column(overflow="fold"))
        self._describe = describe

    def render(self, task: Task) -> Text:
        """The text beside a bar."""
        return self._describe(task.description)
