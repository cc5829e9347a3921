"""Counts of cells from records, and the time and disk space of a plan. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.estimate.clips import clips_of
from study.estimate.disk import Disk, disk_of
from study.estimate.frozen import Making, step_macs, views_to_make
from study.estimate.rates import Rates, find_rates, training_macs
from study.executors.executor import Executor
from study.measure.counts import CellCounts
from study.plan.planner import Plan, Planned, executor_of, place
from study.records.store import Store

OVERHEAD_S = 5.0  # of a training job, for its start; a guess


@dataclass(frozen=True)
class Estimate:
    """Estimate for the jobs to run.

    Attributes:
        seconds: Expected time of every train job, by name; of those that are done, too.
        device_hours: GPU-hours, or core-hours on CPU, of the training.
        basis: What the rate of training is taken from.
        assumed: Lines on datasets that are not here.
        disk: What they will add to the results folder.
        unknown: Names of train jobs whose number of clips is not known, nor so their time.
        wall_s: Until all have ended, several at a time; None where that is not known.
        workers: Most jobs at a time.
        devices: GPUs, or cores, of the job that has most.
    """

    seconds: Mapping[str, float]
    device_hours: float
    basis: str
    assumed: tuple[str, ...]
    disk: Disk
    unknown: frozenset[str] = frozenset()
    wall_s: float | None = 0.0
    workers: int = 0
    devices: int = 1


def recorded_counts(plan: Plan) -> dict[str, CellCounts]:
    """Counts by cell name, of the cells that have a cost record made by this very code.

    A finished study is planned again without building a model. What a frozen backbone spares is in
    no record: of cells that still train behind one there are none.
    """
    frozen = {
        job.cell.name
        for job in plan.training
        if job.is_pending and job.cell.config.train.freeze == "f"
    }
    found = {}
    for job in plan.cost:
        if job.record is None or not job.record.is_done or job.reason:
            continue
        if job.cell.name in frozen:
            continue
        values = {m.metric: m.samples[0] for m in job.record.measurements if m.part is None}
        if {"parameters", "macs"} <= values.keys():
            notes = tuple(note for note in job.record.notes if note.startswith("MACs"))
            found[job.cell.name] = CellCounts(int(values["parameters"]), values["macs"], notes)
    return found


def estimate(plan: Plan, counts: Mapping[str, CellCounts], store: Store) -> Estimate:
    """Estimate the jobs of a plan from records (rates.py, disk.py)."""
    cells = {job.cell.name: job.cell.config for job in plan.training}
    steps = {name: step_macs(config, counts[name]) for name, config in cells.items()}
    rates = find_rates(plan, steps, store)
    making = views_to_make(plan, counts)
    seconds = {
        job.name: _seconds(job, steps[job.cell.name], rates, plan.device)
        + _making_s(job, making.get(job.name), counts[job.cell.name], rates, plan.device)
        for job in plan.training
    }
    to_run = [job for job in plan.training if job.is_pending]
    hours = sum(seconds[job.name] * _devices(job, plan.device) for job in to_run) / 3600
    executor = executor_of(plan.study, store.root)
    workers = min(len(to_run), place(executor, plan, to_run).workers)
    disk = disk_of(plan, counts, workers, store.root)
    unknown = frozenset(job.name for job in to_run if not clips_of(job.cell.config.data).train)
    wall_s = (
        None
        if unknown
        else sum(_stage_s(executor, plan, jobs, seconds) for jobs in (plan.tune, plan.train))
    )
    devices = max((_devices(job, plan.device) for job in to_run), default=1)
    assumed = _assumed_sizes(to_run)
    return Estimate(seconds, hours, rates.basis, assumed, disk, unknown, wall_s, workers, devices)


def _stage_s(
    executor: Executor, plan: Plan, jobs: Sequence[Planned], estimates: Mapping[str, float]
) -> float:
    jobs = [job for job in jobs if job.is_pending]
    if not jobs:
        return 0.0
    workers = place(executor, plan, jobs).workers
    return max(
        sum(estimates[job.name] for job in jobs) / workers,
        max(estimates[job.name] for job in jobs),
    )


def _seconds(job: Planned, step: float, rates: Rates, device: str) -> float:
    config = job.cell.config
    rate = rates.of(config, device) * config.train.processes
    return OVERHEAD_S + training_macs(config, step) / rate


def _making_s(
    job: Planned, making: Making | None, count: CellCounts, rates: Rates, device: str
) -> float:
    """Time of the features that a job is the first to need; one process at a time makes a view."""
    if making is None or count.frozen is None:
        return 0.0
    return making.views * count.frozen.macs / rates.of_forward(job.cell.config, device)


def _devices(job: Planned, device: str) -> int:
    """GPUs, or cores, that a training job keeps busy."""
    train = job.cell.config.train
    return train.processes * (1 if device == "cuda" else train.threads)


def _assumed_sizes(jobs: Sequence[Planned]) -> tuple[str, ...]:
    """A line for each dataset whose lists are not here, or whose size is not known at all."""
    lines: dict[str, None] = {}
    for data in {job.cell.config.data: None for job in jobs}:
        clips, absent = clips_of(data), f"{data.name}: its lists are not here"
        if clips.is_published:
            lines[f"{absent}; {clips.train:,} training clips, as published"] = None
        elif not clips.train:
            lines[f"{absent}, so its training time is not known"] = None
    return tuple(lines)
