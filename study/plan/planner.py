"""Jobs of a study, matched with records: done or to run. Loads no torch.

The counts that need models (parameters, MACs) are made by study/plan/preflight.py, which does,
where study/estimate/estimate.py finds none in records.
"""

import dataclasses
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from study.executors import open_executor
from study.executors.executor import Executor
from study.executors.placement import Placement
from study.executors.task import Task, reason_of_attempts
from study.plan.fingerprint import fingerprint_of
from study.plan.identity import config_values
from study.plan.jobs import Choice, CostPlace, Plan, Planned, PlannedStatus, check_only
from study.plan.keys import RunKeys, cost_key, cost_keys
from study.records.record import Kind, Outcome, Record
from study.records.store import Key, Store, new_attempt
from study.spec.claims import Named
from study.spec.grid import Cell
from study.spec.study import Study, StudyError
from study.spec.tuning import Decision

__all__ = [
    "Choice",
    "CostPlace",
    "Plan",
    "Planned",
    "PlannedStatus",
    "check_only",
    "choose_timings",
    "cost_key",
    "cost_keys",
    "executor_of",
    "make_plan",
    "place",
    "task_of",
    "with_choices",
    "with_costs",
    "with_training",
]


def make_plan(
    study: Study, cells: Sequence[Cell], store: Store, device: str, choice: Choice
) -> Plan:
    """Match every job of the study with the records that exist.

    A job whose data are not on this machine has none, and its reason says so;
    study/plan/preflight.py refuses to run it.

    Raises:
        StudyError: If `--only` names levels that no cell has together.
    """
    if not any(map(choice.names, cells)):
        named = ", ".join(f"{factor}={label}" for factor, label in choice.only.items())
        raise StudyError(f"--only: no cell of the study has {named}")
    place = CostPlace(device, "", choice.device_name, version("torch"))
    plan = Plan(study, device, (), (), _baselines(study, cells), choice, place, cells=tuple(cells))
    return with_training(with_costs(plan, cells, store), store)


def with_costs(plan: Plan, cells: Sequence[Cell], store: Store) -> Plan:
    """The plan with the costs of these cells, matched with the records that exist now."""
    model = executor_of(plan.study, store.root).device_model(plan.device)
    place = plan.place._replace(model=model)
    keys = cost_keys(plan.study, cells, place)
    # Thousands of cells may share an architecture, and so their cost records.
    by_key = {key.name: key for key in keys.values()}
    read = {name: store.done(key) for name, key in by_key.items()}
    timings = choose_timings({cell: read[key.name] for cell, key in keys.items()}, plan.baseline_of)
    cost = tuple(_plan_cost(plan, cell, keys[cell.name], timings, store) for cell in cells)
    return dataclasses.replace(plan, cost=cost, place=place)


def with_training(plan: Plan, store: Store) -> Plan:
    """The plan with both stages of training, matched with the records that exist now."""
    plan = dataclasses.replace(plan, tune=tuple(_plan_tuning(plan, store)))
    return with_choices(plan, [job.outcome() for job in plan.tune], store)


def _plan_tuning(plan: Plan, store: Store) -> Iterator[Planned]:
    """Tuning jobs: all of them, since every seed needs the choice."""
    if plan.study.tune is None or not plan.study.seeds:
        return
    keys = RunKeys(plan.device)
    for cell in (job.cell for job in plan.cost):
        for trial in cell.trials:
            short = dataclasses.replace(cell, config=trial.short)
            for seed in plan.study.tune.seeds:
                yield _plan_run(plan, "tune", short, seed, store, keys, trial.tried)


def with_choices(
    plan: Plan, tuned: Sequence[Outcome], store: Store, failed: Container[str] = ()
) -> Plan:
    """The plan with its second stage, as far as tuning and the race have decided what that is.

    Args:
        plan: Its costs and tuning are kept.
        tuned: How its tuning jobs stand, or have ended.
        store: Where the records of the second stage are.
        failed: Names of training jobs that failed just now; a race does not wait for them.
    """
    by_cell: dict[str, list[Outcome]] = {}
    for outcome in tuned:
        by_cell.setdefault(outcome.cell, []).append(outcome)
    cells, decisions = {}, {}
    for cell in (job.cell for job in plan.cost):
        cells[cell.name] = cell
        if plan.study.tune is not None:
            decision = plan.study.tune.decide(by_cell.get(cell.name, ()))
            decisions[cell.name] = decision
            if decision.chosen is not None:
                chosen = cell.trials[decision.chosen].full
                cells[cell.name] = dataclasses.replace(cell, config=chosen)
    keys = RunKeys(plan.device)

    def plan_run(name: str, seed: int) -> Planned:
        decision = decisions.get(name)
        if decision is None or decision.chosen is not None:
            return _plan_run(plan, "train", cells[name], seed, store, keys)
        return _plan_waiting(plan, cells[name], seed, decision)

    if plan.study.race is None:
        train = [plan_run(name, seed) for name in cells for seed in plan.study.seeds]
        return dataclasses.replace(plan, train=tuple(train))
    from study.spec.race import MISSING, Run, run_of, run_race  # loads scipy

    jobs: dict[tuple[str, int], Planned] = {}

    def look(name: str, seed: int) -> Run:
        job = jobs[name, seed] = plan_run(name, seed)
        if job.is_pending and job.name not in failed:
            return MISSING
        return run_of(job.outcome("failed" if job.is_pending else None))

    named = [Named(name, cell.levels) for name, cell in cells.items()]
    race = run_race(plan.study, named, look)
    order = [(name, seed) for name in cells for seed in range(race.counts[name])]
    return dataclasses.replace(plan, train=tuple(jobs[at] for at in order), race=race)


def _plan_waiting(plan: Plan, cell: Cell, seed: int, decision: Decision) -> Planned:
    """A job that tuning has not decided on; its key names no record."""
    key = Key("train", "", fingerprint_of(cell.config, "train"), config_values(cell.config))
    status: PlannedStatus = "failed" if decision.is_failed else "waits"
    planned = Planned("train", cell, seed, key, status, decision.reason)
    if why := plan.choice.why_skipped(planned):
        return dataclasses.replace(planned, status="skipped", reason=why)
    return planned


def task_of(plan: Plan, job: Planned, root: Path, estimate_s: float = 0.0) -> Task:
    """A train or tune job as an executor takes it, with a new attempt."""
    assert job.seed is not None
    return Task(
        name=job.name,
        key=job.key,
        config=job.cell.config,
        seed=job.seed,
        device=plan.device,
        root=root,
        attempt=new_attempt(),
        estimate_s=estimate_s,
        resources=job.cell.resources,
        loaders=plan.study.run.loaders,
        tensorboard=plan.study.run.tensorboard,
        examples=tuple(plan.study.run.examples),
    )


def executor_of(study: Study, root: Path, detach: bool = False) -> Executor:
    """The executor that a study names, for its results folder."""
    settings = study.run.model_dump(exclude_none=True)
    return open_executor(study.run.executor, settings, str(study.path.resolve()), root, detach)


def place(executor: Executor, plan: Plan, jobs: Sequence[Planned]) -> Placement:
    """Workers, threads and GPUs for training these jobs."""
    threads = max((job.cell.config.train.threads for job in jobs), default=1)
    processes = max((job.cell.config.train.processes for job in jobs), default=1)
    return executor.place(threads, processes, plan.device)


def _baselines(study: Study, cells: Sequence[Cell]) -> dict[str, str]:
    """Cell name -> name of the cell it is compared with (itself where there is none)."""
    by_levels = {tuple(cell.levels.items()): cell.name for cell in cells}
    wanted = study.baseline
    return {
        cell.name: by_levels.get(tuple({**cell.levels, **wanted}.items()), cell.name)
        for cell in cells
    }


def _plan_run(
    plan: Plan,
    kind: Kind,
    cell: Cell,
    seed: int,
    store: Store,
    keys: RunKeys,
    tried: Mapping[str, str] = MappingProxyType({}),
) -> Planned:
    """A train or tune job, matched with its records."""
    key, absent = keys.of(kind, cell.config, seed)
    if done := store.done(key):
        return Planned(kind, cell, seed, key, "reused", absent, done[-1], tried=tried)
    planned = Planned(kind, cell, seed, key, "to run", absent, tried=tried)
    return _plan_missing(plan, planned, store)


def _plan_missing(plan: Plan, planned: Planned, store: Store) -> Planned:
    """Status of a job that has no record of its own."""
    key = planned.key
    if others := store.others(key):
        why = _difference(others[-1], key)
        if not store.has_finite_validation(others[-1]):
            why += ", and diverged"
        elif plan.choice.accept_code:
            return dataclasses.replace(planned, status="reused", record=others[-1], reason=why)
        planned = dataclasses.replace(planned, reason=f"runs again: {why}")
    if why := plan.choice.why_skipped(planned):
        return dataclasses.replace(planned, status="skipped", reason=why)
    failed = () if plan.choice.retry_failed else store.failed(key)
    if not failed:
        return planned
    last, retries = failed[-1], plan.study.run.max_retries
    is_final = last.is_diverged or len(failed) > retries  # a run that diverged would again
    return dataclasses.replace(
        planned,
        status="failed" if is_final else "to run",
        reason=reason_of_attempts(last, len(failed), retries),
        record=last,
        failures=len(failed),
        log=store.log_of(last),
    )


def choose_timings(
    records: Mapping[str, Sequence[Record]], baselines: Mapping[str, str]
) -> dict[str, tuple[Record, Record]]:
    """Cell name -> its cost record and its baseline's, both of one timing run.

    Of all records that cells have on one device. A cell may have been timed in many runs, for other
    studies too. As few runs as possible stand in one table: first the one that holds most of the
    cells, the newest of equals.
    """
    found = {name: {one.timing_run: one for one in several} for name, several in records.items()}
    usable = {name: found[name].keys() & found[baselines[name]].keys() for name in records}
    holds = Counter(run for runs in usable.values() for run in runs)
    newest = {run: record.started for runs in found.values() for run, record in runs.items()}
    order = sorted(holds, key=lambda run: (holds[run], newest[run]), reverse=True)
    return {
        name: (found[name][run], found[baselines[name]][run])
        for name, runs in usable.items()
        if (run := next((run for run in order if run in runs), None)) is not None
    }


def _plan_cost(
    plan: Plan,
    cell: Cell,
    key: Key,
    timings: Mapping[str, tuple[Record, Record]],
    store: Store,
) -> Planned:
    if cell.name not in timings:
        return _plan_missing(plan, Planned("cost", cell, None, key, "to run"), store)
    record, reference = timings[cell.name]
    return Planned("cost", cell, None, key, "reused", record=record, reference=reference)


def _difference(record: Record, key: Key) -> str:
    """Difference of a record of the same job to one that would be made now."""
    changed = sorted(_differing(record.config, key.config))
    if changed:
        return f"other defaults ({', '.join(changed)})"
    return "made by other code"


def _differing(old: Any, new: Any, at: str = "") -> set[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found: set[str] = set()
        for name in old.keys() & new.keys():  # an option that one does not have is no default
            found |= _differing(old[name], new[name], f"{at}.{name}" if at else str(name))
        return found
    return {at} if old != new else set()
