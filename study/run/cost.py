"""The cost job: every missing architecture, timed side by side with its baseline, as records."""

import dataclasses
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from study.measure.timing import CellTiming, time_cells
from study.plan.jobs import Choice, Plan, Planned
from study.plan.planner import executor_of
from study.plan.preflight import build_for_cost
from study.records.record import Record
from study.records.store import Store, new_attempt
from study.run.prepare import prepare
from study.spec.study import Study


def run_cost(
    plan: Plan, store: Store, notify: Callable[[str], None]
) -> dict[str, tuple[Record, Record | None]]:
    """Time what the plan has to run.

    A cell that fails has a failed record; the others are timed without it. The baselines of the
    missing cells are timed again beside them, since timings compare inside one run only.

    Returns:
        Cell name -> its record, and its baseline's of the same timing run.
    """
    missing = [job for job in plan.cost if job.is_to_run]
    by_name = {job.cell.name: job for job in plan.cost}
    baselines = [by_name[plan.baseline_of[job.cell.name]] for job in missing]
    jobs = {job.key.identity: job for job in [*baselines, *missing]}  # an architecture once
    first = len({job.key.identity for job in baselines})
    cells = [
        (job.cell.name, partial(build_for_cost, job.cell.config.model, job.cell.config.data))
        for job in jobs.values()
    ]
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    timings = time_cells(cells, plan.study.cost, plan.device, notify, first)
    records: dict[tuple[str, str], Record] = {}
    for identity, job in jobs.items():
        timing = timings[job.cell.name]
        for one in (timing, *timing.again):
            record = _record(job, plan, one, started)
            records[identity, one.timing_run] = store.add(job.key, record)
    found = {}
    for job, baseline in zip(missing, baselines, strict=True):
        run = timings[jobs[job.key.identity].cell.name].timing_run
        own = records[job.key.identity, run]
        found[job.cell.name] = (own, records.get((baseline.key.identity, run)))
    return found


def cost_on_node(study: Study, root: Path, device: str, only: Mapping[str, str]) -> None:
    """The cost job of a cluster: plan here, where the device is, and time what is missing.

    Raises:
        RuntimeError: If it asked for a GPU and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"asked for a GPU and found none on {platform.node()}")
    executor_of(study, root).note_device_model(device)
    study = dataclasses.replace(study, run=study.run.model_copy(update={"device": device}))
    plan, store = prepare(study, root, Choice(only))
    if any(job.is_to_run for job in plan.cost):
        run_cost(plan, store, lambda text: print(text, flush=True))


def _record(job: Planned, plan: Plan, timing: CellTiming, started: str) -> Record:
    named = {"device_name": plan.place.name} if plan.place.name else {}
    return Record(
        kind="cost",
        identity=job.key.identity,
        status="failed" if timing.reason else "done",
        config=job.key.config,
        seed=None,
        device=plan.device,
        fingerprint=job.key.fingerprint,
        measurements=tuple(timing.measurements),
        environment={**timing.environment, **named},
        attempt=new_attempt(),
        started=started,
        seconds=timing.seconds,
        reason=timing.reason,
        detail=timing.detail,
        timing_run=timing.timing_run,
        notes=tuple(timing.notes),
    )
