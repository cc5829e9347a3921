"""The live view of a run: cells done, running, failed, and the time left."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from study.executors.task import Event
from study.records.units import duration


@dataclass
class Tally:
    """What is known of a run; pure, so that it can be tested without a terminal.

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
        """Learn of an event."""
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
    """Draws a tally in a terminal; prints a line an event where there is none."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self.tally, self.console = tally, console
        self._start = time.monotonic()
        self._live: Live | None = None

    def notify(self, event: Event) -> None:
        """Learn of an event and show it."""
        self.tally.take(event)
        if self._live is not None:
            if event.what == "ended" and event.status == "failed":
                self._live.console.print(_failure(event))
            self._live.update(self._render())
        elif event.what != "epoch" and (event.task or event.reason):
            self.console.print(self._line(event), soft_wrap=True)

    @contextmanager
    def show(self) -> Iterator["LiveView"]:
        """Draw while the context lasts."""
        if not self.console.is_terminal:
            yield self
            return
        with Live(
            get_renderable=self._render, console=self.console, refresh_per_second=4, transient=True
        ) as live:
            self._live = live
            try:
                yield self
            finally:
                self._live = None

    def _line(self, event: Event) -> Text:
        tally = self.tally
        left = tally.left_s(time.monotonic() - self._start)
        count = f"[{tally.done + len(tally.failed)}/{tally.total}]"
        if event.what == "note":
            return Text(f"{count} {event.reason}" if event.reason else "")
        if event.what == "started":
            return Text(f"{count} started  {event.task}")
        if event.status == "failed":
            return Text(f"{count} FAILED   {event.task}: {event.reason}")
        return Text(f"{count} done     {event.task}   ({_left_words(left)})")

    def _render(self) -> RenderableType:
        tally = self.tally
        left = tally.left_s(time.monotonic() - self._start)
        head = Table.grid(padding=(0, 2))
        waiting = tally.total - tally.done - len(tally.failed) - len(tally.running)
        words = (
            f"[bold]{tally.done}[/] done",
            f"{len(tally.running)} running",
            f"[red]{len(tally.failed)} failed[/]" if tally.failed else "0 failed",
            f"{waiting} waiting",
            _left_words(left),
        )
        head.add_column()
        head.add_column(overflow="fold")  # a narrow terminal shows all words, on several lines
        head.add_row(ProgressBar(total=1.0, completed=tally.share, width=30), "   ".join(words))
        rows = Table.grid(padding=(0, 2))
        for _ in range(3):
            rows.add_column()
        rows.add_column(overflow="fold")
        for task, share in tally.running.items():
            bar = ProgressBar(total=1.0, completed=share, width=16)
            rows.add_row("  ", bar, tally.epochs.get(task, "starting"), escape(task))
        return Group(head, rows, *([Text(f"  {tally.note}", style="dim")] if tally.note else []))


def _failure(event: Event) -> Text:
    return Text(f"failed: {event.task}: {event.reason}", style="red")


def _left_words(seconds: float | None) -> str:
    return "time left: not known yet" if seconds is None else f"about {duration(seconds)} left"
