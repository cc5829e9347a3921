"""What runs inside the process that times candidates of `match`: latency and nothing else.

Started by `study.timing` as study/cost_process.py is, of which it times a part the same way.
"""

import traceback
from collections.abc import Sequence
from ctypes import Array, c_int
from multiprocessing.connection import Connection

import torch

from study.cost_process import Cells, build_subject, measured, reason_of
from study.environment import snapshot
from study.metrics.latency import measure_latency
from study.metrics.subject import Subject, Watch
from study.settings import CostConfig
from study.supervision import end_with_parent
from study.timing import ACTIVITIES, Environment, Failed, Stage


def time_side_by_side(
    sender: Connection, shared: "Array[c_int]", cells: Cells, protocol: CostConfig, device: str
) -> None:
    """Build every cell and time all of them; sends `Measured` for each that lived.

    One that raises while it is timed ends the process: the rounds of the others have gaps.
    """
    end_with_parent()
    torch.set_num_threads(protocol.threads)
    names = [name for name, _ in cells]
    place = _Place(sender, shared, names)
    sender.send(Environment(snapshot(device)))
    subjects: list[Subject] = []
    place.doing("building")
    for name, pickled in cells:
        place.at(name)
        try:
            subjects.append(build_subject(name, pickled, device))
        except Exception as error:  # one that is too large must not end the others
            place.fail(error)
    place.doing("timing")
    try:
        readings = measure_latency(subjects, protocol, place)
    except Exception as error:  # any model may raise anything
        place.fail(error)
        return
    for name, reading in readings.items():
        sender.send(measured(name, [reading]))


class _Place(Watch):
    """Where this process is: in memory that its supervisor can read when it is dead."""

    def __init__(self, sender: Connection, shared: "Array[c_int]", names: Sequence[str]) -> None:
        self.sender, self.shared, self.names = sender, shared, names

    def at(self, subject: str) -> None:
        self.shared[0] = self.names.index(subject)

    def doing(self, activity: str) -> None:
        self.shared[1] = ACTIVITIES.index(activity)

    def stage(self, text: str) -> None:
        self.sender.send(Stage(text))

    def fail(self, error: Exception) -> None:
        cell, activity = self.names[self.shared[0]], ACTIVITIES[self.shared[1]]
        self.sender.send(Failed(cell, reason_of(error, activity), traceback.format_exc()))
