"""Plans: jobs, their states, and the options of the command line."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from study.records.record import Kind, Outcome, Record, Status, job_name
from study.records.store import Key
from study.spec.grid import Cell
from study.spec.study import Study, StudyError
from vlf.config import RunConfig, nearest

if TYPE_CHECKING:
    from study.spec.race import RaceState  # loads scipy

PlannedStatus = Literal["to run", "waits", "reused", "skipped", "failed"]
STATUSES: tuple[Status, ...] = ("done", "reused", "skipped", "failed", "not run")


class CostPlace(NamedTuple):
    """The part of a cost identity that names the machine."""

    device: str  # "cpu" or "cuda"
    model: str  # "AMD EPYC 7B13"
    name: str  # of `--device-name`, or ""
    torch: str  # version


@dataclass(frozen=True)
class Choice:
    """Options of the command line that change a plan.

    Attributes:
        only: Factor -> label, and "seed" -> seed, of jobs to run; empty runs all.
        retry_failed: Reset the count of failures.
        accept_code: Reuse records made by a different version of the code.
        cost_only: Skip training.
        device_name: Name of this machine in cost records, or "".
    """

    only: Mapping[str, str] = dataclasses.field(default_factory=dict)
    retry_failed: bool = False
    accept_code: bool = False
    cost_only: bool = False
    device_name: str = ""

    def why_skipped(self, job: "Planned") -> str:
        """Reason to skip a job; "" if it is selected."""
        if not self.names(job.cell, job.seed if job.kind == "train" else None):
            return "not in --only"
        return "--cost-only" if self.cost_only and job.kind != "cost" else ""

    def names(self, cell: Cell, seed: int | None = None) -> bool:
        """True if `--only` names a cell, and its seed if one is given."""
        for factor, label in self.only.items():
            if factor == "seed":
                if seed is not None and str(seed) != label:
                    return False
            elif cell.levels[factor] != label:
                return False
        return True


@dataclass(frozen=True)
class Planned:
    """One job and what is known of it.

    Attributes:
        kind: "train", "tune", or "cost": a cell's share of the timing run.
        cell: Its cell; for tuning with the values that it tries, for training with the chosen ones.
        seed: Seed of the run; None for cost.
        key: Names its records.
        status: "to run", "waits" (for tuning, which decides what it is), "reused", "skipped", or
            "failed": it diverged, or failed as often as `run.max_retries` allows.
        reason: Why it runs again, is skipped, or failed.
        record: Complete record of a reused job; last failed attempt of another.
        reference: Record of the baseline in the same timing run, for a reused cost.
        tried: Dotted key -> label of the value that a tune job tries.
        failures: Failed attempts that count.
        log: Path of the log of the last failed attempt, or "".
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
    failures: int = 0
    log: str = ""

    @property
    def is_to_run(self) -> bool:
        """True if a run executes it at once."""
        return self.status == "to run"

    @property
    def is_pending(self) -> bool:
        """True if a run executes it, at once or when tuning has ended."""
        return self.status in ("to run", "waits")

    @property
    def is_reused(self) -> bool:
        """True if it has a complete record."""
        return self.status == "reused"

    @property
    def name(self) -> str:
        """Shown to a person; unique in the study."""
        return job_name(self.cell.name, self.tried, self.seed)

    def outcome(self, status: Status | None = None, **changes: Any) -> Outcome:
        """The job's row in a report, with the changes that a run has made.

        A pending job that has failed before counts as failed until it is run.
        """
        missing: Status = "failed" if self.record is not None else "not run"
        values: dict[str, Any] = {
            "status": status or (missing if self.is_pending else self.status),
            "reason": self.reason,
            "record": self.record,
            "reference": self.reference,
            "tried": self.tried,
            "log": self.log,
        }
        values |= changes
        return Outcome(
            self.kind, self.cell.name, self.cell.levels, self.cell.numbers, self.seed, **values
        )


@dataclass(frozen=True)
class Plan:
    """All jobs of a study, the cost of each cell first.

    Attributes:
        device: "cpu" or "cuda".
        cost: One entry a cell.
        train: One entry a cell and seed, seeds fastest.
        tune: One entry a cell, combination that is tried, and tuning seed, seeds fastest.
        baseline_of: Cell name -> name of the cell it is compared with, perhaps itself.
        cells: The cells as the study file has them; those of jobs are scaled by `match`.
        race: How the race stands; None where the study has none.
    """

    study: Study
    device: str
    cost: tuple[Planned, ...]
    train: tuple[Planned, ...]
    baseline_of: Mapping[str, str]
    choice: Choice
    place: CostPlace
    tune: tuple[Planned, ...] = ()
    cells: tuple[Cell, ...] = ()
    race: "RaceState | None" = None

    @property
    def jobs(self) -> tuple[Planned, ...]:
        """Cost, tune and train."""
        return self.cost + self.training

    @property
    def training(self) -> tuple[Planned, ...]:
        """Jobs that train a model: tuning, then the runs that count."""
        return self.tune + self.train

    @property
    def waiting(self) -> list[Planned]:
        """Jobs that wait for tuning."""
        return [job for job in self.train if job.status == "waits"]

    @property
    def to_run(self) -> list[Planned]:
        """Jobs that a run executes at once."""
        return [job for job in self.jobs if job.is_to_run]

    @property
    def needs_a_look(self) -> bool:
        """True if a pending job reads files, or may have a batch of one clip."""
        missing = (j.cell.config for j in self.training if j.is_pending)
        return any(config.data.files() or _has_small_batch(config) for config in missing)

    def outcomes(self) -> list[Outcome]:
        """The rows of a report if nothing more is run."""
        return [job.outcome() for job in self.jobs]


def _has_small_batch(config: RunConfig) -> bool:
    size, clips = config.train.batch_size, config.data.train_size()
    return min(size, clips % size or size) < 2 * config.train.processes


def check_only(study: Study, only: Mapping[str, str]) -> None:
    """Refuse an `--only` with factors or levels that the study does not have.

    Raises:
        StudyError: With the names that exist.
    """
    for factor, label in only.items():
        if factor == "seed":
            allowed = [str(seed) for seed in study.seeds]
        elif factor in study.factors:
            allowed = [level.label for level in study.factors[factor]]
        else:
            names = [*study.factors, "seed"]
            near = nearest(factor, names)
            raise StudyError(
                f"--only: {factor}: unknown factor{near} (allowed: {', '.join(names)})"
            )
        if label not in allowed:
            near = nearest(label, allowed)
            raise StudyError(
                f"--only: {factor}: unknown level {label!r}{near} (allowed: {', '.join(allowed)})"
            )


def sum_up(outcomes: Sequence[Outcome]) -> str:
    """The last line of a command: planned = done + reused + skipped + failed + not run.

    Raises:
        RuntimeError: If an outcome has another status, which is a bug.
    """
    counts = Counter(outcome.status for outcome in outcomes)
    if sum(counts[status] for status in STATUSES) != len(outcomes):
        raise RuntimeError(f"outcomes with an unknown status: {counts}")
    parts = " + ".join(f"{counts[status]} {status}" for status in STATUSES)
    return f"{len(outcomes)} planned = {parts}"


def exit_code(outcomes: Sequence[Outcome], cost_only: bool = False) -> int:
    """0 if every job is done, in this run or before; with `cost_only`, if every cost is; else 1."""
    for outcome in outcomes:
        is_asked = outcome.kind == "cost" or not cost_only
        is_answer = outcome.kind == "tune" and outcome.is_diverged  # the value does not work
        if is_asked and not outcome.is_done and not is_answer:
            return 1
    return 0
