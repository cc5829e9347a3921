"""What runs inside the processes of a timing run: building, counting, timing, peak memory.

Started by `study.timing` through `study.supervision`; the only importer of `study.metrics` there.
"""

import contextlib
import functools
import itertools
import pickle
import traceback
from collections.abc import Mapping, Sequence
from ctypes import Array, c_int
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from study.environment import snapshot
from study.metrics import METRICS, Reading, Subject, Watch
from study.metrics.subject import Count, Derived, Isolated, SideBySide
from study.settings import CostConfig
from study.supervision import end_with_parent, fork
from study.timing import ACTIVITIES, Environment, Failed, Measured, Stage

Cells = Sequence[tuple[str, bytes]]  # name, pickled builder


@dataclass
class _Place(Watch):
    """Where this process is: written to memory that its supervisor can read when it is dead.

    Not sent: a message wakes its receiver, and that beside the call that is being timed.
    """

    sender: Connection
    shared: "Array[c_int]"
    names: Sequence[str]

    def at(self, subject: str) -> None:
        self.shared[0] = self.names.index(subject)

    def doing(self, activity: str) -> None:
        self.shared[1] = ACTIVITIES.index(activity)

    def stage(self, text: str) -> None:
        self.sender.send(Stage(text))

    def fail(self, error: Exception) -> None:
        cell, activity = self.names[self.shared[0]], ACTIVITIES[self.shared[1]]
        self.sender.send(Failed(cell, reason_of(error, activity), traceback.format_exc()))


def time_side_by_side(
    sender: Connection, shared: "Array[c_int]", cells: Cells, protocol: CostConfig, device: str
) -> None:
    """Build every cell, time all of them, count each; sends `Measured` for each that lived.

    A cell that raises while it is built or counted is left out. One that raises while it is timed
    ends the process: what it did to the device is unknown, and the rounds of the others have gaps.
    Counting is last: it imports much, and is not repeated when a timing is.
    """
    end_with_parent()
    torch.set_num_threads(protocol.threads)
    place = _Place(sender, shared, [name for name, _ in cells])
    sender.send(Environment(snapshot(device)))
    subjects = _build(cells, device, place)
    timed: dict[str, dict[str, Reading]] = {subject.name: {} for subject in subjects}
    place.doing("timing")
    for key, metric in METRICS.items():
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
            sender.send(measured(subject.name, _complete(subject, timed[subject.name])))
        except Exception as error:
            place.fail(error)


def _build(cells: Cells, device: str, place: _Place) -> list[Subject]:
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


def _complete(subject: Subject, timed: Mapping[str, Reading]) -> list[Reading]:
    """Add what is counted and what is derived; in the order of the registry."""
    counted = {k: m.measure(subject) for k, m in METRICS.items() if isinstance(m, Count)}
    known = {**timed, **counted}
    so_far = [m for reading in known.values() for m in reading.measurements]
    derived = {k: m.measure(so_far) for k, m in METRICS.items() if isinstance(m, Derived)}
    known |= derived
    return [known[key] for key in METRICS if key in known]


def measure_isolated(
    sender: Connection, shared: "Array[c_int]", cells: Cells, protocol: CostConfig, device: str
) -> None:
    """Run the isolated metrics, each in a process forked for it; sends `Measured` for each cell.

    This process runs nothing itself, so that what it forks is fresh.
    """
    place = _Place(sender, shared, [name for name, _ in cells])
    place.doing("measuring peak memory")
    isolated = [key for key, metric in METRICS.items() if isinstance(metric, Isolated)]
    for number, (name, pickled) in enumerate(cells, 1):
        place.stage(f"measuring peak memory of {name} ({number} of {len(cells)})")
        place.at(name)
        answers: list[Reading | Failed] = []
        for metric, batch_size in itertools.product(isolated, protocol.batch_sizes):
            answers.append(_ask_probe(metric, name, pickled, batch_size, protocol, device))
            if isinstance(answers[-1], Failed):
                sender.send(answers[-1])
                break
        else:
            sender.send(measured(name, [a for a in answers if isinstance(a, Reading)]))


def _ask_probe(
    metric: str, name: str, pickled: bytes, batch_size: int, protocol: CostConfig, device: str
) -> Reading | Failed:
    activity = f"measuring peak memory, batch {batch_size}"
    answer: Reading | Failed = Failed(name, f"gave no answer while {activity}")
    args = (metric, name, pickled, batch_size, protocol, device, activity)
    for message in fork(_probe, args):
        if isinstance(message, Reading | Failed):
            answer = message
        elif message.exitcode:
            answer = Failed(name, f"{message.reason} while {activity}")
    return answer


def _probe(
    sender: Connection,
    metric: str,
    name: str,
    pickled: bytes,
    batch_size: int,
    protocol: CostConfig,
    device: str,
    activity: str,
) -> None:
    isolated = METRICS[metric]
    assert isinstance(isolated, Isolated)
    torch.set_num_threads(protocol.threads)
    # Once on meta: that imports all that the cell needs, before the first look at the memory. A
    # builder that meta refuses has done its imports all the same; one that is broken fails below.
    with contextlib.suppress(Exception), torch.device("meta"):
        pickle.loads(pickled)()
    build = functools.partial(build_subject, name, pickled, device)
    try:
        reading = isolated.measure(build, batch_size, protocol)
    except Exception as error:  # as above
        sender.send(Failed(name, reason_of(error, activity), traceback.format_exc()))
    else:
        sender.send(reading)


def build_subject(name: str, pickled: bytes, device: str) -> Subject:
    """Build a cell's model with weights from a fixed seed, in eval mode, and a clip for it."""
    torch.manual_seed(0)
    model, shape = pickle.loads(pickled)()
    clip = torch.randn((1, *shape), generator=torch.Generator().manual_seed(0))
    return Subject(name, model.eval().to(device), clip.to(device))


def reason_of(error: Exception, activity: str) -> str:
    """One line for the table: "RuntimeError while timing: out of memory"."""
    first = (str(error).splitlines() or ["no message"])[0]
    return f"{type(error).__name__} while {activity}: {first[:200]}"


def measured(name: str, readings: Sequence[Reading]) -> Measured:
    """Join what several metrics say of one cell."""
    return Measured(
        name,
        tuple(m for reading in readings for m in reading.measurements),
        tuple(note for reading in readings for note in reading.notes),
    )
