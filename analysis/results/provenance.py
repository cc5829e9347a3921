"""What ran where: machines, software, code and hours, as the records have it."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.results.frame import device_label
from analysis.results.results import Results
from analysis.results.spent import spent
from analysis.stats.format import fixed, plural
from study.records.record import Kind, Record

SHOWN = ("torch", "timm", "threads", "precision", "commit", "dirty")  # first, in this order


@dataclass(frozen=True)
class Place:
    """Records that were made in the same surroundings.

    Attributes:
        kind: "train" or "cost".
        device: Model of the device.
        facts: The environment's other entries, the telling ones first.
        records: How many.
        hours: Wall-clock time of their attempts, summed; a timing run of many cells counts once.
    """

    kind: Kind
    device: str
    facts: tuple[tuple[str, str], ...]
    records: int
    hours: float


def places(results: Results) -> list[Place]:
    """Finished and failed records by surroundings; a record that cells share counts once."""
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
    found = {id(one.record): one.record for one in results.outcomes if one.record is not None}
    return list(found.values())


def cost_machines(results: Results) -> list[str]:
    """Devices that costs were measured on, with threads and versions, for a caption."""
    described: dict[str, None] = {}
    for variant in results.variants:
        if record := results.cost_record(variant):
            described[machine(record)] = None
    return list(described)


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
    """As "40 s", "12 min", "3.4 h"."""
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
    """The environment's entries, the telling ones first."""
    environment = dict(record.environment)
    first = [(key, environment.pop(key)) for key in SHOWN if environment.get(key)]
    return (*first, *_sorted(environment))


def _sorted(environment: dict[str, str]) -> Sequence[tuple[str, str]]:
    return [(key, value) for key, value in sorted(environment.items()) if value]
