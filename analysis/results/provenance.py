"""Environments and hours behind a report: machines, software, code, GPU-hours, core-hours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analysis.results.frame import device_label
from analysis.results.results import Results
from analysis.stats.format import fixed, plural
from study.records.record import Kind, Record

SHOWN = ("torch", "timm", "threads", "precision", "commit", "dirty")  # first, in this order


@dataclass(frozen=True)
class Place:
    """Records of one environment.

    Attributes:
        kind: "train" or "cost".
        device: Model of the device.
        facts: The environment's other entries, the most informative first.
        records: Number of records.
        hours: Wall-clock time of their attempts, summed; a timing run of many cells counts once.
    """

    kind: Kind
    device: str
    facts: tuple[tuple[str, str], ...]
    records: int
    hours: float


def places(results: Results) -> list[Place]:
    """Finished and failed records by environment; a record that cells share counts once."""
    groups: dict[tuple[Kind, str, tuple[tuple[str, str], ...]], list[Record]] = {}
    for record in unique_records(results):
        key = (record.kind, device_label(record), facts_of(record))
        groups.setdefault(key, []).append(record)
    return [
        Place(kind, device, facts, len(records), spent(records).wall_hours)
        for (kind, device, facts), records in groups.items()
    ]


def unique_records(results: Results) -> list[Record]:
    """Every record behind the report, once."""
    records = (outcome.record for outcome in results.outcomes if outcome.record is not None)
    return list({id(record): record for record in records}.values())


def cost_machines(results: Results) -> list[str]:
    """Devices that costs were measured on, with threads and versions, for a caption."""
    records = [found for v in results.variants if (found := results.cost_record(v))]
    return list(dict.fromkeys(map(machine, records)))


def clip_shape(results: Results) -> str:
    """The clip of the cost records in words, where they all agree on it; else ""."""
    shapes = set()
    for variant in results.variants:
        record = results.cost_record(variant)
        clip = record.config.get("clip") if record else None
        if clip:
            shapes.add(
                f"{clip['frames']} frames of {clip['size']} \N{MULTIPLICATION SIGN} {clip['size']}"
            )
    return shapes.pop() if len(shapes) == 1 else ""


def hours(seconds: float) -> str:
    """Text such as "40 s", "12 min", "3.4 h"."""
    if seconds < 90:
        return f"{fixed(seconds, 0)} s"
    return f"{fixed(seconds / 60, 0)} min" if seconds < 5400 else f"{fixed(seconds / 3600, 1)} h"


def machine(record: Record) -> str:
    """Device, threads, precision and torch of a record, for a caption."""
    environment = record.environment
    words = [device_label(record)]
    protocol = record.config.get("protocol") or {}
    threads = environment.get("threads") or protocol.get("threads")
    if threads and record.device == "cpu":
        words.append(plural(int(threads), "thread"))
    if precision := protocol.get("precision"):
        words.append(str(precision))
    if torch := environment.get("torch"):
        words.append(f"torch {torch}")
    return ", ".join(words)


def facts_of(record: Record) -> tuple[tuple[str, str], ...]:
    """The environment's entries, the most informative first."""
    environment = dict(record.environment)
    first = [(key, environment.pop(key)) for key in SHOWN if environment.get(key)]
    return (*first, *((key, value) for key, value in sorted(environment.items()) if value))


@dataclass(frozen=True)
class Spent:
    """Hours summed over records.

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
    """Hours of all attempts that left a record; a timing run of many cells counts once."""
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
        if record.timing_run:  # each record has the time of the whole run
            known = timing_runs.setdefault(record.timing_run, record)
            if record.seconds > known.seconds:
                timing_runs[record.timing_run] = record
            continue
        # A resumed job has trained for longer than its last attempt.
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
