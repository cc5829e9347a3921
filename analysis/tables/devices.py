"""The same cells on several devices: a block of columns a device, ratios within each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from analysis.results.frame import device_label
from analysis.results.provenance import machine
from analysis.results.results import Results, Variant
from analysis.results.samples import record_rounds
from analysis.stats.estimates import Estimate, median_interval, median_ratio
from analysis.stats.format import NONE, interval
from analysis.tables.notes import quoted_batch, timing_words, unstable
from analysis.tables.table import Entry, Row, Table
from study.records.record import Elsewhere, Record


@dataclass(frozen=True)
class _Device:
    """A device's label, and what a cell costs on it; None where nothing is known."""

    label: str
    find: Callable[[Variant], Elsewhere | None]


def devices_table(results: Results) -> Table | None:
    """One row a cell, two columns a device; None where costs are of one device only.

    The first block is the device of the main table. Records of the others lie in the same folder:
    copied there, they are matched by architecture, clip, protocol and files.
    """
    batch = quoted_batch(results) or results.study.cost.batch_sizes[0]
    devices = _devices(results)
    if len(devices) < 2:
        return None
    header = ["cell"]
    for device in devices:
        header += [f"{device.label}: latency (ms)", f"{device.label}: / baseline"]
    rows = (
        (v.label, *(entry for device in devices for entry in _block(results, v, device, batch)))
        for v in results.variants
    )
    # One sentence on each device, unless its records differ in threads or versions.
    found = ((device.label, device.find(v)) for device in devices for v in results.variants)
    machines = [f"{label}: {machine(cost.record)}." for label, cost in found if cost]
    return Table.of(
        "devices",
        header,
        rows,
        f"Latency at batch {batch} on {len(devices)} devices: median over timing rounds "
        "[95 % interval]; the ratio to the baseline is paired by round, within each device.",
        dict.fromkeys(machines),
    )


def _devices(results: Results) -> list[_Device]:
    """The study's own, where it has costs, then the others in the order of their labels."""
    own = [r for v in results.variants if (r := results.cost_record(v))]
    others = {_label(e.record) for v in results.variants for e in results.elsewhere(v)}
    devices = [_Device(_label(own[0]), partial(_here, results))] if own else []
    for label in sorted(others):
        devices.append(_Device(label, partial(_there, results, label)))
    return devices


def _here(results: Results, variant: Variant) -> Elsewhere | None:
    record = results.cost_record(variant)
    if record is None:
        return None
    reference = next((j.reference for j in results.jobs(variant) if j.record is record), None)
    return Elsewhere(record, reference, False)


def _there(results: Results, label: str, variant: Variant) -> Elsewhere | None:
    return next((e for e in results.elsewhere(variant) if _label(e.record) == label), None)


def _label(record: Record) -> str:
    """A name given by hand does not tell the CPU of a machine from its GPU."""
    name = record.environment.get("device_name")
    return f"{name} {record.device.upper()}" if name else device_label(record)


def _block(results: Results, variant: Variant, device: _Device, batch: int) -> Row:
    cost = device.find(variant)
    if cost is None:
        return "not measured", NONE
    if cost.record.status == "failed":
        return Entry("failed", notes=(cost.record.reason,)), NONE
    rounds = record_rounds(cost.record, "latency", batch, results.mode)
    if not rounds:
        return NONE, NONE
    latency = median_interval(list(rounds.values()))
    notes = unstable(list(rounds.values()), batch)
    if cost.is_other_code:
        made = cost.record.environment
        commit, torch = made.get("commit", "")[:10] or "unknown", made.get("torch", "unknown")
        notes.append(f"made by other code or versions: commit {commit}, torch {torch}")
    notes = [f"{device.label}: {note}" for note in notes]
    return Entry(timing_words(latency), notes=tuple(notes)), _ratio(
        results, variant, cost, rounds, batch
    )


def _ratio(
    results: Results, variant: Variant, cost: Elsewhere, rounds: dict[int, float], batch: int
) -> str:
    if results.baseline_of(variant) is variant:
        return "baseline"
    if cost.reference is not None and cost.reference.identity == cost.record.identity:
        return "same model"
    ratio: Estimate | None = None
    if cost.reference is not None and cost.reference.timing_run == cost.record.timing_run:
        theirs = record_rounds(cost.reference, "latency", batch, results.mode)
        ratio = median_ratio(rounds, theirs)
    return interval(ratio, 2) if ratio else NONE
