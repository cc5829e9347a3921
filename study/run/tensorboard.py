"""Training curves as TensorBoard event files, outside all that names a run.

Needs the package tensorboard, the extra of the same name.
"""

import math
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "tensorboard"
LEFT_OUT = ("epoch", "seconds")  # columns that are the axes


def is_installed() -> bool:
    """Whether event files can be written here."""
    return find_spec(PACKAGE) is not None


def write_events(folder: Path, curves: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """One value an epoch of each curve, at the epoch and the training time that it was made at.

    Returns:
        What a reader of the record must know: that there is no such file, and why.
    """
    if not is_installed():
        return ("tensorboard is not installed where this job ran, so it left no event files",)
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    at_s = time.time() - sum(curves["seconds"])
    for row, epoch in enumerate(curves["epoch"]):
        at_s += curves["seconds"][row]
        values = [
            Summary.Value(tag=name, simple_value=column[row])
            for name, column in curves.items()
            if name not in LEFT_OUT and math.isfinite(column[row])
        ]
        summary = Summary(value=values)
        writer.add_event(Event(wall_time=at_s, step=int(epoch), summary=summary))
    writer.close()
    return ()
