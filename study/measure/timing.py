"""The supervised timing run: what every cell costs, whatever some of them do.

No torch here: the process that supervises must have run nothing, and needs not even import it.
"""

import contextlib
import dataclasses
import multiprocessing
import pickle
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from study.measure.supervision import Ended, spawn
from study.records.record import Measurement
from study.spec.settings import CostConfig

if TYPE_CHECKING:
    from torch import nn

Builder = Callable[[], "tuple[nn.Module, Sequence[int]]"]  # picklable; model and (T, 3, H, W)
Notify = Callable[[str], None]

BLOCK = 24  # cells timed side by side, besides the baselines
ALONE = 32  # so many cells are not cut
COSTS = "study.measure.timed_process:time_side_by_side"
ISOLATED = "study.measure.timed_process:measure_isolated"
LATENCY = "study.measure.timed_process:time_latency"
ACTIVITIES = ("starting", "building", "counting", "timing", "measuring peak memory")


@dataclass(frozen=True)
class CellTiming:
    """Costs of a cell, or the reason why they are not known.

    Attributes:
        measurements: Empty when failed.
        notes: What a reader of the numbers must see.
        environment: Of the process that timed, as `study.records.environment.snapshot` gives it.
        timing_run: Cells timed in one process, in the same rounds, share it; only among these are
            ratios paired.
        seconds: Wall-clock time of that whole timing run, peak memory not included.
        reason: Why it failed, in one line; "" when it did not.
        detail: Traceback, where there is one.
        again: Of a baseline in a study that was cut: its timings in the further blocks.
    """

    measurements: tuple[Measurement, ...]
    notes: tuple[str, ...]
    environment: Mapping[str, str]
    timing_run: str
    seconds: float
    reason: str = ""
    detail: str = ""
    again: tuple["CellTiming", ...] = ()


@dataclass(frozen=True)
class Stage:
    """A process says what it is at, for the person who waits."""

    text: str


@dataclass(frozen=True)
class Environment:
    """A process says where it runs."""

    values: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """A cell's numbers from one process."""

    cell: str
    measurements: tuple[Measurement, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """A cell that raised or crashed."""

    cell: str
    reason: str
    detail: str = ""


@dataclass
class _Heard:
    """All that one process said before it ended."""

    environment: Mapping[str, str] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    failed: dict[str, Failed] = field(default_factory=dict)

    @property
    def answered(self) -> set[str]:
        """Cells of which the outcome is known."""
        return {*self.measured, *self.failed}

    def take(self, message: Environment | Measured | Failed) -> None:
        """Keep what a message says."""
        if isinstance(message, Environment):
            self.environment = message.values
        elif isinstance(message, Measured):
            self.measured[message.cell] = message
        else:
            self.failed[message.cell] = message

    def blame(self, ended: Ended, cells: Sequence[str], place: int, activity: str) -> None:
        """If the process crashed, fail the cell that it was at; all that are open if at none.

        A process that ends in order has named who failed, unless it broke outside of every cell.
        """
        missing = [name for name in cells if name not in self.answered]
        if not missing or (ended.exitcode == 0 and self.failed):
            return
        at_fault = [name for name in missing if place >= 0 and name == cells[place]]
        for name in at_fault or missing:
            self.failed[name] = Failed(name, f"{ended.reason} while {activity}")


def time_cells(
    cells: Sequence[tuple[str, Builder]],
    protocol: CostConfig,
    device: str,
    notify: Notify = lambda text: None,
    baselines: int = 1,
) -> dict[str, CellTiming]:
    """Measure all registered costs of cells, side by side; a timing for each name.

    First the peak memory, in a fresh process for each; then everything else in one process: a cell
    that crashes there is marked, and the rest is timed anew without it. Many cells are cut into
    blocks that each hold the baselines; each block is a timing run of its own.

    Args:
        cells: Unique names and picklable builders, baselines first.
        protocol: Batch sizes, rounds, threads.
        device: "cpu" or "cuda", as `study.records.environment.resolve_device` gives it.
        notify: Told in a line what goes on, a few times a minute.
        baselines: How many of the first cells every block has to hold.

    Raises:
        ValueError: If two cells have one name.
    """
    pickled = {name: pickle.dumps(builder) for name, builder in cells}
    if len(pickled) != len(cells):
        raise ValueError("cells to time must have unique names")
    alone = _measure_alone(pickled, protocol, device, notify)
    timings: dict[str, CellTiming] = {}
    for names in cut_into_blocks(list(pickled), baselines):
        block = {name: pickled[name] for name in names}
        for name, timing in _time_block(block, alone, protocol, device, notify).items():
            if name in timings:
                first = timings[name]
                timing = dataclasses.replace(first, again=(*first.again, timing))
            timings[name] = timing
    return timings


def time_latency(
    cells: Sequence[tuple[str, Builder]],
    protocol: CostConfig,
    device: str,
    notify: Notify = lambda text: None,
) -> dict[str, CellTiming]:
    """The latency of a few cells, side by side in one process, and nothing else of them.

    Timed as `time_cells` does, in the same environment: an answer in a part of its time.
    """
    pickled = {name: pickle.dumps(builder) for name, builder in cells}
    return _time_block(pickled, _Heard(), protocol, device, notify, LATENCY)


def cut_into_blocks(names: Sequence[str], baselines: int) -> list[list[str]]:
    """Up to 32 cells stay together; more are cut, and each block starts with the baselines."""
    if len(names) <= ALONE:
        return [list(names)] if names else []
    shared, rest = names[:baselines], names[baselines:]
    return [[*shared, *rest[i : i + BLOCK]] for i in range(0, len(rest), BLOCK)]


def _time_block(
    block: Mapping[str, bytes],
    alone: _Heard,
    protocol: CostConfig,
    device: str,
    notify: Notify,
    task: str = COSTS,
) -> dict[str, CellTiming]:
    started = perf_counter()
    failed = {name: failure for name, failure in alone.failed.items() if name in block}
    while True:
        todo = {name: builder for name, builder in block.items() if name not in failed}
        heard = _attempt(task, todo, protocol, device, notify)
        failed |= heard.failed
        # Where one crashed, those that live are timed anew, so that their rounds are paired.
        if heard.answered >= set(todo):
            break
    timing_run, seconds = uuid.uuid4().hex, perf_counter() - started

    def timing_of(name: str) -> CellTiming:
        heard_of = () if name in failed else (heard, alone)
        parts = [one.measured[name] for one in heard_of if name in one.measured]
        failure = failed.get(name, Failed(name, ""))
        return CellTiming(
            tuple(m for part in parts for m in part.measurements),
            tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            heard.environment,
            timing_run,
            seconds,
            failure.reason,
            failure.detail,
        )

    return {name: timing_of(name) for name in block}


def _measure_alone(
    cells: Mapping[str, bytes], protocol: CostConfig, device: str, notify: Notify
) -> _Heard:
    total = _Heard()
    while todo := {name: cells[name] for name in cells if name not in total.answered}:
        heard = _attempt(ISOLATED, todo, protocol, device, notify)
        total.measured |= heard.measured
        total.failed |= heard.failed
    return total


def _attempt(
    task: str,
    cells: Mapping[str, bytes],
    protocol: CostConfig,
    device: str,
    notify: Notify,
) -> _Heard:
    """One process, of "module:function"; when it answers for fewer than all, one more failed."""
    heard = _Heard()
    place = multiprocessing.get_context("spawn").RawArray("i", [-1, 0])
    args = (place, list(cells.items()), protocol, device)
    variables = {
        "OMP_NUM_THREADS": str(protocol.threads),
        "MKL_NUM_THREADS": str(protocol.threads),
        "OMP_WAIT_POLICY": protocol.wait_policy.upper(),
    }
    with contextlib.closing(spawn(task, args, variables)) as messages:
        for message in messages:
            if isinstance(message, Ended):
                heard.blame(message, list(cells), place[0], ACTIVITIES[place[1]])
            elif isinstance(message, Stage):
                notify(message.text)
            else:
                heard.take(message)
    return heard
