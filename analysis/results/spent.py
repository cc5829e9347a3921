"""Hours that the records behind a report took, of GPUs and of cores."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from study.records.record import Record


@dataclass(frozen=True)
class Spent:
    """Sums over records.

    Attributes:
        wall_hours: One job after another.
        gpu_hours: Of jobs on GPUs, times the GPUs of each.
        core_hours: Of jobs on the CPU, times the threads of each; the cores beside a GPU are not
            counted.
    """

    wall_hours: float
    gpu_hours: float
    core_hours: float


def spent(records: Iterable[Record]) -> Spent:
    """What attempts took, of those that left a record; a timing run of many cells counts once."""
    wall = gpu = core = 0.0
    for record, seconds in _jobs(records):
        wall += seconds
        if record.device == "cpu":
            core += seconds * _processes(record) * _threads(record)
        else:
            gpu += seconds * _processes(record)
    return Spent(wall / 3600, gpu / 3600, core / 3600)


def _jobs(records: Iterable[Record]) -> Iterator[tuple[Record, float]]:
    """Each job with its seconds."""
    timing_runs: dict[str, Record] = {}
    for record in records:
        if record.timing_run:  # its record tells the time of the whole run, whichever cell's it is
            known = timing_runs.setdefault(record.timing_run, record)
            if record.seconds > known.seconds:
                timing_runs[record.timing_run] = record
            continue
        # A job that was stopped and went on has trained for longer than its last attempt.
        trained = sum(m.samples[0] for m in record.measurements if m.metric == "training_time")
        yield record, max(record.seconds, trained)
    for record in timing_runs.values():
        yield record, record.seconds


def _processes(record: Record) -> int:
    return int(record.config.get("train", {}).get("processes", 1))


def _threads(record: Record) -> int:
    for section in ("train", "protocol"):
        if section in record.config:
            return int(record.config[section].get("threads", 1))
    return 1
