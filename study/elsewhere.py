"""A study's records in another results folder, whichever code and device made them."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.plan import Plan, Planned
from study.record import Outcome, Record
from study.store import Store


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
        same = [
            record
            for record in records[job.kind, job.seed]
            if _agree(record.config, job.key.config)
        ]
        if not same:
            found.append(job.outcome("not run", reason=f"not in {root}"))
        elif job.kind == "train":
            found.append(job.outcome("reused", record=same[-1]))
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
            return job.outcome("reused", record=record, reference=theirs[record.timing_run])
    return job.outcome("reused", record=own[-1])


def _agree(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_agree(one[key], other[key]) for key in one.keys() & other.keys())
    return bool(one == other)
