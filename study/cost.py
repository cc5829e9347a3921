"""The cost job: every missing architecture, timed side by side with its baseline, as records."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime

from study.plan import Plan, Planned
from study.preflight import build_for_cost
from study.record import Record
from study.store import Store, new_attempt
from study.timing import CellTiming, time_cells


def run_cost(plan: Plan, store: Store, notify: Callable[[str], None]) -> dict[str, Record]:
    """Time what the plan has to run, and return the records by cell name.

    A cell that fails has a failed record; the others are timed without it. The baselines of the
    missing cells are timed again beside them, since timings compare inside one run only.
    """
    missing = [job for job in plan.cost if job.status == "to run"]
    if not missing:
        return {}
    by_name = {job.cell.name: job for job in plan.cost}
    needed = [by_name[plan.baseline_of[job.cell.name]] for job in missing] + missing
    distinct = {job.key.identity: job for job in reversed(needed)}  # the first of each stays
    jobs = [job for job in dict.fromkeys(needed) if distinct[job.key.identity] is job]
    cells = [
        (
            job.cell.name,
            functools.partial(build_for_cost, job.cell.config.model, job.cell.config.data),
        )
        for job in jobs
    ]
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    timings = time_cells(cells, plan.study.cost, plan.device, notify)
    records = {
        job.key.identity: store.add(job.key, _record(job, plan, timings[job.cell.name], started))
        for job in jobs
    }
    return {job.cell.name: records[job.key.identity] for job in needed}


def _record(job: Planned, plan: Plan, timing: CellTiming, started: str) -> Record:
    return Record(
        kind="cost",
        identity=job.key.identity,
        status="failed" if timing.reason else "done",
        config=job.key.config,
        seed=None,
        device=plan.device,
        fingerprint=job.key.fingerprint,
        measurements=tuple(timing.measurements),
        environment=timing.environment,
        attempt=new_attempt(),
        started=started,
        seconds=timing.seconds,
        reason=timing.reason,
        detail=timing.detail,
        timing_run=timing.timing_run,
        notes=tuple(timing.notes),
    )
