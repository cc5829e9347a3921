"""What runs inside the process that times candidates of `match`: latency and nothing else.

Started by `study.measure.timing` as study/measure/timed_process.py is, of which it times a part the
same way.
"""

from ctypes import Array, c_int
from multiprocessing.connection import Connection

import torch

from study.measure.metrics.latency import measure_latency
from study.measure.metrics.subject import Subject
from study.measure.supervision import end_with_parent
from study.measure.timed_process import Cells, Place, build_subject, measured
from study.measure.timing import Environment
from study.records.environment import snapshot
from study.spec.settings import CostConfig


def time_side_by_side(
    sender: Connection, shared: "Array[c_int]", cells: Cells, protocol: CostConfig, device: str
) -> None:
    """Build every cell and time all of them; sends `Measured` for each that lived.

    One that raises while it is timed ends the process: the rounds of the others have gaps.
    """
    end_with_parent()
    torch.set_num_threads(protocol.threads)
    names = [name for name, _ in cells]
    place = Place(sender, shared, names)
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
