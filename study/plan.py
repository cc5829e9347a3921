"""Which jobs a study has, which of them are done, and which are to run. Loads no torch.

The counts that need models (parameters, MACs) are made by study/preflight.py, which does, where
study/estimate.py finds none in records.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from study.environment import device_model
from study.fingerprint import fingerprint_of
from study.grid import Cell
from study.identity import (
    architecture_digests,
    cost_identity,
    file_digests,
    train_identity,
)
from study.record import Kind, Outcome, Record, Status, job_name
from study.spec import Study, StudyError
from study.store import Key, Store, new_attempt
from study.task import Task
from study.tuning import Decision, is_diverged
from vlf.config import ConfigError

PlannedStatus = Literal["to run", "waits", "reused", "skipped", "failed"]


class Place(NamedTuple):
    """Where costs are measured, as far as it is in their identity."""

    device: str  # "cpu" or "cuda"
    model: str  # "AMD EPYC 7B13"
    name: str  # of `--device-name`, or ""
    torch: str  # version


@dataclass(frozen=True)
class Planned:
    """One job and what is known of it.

    Attributes:
        kind: "train", "tune", or "cost" for one cell's share of the timing run.
        cell: Its cell; of a tune job with the run that it tries, of a train job with the choice.
        seed: Of a train or tune job; None for cost.
        key: Names its records.
        status: "to run", "waits" (for tuning, which decides what it is), "reused" (done before),
            "skipped" (not asked for), or "failed" (as often as `run.max_retries` allows).
        reason: Why it runs again, is skipped, or failed.
        record: What there is.
        reference: Of a reused cost record: the baseline's in the same timing run.
        tried: Of a tune job: dotted key -> label of the value that it tries.
    """

    kind: Kind
    cell: Cell
    seed: int | None
    key: Key
    status: PlannedStatus
    reason: str = ""
    record: Record | None = None
    reference: Record | None = None
    tried: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Shown to a person; unique in the study."""
        return job_name(self.cell.name, self.tried, self.seed)

    def outcome(self, status: Status | None = None, **changes: Any) -> Outcome:
        """The job's row in a report, as it stands or with what a run has changed."""
        values: dict[str, Any] = {
            "status": status or ("not run" if self.status in ("to run", "waits") else self.status),
            "reason": self.reason,
            "record": self.record,
            "reference": self.reference,
            "tried": self.tried,
            "reached": self.cell.matched.reached if self.cell.matched else None,
        }
        values |= changes
        return Outcome(
            self.kind, self.cell.name, self.cell.levels, self.cell.numbers, self.seed, **values
        )


@dataclass(frozen=True)
class Plan:
    """All jobs of a study, the cost of each cell first.

    Attributes:
        study: The study.
        device: "cpu" or "cuda", resolved.
        cost: One entry a cell.
        train: One entry a cell and seed, seeds fastest.
        tune: One entry a cell, combination that is tried, and tuning seed, seeds fastest.
        baseline_of: Cell name -> name of the cell it is compared with, perhaps itself.
        choice: What the command line asked for.
        place: Where costs are measured.
    """

    study: Study
    device: str
    cost: tuple[Planned, ...]
    train: tuple[Planned, ...]
    baseline_of: Mapping[str, str]
    choice: "Choice"
    place: Place
    tune: tuple[Planned, ...] = ()

    @property
    def jobs(self) -> tuple[Planned, ...]:
        """Cost, tune and train."""
        return self.cost + self.training

    @property
    def training(self) -> tuple[Planned, ...]:
        """What trains a model: tuning, then what counts."""
        return self.tune + self.train

    @property
    def waiting(self) -> list[Planned]:
        """What is known when tuning has ended."""
        return [job for job in self.train if job.status == "waits"]

    @property
    def to_run(self) -> list[Planned]:
        """What is missing."""
        return [job for job in self.jobs if job.status == "to run"]

    @property
    def reads_files(self) -> bool:
        """Whether a job that is missing reads files of data, of which some may be missing."""
        return any(
            job.status in ("to run", "waits") and job.cell.config.data.files()
            for job in self.training
        )

    def outcomes(self) -> list[Outcome]:
        """The report's rows if nothing more were run."""
        return [job.outcome() for job in self.jobs]


@dataclass(frozen=True)
class Choice:
    """What the command line asks of a plan.

    Attributes:
        only: Factor -> label, and "seed" -> seed, of what is to run; empty runs all.
        retry_failed: Count failures anew.
        accept_code: Take records made by other code for done; the report says so.
        cost_only: Skip what is not trained yet.
        device_name: What this machine is called in cost records; "" is nothing.
    """

    only: Mapping[str, str] = dataclasses.field(default_factory=dict)
    retry_failed: bool = False
    accept_code: bool = False
    cost_only: bool = False
    device_name: str = ""


def make_plan(
    study: Study, cells: Sequence[Cell], store: Store, device: str, choice: Choice
) -> Plan:
    """Match every job of the study with the records that there are.

    A job whose data are not on this machine has none, and its reason says so; study/preflight.py
    refuses to run it.
    """
    model = _device_model(study, store, device)
    place = Place(device, model, choice.device_name, version("torch"))
    baselines = _baselines(study, cells)
    cost_keys = {cell.name: cost_key(study, cell, place) for cell in cells}
    # Thousands of cells may share an architecture, and so their cost records.
    by_key = {key.name: key for key in cost_keys.values()}
    read = {name: store.done(key) for name, key in by_key.items()}
    found = {cell: read[key.name] for cell, key in cost_keys.items()}
    timings = choose_timings(found, baselines)
    cost = [_plan_cost(study, cell, cost_keys[cell.name], timings, store, choice) for cell in cells]
    plan = Plan(study, device, tuple(cost), (), baselines, choice, place)
    tune = tuple(_plan_tuning(plan, store))
    plan = dataclasses.replace(plan, tune=tune)
    return with_choices(plan, [job.outcome() for job in tune], store)


def _plan_tuning(plan: Plan, store: Store) -> Iterator[Planned]:
    """The first stage; whatever seeds `--only` names, they need the choice."""
    if plan.study.tune is None or not plan.study.seeds:
        return
    for cell in (job.cell for job in plan.cost):
        for trial in cell.trials:
            short = dataclasses.replace(cell, config=trial.short)
            for seed in plan.study.tune.seeds:
                yield _plan_run(plan, "tune", short, seed, store, trial.tried)


def with_choices(plan: Plan, tuned: Sequence[Outcome], store: Store) -> Plan:
    """The plan with its second stage, as far as tuning has decided what that is.

    Args:
        plan: Its costs and tuning are kept.
        tuned: How its tuning jobs stand, or have ended.
        store: Where the records of the second stage are.
    """
    by_cell: dict[str, list[Outcome]] = {}
    for one in tuned:
        by_cell.setdefault(one.cell, []).append(one)
    train = []
    for cell in (job.cell for job in plan.cost):
        own, decision = cell, None
        if plan.study.tune is not None:
            decision = plan.study.tune.decide(by_cell.get(cell.name, ()))
            if decision.chosen is not None:
                own = dataclasses.replace(cell, config=cell.trials[decision.chosen].full)
        train += [
            _plan_run(plan, "train", own, seed, store)
            if decision is None or decision.chosen is not None
            else _plan_waiting(plan, own, seed, decision)
            for seed in plan.study.seeds
        ]
    return dataclasses.replace(plan, train=tuple(train))


def _plan_waiting(plan: Plan, cell: Cell, seed: int, decision: Decision) -> Planned:
    """A job of which tuning has not said what it is; its key names no record."""
    config = cell.config.model_dump(mode="json")
    key = Key("train", "", fingerprint_of(cell.config, "train"), config)
    status: PlannedStatus = "failed" if decision.is_failed else "waits"
    planned = Planned("train", cell, seed, key, status, decision.reason)
    if why := _why_skipped(planned, plan.choice):
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
        slurm=job.cell.slurm,
        loaders=plan.study.run.loaders,
        tensorboard=plan.study.run.tensorboard,
        examples=tuple(plan.study.run.examples),
    )


def _device_model(study: Study, store: Store, device: str) -> str:
    """Of the device that costs are measured on: of a cluster, what its last cost job found."""
    if study.run.executor == "slurm":
        known = read_device_models(store.root).get(device_place(study, device))
        if known is not None:
            return known
    return device_model(device)


def device_place(study: Study, device: str) -> str:
    """What of the settings decides on which model of device a job of the study lands."""
    slurm = study.run.slurm
    return f"{device}|{slurm.partition or ''}|{slurm.constraint or ''}"


def read_device_models(root: Path) -> dict[str, str]:
    """`device_place` -> device model, as cost jobs have found it."""
    path = root / "slurm" / "devices.json"
    found: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


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
    tried: Mapping[str, str] = MappingProxyType({}),
) -> Planned:
    """A train or tune job, matched with its records."""
    try:
        digests, absent = file_digests(cell.config), ""
    except ConfigError as error:  # data may be on another machine than the plan
        digests, absent = {"absent": "yes"}, str(error)
    key = Key(
        kind,
        train_identity(cell.config, seed, plan.device, digests, kind),
        fingerprint_of(cell.config, "train"),
        cell.config.model_dump(mode="json"),
    )
    planned = Planned(kind, cell, seed, key, "to run", absent, tried=tried)
    if done := store.done(key):
        return dataclasses.replace(planned, status="reused", record=done[-1])
    return _plan_missing(planned, plan.study, store, plan.choice)


def _plan_missing(planned: Planned, study: Study, store: Store, choice: Choice) -> Planned:
    """What becomes of a job that has no record of its own."""
    key = planned.key
    if others := store.others(key):
        why = _difference(others[-1], key)
        if choice.accept_code:
            return dataclasses.replace(planned, status="reused", record=others[-1], reason=why)
        planned = dataclasses.replace(planned, reason=f"runs again: {why}")
    if why := _why_skipped(planned, choice):
        return dataclasses.replace(planned, status="skipped", reason=why)
    failed = store.failed(key)
    if failed and not choice.retry_failed:
        ended = dataclasses.replace(
            planned, status="failed", record=failed[-1], reason=failed[-1].reason
        )
        if is_diverged(ended.outcome()):  # it would again, and is an answer
            return ended
    if len(failed) > study.run.max_retries and not choice.retry_failed:
        last = failed[-1]
        why = f"{last.reason} (tried {len(failed)} times; --retry-failed tries again)"
        return dataclasses.replace(planned, status="failed", record=last, reason=why)
    return planned


def _why_skipped(planned: Planned, choice: Choice) -> str:
    """Why the command line did not ask for a job; "" if it did."""
    if not _is_chosen(planned.cell, planned.seed if planned.kind == "train" else None, choice):
        return "not in --only"
    return "--cost-only" if choice.cost_only and planned.kind != "cost" else ""


def cost_key(study: Study, cell: Cell, place: Place) -> Key:
    """What names a cell's cost records that were made, or would be, at a place."""
    data, protocol = cell.config.data, study.cost
    clip = {"frames": data.frames, "size": data.size, "classes": data.classes}
    architecture = cell.config.model.untrained()
    try:
        digests = architecture_digests(architecture)
    except ConfigError:  # on another machine, as above
        digests = {"absent": "yes"}
    identity = cost_identity(
        architecture, clip, protocol, place.model, place.device, place.torch, digests, place.name
    )
    config = {
        "model": architecture.model_dump(mode="json"),
        "clip": clip,
        "protocol": protocol.model_dump(mode="json"),
    }
    return Key("cost", identity, fingerprint_of(cell.config, "cost"), config)


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
    study: Study,
    cell: Cell,
    key: Key,
    timings: Mapping[str, tuple[Record, Record]],
    store: Store,
    choice: Choice,
) -> Planned:
    planned = Planned("cost", cell, None, key, "to run")
    if cell.name not in timings:
        return _plan_missing(planned, study, store, choice)
    record, reference = timings[cell.name]
    return dataclasses.replace(planned, status="reused", record=record, reference=reference)


def _difference(record: Record, key: Key) -> str:
    """What sets a record of the same job apart from what would be made now."""
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


def _is_chosen(cell: Cell, seed: int | None, choice: Choice) -> bool:
    for factor, label in choice.only.items():
        if factor == "seed":
            if seed is not None and str(seed) != label:
                return False
        elif cell.levels[factor] != label:
            return False
    return True


def check_only(study: Study, only: Mapping[str, str]) -> None:
    """Refuse an `--only` that names what the study does not have.

    Raises:
        StudyError: With what there is.
    """
    for factor, label in only.items():
        if factor == "seed":
            allowed = [str(seed) for seed in study.seeds]
        elif factor in study.factors:
            allowed = [level.label for level in study.factors[factor]]
        else:
            names = ", ".join([*study.factors, "seed"])
            raise StudyError(f"--only: {factor}: unknown factor (allowed: {names})")
        if label not in allowed:
            raise StudyError(
                f"--only: {factor}: unknown level {label!r} (allowed: {', '.join(allowed)})"
            )
