"""Records of a study in another results folder, or from other devices."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.plan.planner import CostPlace, Plan, Planned, choose_timings, cost_keys
from study.records.record import Elsewhere, Outcome, Record
from study.records.store import Store


def outcomes_elsewhere(plan: Plan, root: Path) -> list[Outcome]:
    """One outcome a planned job, in the plan's order, with the newest record of the same config.

    Config and seed have to agree; code, device and torch need not: that they differ is why one
    compares. Options that only one of the two knows are passed over, as new defaults are.
    """
    records: dict[tuple[str, int | None], list[Record]] = defaultdict(list)
    for record in Store(root).all_done():
        records[record.kind, record.seed].append(record)
    by_name = {job.cell.name: job for job in plan.cost}
    found = []
    for job in plan.jobs:
        if job.status == "waits":
            found.append(job.outcome())
            continue
        same = [
            record
            for record in records[job.kind, job.seed]
            if _agree(record.config, job.key.config)
        ]
        if not same:
            found.append(job.outcome("not run", reason=f"not in {root}", record=None, log=""))
        elif job.kind != "cost":
            found.append(job.outcome("reused", record=same[-1], reason="", log=""))
        else:
            found.append(
                _beside_baseline(job, by_name[plan.baseline_of[job.cell.name]], same, records)
            )
    return found


def _beside_baseline(
    job: Planned,
    baseline: Planned,
    own: list[Record],
    records: Mapping[tuple[str, int | None], list[Record]],
) -> Outcome:
    """The newest timing that has the baseline's in the same run, else the newest."""
    theirs = {
        record.timing_run: record
        for record in records["cost", None]
        if _agree(record.config, baseline.key.config)
    }
    for record in reversed(own):
        if record.timing_run in theirs:
            reference = theirs[record.timing_run]
            return job.outcome("reused", record=record, reference=reference, reason="", log="")
    return job.outcome("reused", record=own[-1], reason="", log="")


def _agree(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_agree(one[key], other[key]) for key in one.keys() & other.keys())
    return bool(one == other)


def with_other_devices(outcomes: Sequence[Outcome], plan: Plan, store: Store) -> list[Outcome]:
    """Outcomes of a plan, those of costs with what other devices left in the same records folder.

    A record belongs to a cell if its identity is the one that the cell has at the record's own
    place: device, model, name and version of torch. So architecture, clip, protocol and files
    agree, whichever code made it. A device is what has another model or name, not another torch.
    """
    by_device: dict[CostPlace, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in store.costs():
        place = place_of(record)
        if _device_of(place) != _device_of(plan.place):
            by_device[place][record.identity].append(record)
    found: dict[CostPlace, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for place, records in by_device.items():
        for name, key in cost_keys(plan.study, [job.cell for job in plan.cost], place).items():
            found[_device_of(place)][name] += records.get(key.identity, [])
    elsewhere: dict[str, list[Elsewhere]] = defaultdict(list)
    for cells in found.values():
        for name, one in _on_device(cells, plan).items():
            elsewhere[name].append(one)
    return [
        dataclasses.replace(one, elsewhere=tuple(elsewhere.get(one.cell, ())))
        if one.kind == "cost"
        else one
        for one in outcomes
    ]


def _on_device(cells: Mapping[str, list[Record]], plan: Plan) -> dict[str, Elsewhere]:
    """Cell name -> its cost on one device; a failed record if there is no other."""
    done = {name: [r for r in records if r.is_done] for name, records in cells.items()}
    timings = choose_timings(done, plan.baseline_of)
    code = {job.cell.name: job.key.fingerprint for job in plan.cost}
    found = {}
    for name, records in cells.items():
        if name in timings:
            record, reference = timings[name]
            found[name] = Elsewhere(record, reference, record.fingerprint != code[name])
        elif records:
            found[name] = Elsewhere(records[-1], None, records[-1].fingerprint != code[name])
    return found


def place_of(record: Record) -> CostPlace:
    """Place that a cost record was measured at."""
    said = record.environment
    names = ("device_model", "device_name", "torch")
    return CostPlace(record.device, *(said.get(name, "") for name in names))


def _device_of(place: CostPlace) -> CostPlace:
    return place._replace(torch="")
