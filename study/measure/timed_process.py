"""Code inside the processes of a timing run: building, counting, timing, peak memory.

Started by `study.measure.timing` through `study.measure.supervision`; the only importer of
`study.measure.metrics` there.
"""

import contextlib
import functools
import importlib
import itertools
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from ctypes import Array, c_int
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch

from study.measure.metrics import METRICS
from study.measure.metrics.latency import forward
from study.measure.metrics.subject import (
    Count,
    Derived,
    Isolated,
    Metric,
    Reading,
    SideBySide,
    Subject,
    Watch,
    first_line,
)
from study.measure.supervision import Ended, end_with_parent, fork
from study.measure.timing import ACTIVITIES, Environment, Failed, Measured, Stage
from study.records.environment import snapshot
from study.spec.settings import CostConfig

Cells = Sequence[tuple[str, bytes]]  # name, pickled builder


@dataclass
class Place(Watch):
    """Progress of this process, in memory that its supervisor can read after a crash.

    Not sent: a message wakes its receiver, and that beside the call that is being timed.
    """

    sender: Connection
    shared: "Array[c_int]"
    names: Sequence[str]

    def at(self, subject: str) -> None:
        """Note the current cell."""
        self.shared[0] = self.names.index(subject)

    def doing(self, activity: str) -> None:
        """Note the current activity, one of `ACTIVITIES`."""
        self.shared[1] = ACTIVITIES.index(activity)

    def stage(self, text: str) -> None:
        """Tell the person who waits."""
        self.sender.send(Stage(text))

    def fail(self, error: Exception) -> None:
        """Tell why the cell that it is at has no numbers."""
        cell, activity = self.names[self.shared[0]], ACTIVITIES[self.shared[1]]
        self.sender.send(Failed(cell, reason_of(error, activity), traceback.format_exc()))


def time_latency(
    sender: Connection, shared: "Array[c_int]", cells: Cells, protocol: CostConfig, device: str
) -> None:
    """The same for latency alone."""
    time_side_by_side(sender, shared, cells, protocol, device, {"latency": METRICS["latency"]})


def time_side_by_side(
    sender: Connection,
    shared: "Array[c_int]",
    cells: Cells,
    protocol: CostConfig,
    device: str,
    metrics: Mapping[str, Metric] = METRICS,
) -> None:
    """Build every cell, time all of them, count each; sends `Measured` for each that lived.

    A cell that raises while it is built or counted is left out. One that raises while it is timed
    ends the process: what it did to the device is unknown, and the rounds of the others have gaps.
    Counting is last: it imports much, and is not repeated when a timing is.
    """
    end_with_parent()
    torch.set_num_threads(protocol.threads)
    place = Place(sender, shared, [name for name, _ in cells])
    sender.send(Environment(snapshot(device)))
    subjects = _build(cells, device, place)
    timed: dict[str, dict[str, Reading]] = {subject.name: {} for subject in subjects}
    place.doing("timing")
    for key, metric in metrics.items():
        if not isinstance(metric, SideBySide) or not subjects:
            continue
        try:
            readings = metric.measure(subjects, protocol, place)
        except Exception as error:  # any model may raise anything; the record says what
            place.fail(error)
            return
        for name, reading in readings.items():
            timed[name][key] = reading
    place.doing("counting")
    for number, subject in enumerate(subjects, 1):
        place.stage(f"counting {subject.name} ({number} of {len(subjects)})")
        place.at(subject.name)
        try:
            sender.send(measured(subject.name, _complete(subject, timed[subject.name], metrics)))
        except Exception as error:
            place.fail(error)


def _build(cells: Cells, device: str, place: Place) -> list[Subject]:
    subjects = []
    place.doing("building")
    place.stage(f"building {len(cells)} cells")
    for name, pickled in cells:
        place.at(name)
        try:
            subjects.append(build_subject(name, pickled, device))
        except Exception as error:  # one broken cell must not end the others
            place.fail(error)
    return subjects


def _complete(
    subject: Subject, timed: Mapping[str, Reading], metrics: Mapping[str, Metric]
) -> list[Reading]:
    """Add what is counted and what is derived; in the order of the registry."""
    counted = {k: m.measure(subject) for k, m in metrics.items() if isinstance(m, Count)}
    known = {**timed, **counted}
    so_far = [m for reading in known.values() for m in reading.measurements]
    derived = {k: m.measure(so_far) for k, m in metrics.items() if isinstance(m, Derived)}
    known |= derived
    return [known[key] for key in metrics if key in known]


def measure_isolated(
    sender: Connection, shared: "Array[c_int]", cells: Cells, protocol: CostConfig, device: str
) -> None:
    """Run the isolated metrics, each in a process forked for it; sends `Measured` for each cell.

    This process runs nothing itself, so that what it forks is fresh. It imports what a cell needs
    as soon as one has told, so that what it forks need not.
    """
    place = Place(sender, shared, [name for name, _ in cells])
    place.doing("measuring peak memory")
    isolated = [metric for metric in METRICS.values() if isinstance(metric, Isolated)]
    for number, (name, pickled) in enumerate(cells, 1):
        place.stage(f"measuring peak memory of {name} ({number} of {len(cells)})")
        place.at(name)
        torch_ready = functools.partial(_with_threads, protocol.threads)
        build = functools.partial(build_subject, name, pickled, device)
        answer = _ask(
            name, "running for the first time", torch_ready, _list_imports, build, protocol
        )
        readings: list[Reading] = []
        if not isinstance(answer, Failed):
            for module in answer:
                with contextlib.suppress(ImportError):  # made at run time by another of them
                    importlib.import_module(module)
            ask = functools.partial(_ask, name)
            for metric in isolated:
                answer = _measure_sizes(metric, build, protocol, device, ask)
                if isinstance(answer, Failed):
                    break
                readings += answer
        sender.send(answer if isinstance(answer, Failed) else measured(name, readings))


def _measure_sizes(
    metric: Isolated,
    build: Callable[[], Subject],
    protocol: CostConfig,
    device: str,
    ask: Callable[..., Any],
) -> list[Reading] | Failed:
    """One isolated metric over its batch sizes, until one fails or says that it is the last."""
    readings: list[Reading] = []
    sizes = list(metric.batch_sizes(protocol))
    for batch, following in itertools.zip_longest(sizes, sizes[1:]):
        activity = f"measuring {metric.title}, batch {batch}"
        work = functools.partial(_with_threads, protocol.threads, metric.measure)
        answer = ask(activity, work, build, batch, protocol)
        if isinstance(answer, Failed):
            if metric.is_needed:
                return answer
            ended = f"{metric.title} ends before batch {batch}: {answer.reason}"
            return [*readings, Reading(notes=(ended,))]
        readings.append(answer)
        why = metric.why_stop(answer, protocol, device) if following else ""
        if why:
            ended = f"{metric.title} ends before batch {following}: {why}"
            return [*readings, Reading(notes=(ended,))]
    return readings


def _ask(name: str, activity: str, work: Callable[..., Any], *args: Any) -> Any:
    """Result of `work` in a forked process, or a `Failed` with the reason."""
    answer: Any = Failed(name, f"gave no answer while {activity}")
    for message in fork(_answer, (name, activity, work, args)):
        if not isinstance(message, Ended):
            answer = message
        elif message.exitcode:
            answer = Failed(name, f"{message.reason} while {activity}")
    return answer


def _answer(
    sender: Connection, name: str, activity: str, work: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    try:
        sender.send(work(*args))
    except Exception as error:  # as above
        sender.send(Failed(name, reason_of(error, activity), traceback.format_exc()))


def _with_threads(threads: int, work: Callable[..., Any], *args: Any) -> Any:
    torch.set_num_threads(threads)
    return work(*args)


def _list_imports(build: Callable[[], Subject], protocol: CostConfig) -> tuple[str, ...]:
    """Modules that a cell's first run imported. That memory is not the model's."""
    before = set(sys.modules)
    subject = build()
    with torch.inference_mode():
        forward(subject.model, subject.clip, protocol.precision)
    return tuple(name for name in sys.modules if name not in before)


def build_subject(name: str, pickled: bytes, device: str) -> Subject:
    """Build a cell's model with weights from a fixed seed, in eval mode, and a clip for it."""
    torch.manual_seed(0)
    model, shape = pickle.loads(pickled)()
    clip = torch.randn((1, *shape), generator=torch.Generator().manual_seed(0))
    return Subject(name, model.eval().to(device), clip.to(device))


def reason_of(error: Exception, activity: str) -> str:
    """One line for the table: "RuntimeError while timing: out of memory"."""
    return f"{type(error).__name__} while {activity}: {first_line(error)}"


def measured(name: str, readings: Sequence[Reading]) -> Measured:
    """Join what several metrics say of one cell."""
    joined = Reading.join(readings)
    return Measured(name, joined.measurements, joined.notes)
