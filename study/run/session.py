"""One run of a plan: costs, then training, never side by side on a machine."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from study.executors.executor import ExecutorError
from study.executors.task import CostJob, RunJob, reason_of, reason_of_attempts
from study.match.cells import keep_values
from study.plan.jobs import sum_up
from study.plan.known_studies import keep_study
from study.plan.planner import Plan, Planned, executor_of, place, task_of, with_choices, with_costs
from study.records.lease import alone_at_timing
from study.records.record import Outcome, Record, Status
from study.records.store import Store
from study.run.progress import LiveView, Tally
from study.spec.study import Study
from study.spec.tuning import choice_lines

RunCost = Callable[[Plan, Store, Callable[[str], None]], dict[str, tuple[Record, Record | None]]]


@dataclass(frozen=True)
class Work:
    """The parts of a run that load torch.

    Attributes:
        register: Registers the claims, before the first job.
        run_cost: Measures the missing costs of a plan in this process.
        cost_on_node: Plans and measures them in a job of its own.
        run_job: Trains.
    """

    register: Callable[[], object]
    run_cost: RunCost
    cost_on_node: Callable[[Study, Path, str, Mapping[str, str]], None]
    run_job: RunJob


class Session:
    """Runs the missing jobs of a plan and keeps their outcomes, after an interruption too.

    Attributes:
        ended: (kind, name) of a job -> its outcome, for jobs that this session has run.
        stopped: Why the session was stopped early, or "".
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        console: Console,
        detach: bool = False,
    ) -> None:
        self.plan, self.store, self.console = plan, store, console
        self.executor = executor_of(plan.study, store.root, detach)
        self.ended: dict[tuple[str, str], Outcome] = {}
        self.stopped = ""

    def outcomes(self) -> list[Outcome]:
        """One row a planned job, in the plan's order."""
        return [
            self.ended.get((job.kind, job.name))
            or job.outcome(reason=job.reason or (self.stopped if job.is_to_run else ""))
            for job in self.plan.jobs
        ]

    def run(
        self,
        work: Work,
        estimates: Mapping[str, float],
    ) -> None:
        """Run all missing jobs; after an error or interruption, print the sum of the outcomes.

        Raises:
            StudyError: If the cluster refuses what the study asks of it.
        """
        try:
            self.keep_study()
            work.register()
            matched = [job.cell for job in self.plan.cost]
            keep_values(self.plan.study, self.plan.cells, matched, self.store.root)
            self._forgive(self.plan.to_run)
            self._run_jobs(work, estimates)
        except BaseException as error:
            self._say_stopped(error)
            if isinstance(error, ExecutorError):
                key = ("run", self.plan.study.run.executor)
                raise self.plan.study.error(key, str(error)) from None
            raise

    def keep_study(self) -> None:
        """Keep the study in the results folder, for gc and archive."""
        keep_study(self.plan.study, self.plan.device, self.store.root)

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def _showing(self, what: str) -> Iterator[Callable[[str], None]]:
        """Print the measured cells, and in a terminal the progress."""
        if not self.console.is_terminal:
            self.console.print(what)
            yield lambda at: None
            return
        with self.console.status(what) as status:
            yield lambda at: status.update(f"{what}: {at}")

    def _say_stopped(self, error: BaseException) -> None:
        """Print the sum of the outcomes before an error is raised further."""
        is_interrupted = isinstance(error, KeyboardInterrupt)
        self.stopped = "interrupted" if is_interrupted else f"the run stopped: {reason_of(error)}"
        if is_interrupted and self.executor.is_remote:
            self._say(f"the jobs stay with {self.executor.title}; --cancel ends them")
        self.console.print(sum_up(self.outcomes()), markup=False, soft_wrap=True)

    def _forgive(self, jobs: Iterable[Planned]) -> None:
        """Reset the failure count of these jobs if `--retry-failed` was given."""
        if self.plan.choice.retry_failed:
            for job in jobs:
                self.store.forgive(job.key)

    def _run_jobs(self, work: Work, estimates: Mapping[str, float]) -> None:
        """Costs before training, or beside it where they are measured on another machine."""
        plan, root = self.plan, self.store.root
        missing = [job for job in plan.training if job.is_to_run]
        self.executor.check(task_of(plan, job, root) for job in missing)
        wait = self._measure_costs(work, missing)
        self._run_training(work.run_job, estimates)
        if wait is not None and not self.executor.detach:
            self._collect_costs(wait())

    def _measure_costs(self, work: Work, training: Sequence[Planned]) -> Callable[[], str] | None:
        """Measure what is missing, or begin to: then a function that waits for the end."""
        plan, root = self.plan, self.store.root
        cells = {job.key.stem: job.name for job in plan.cost if job.is_to_run}
        if not cells:
            return None
        args = (plan.study, root.resolve(), plan.device, dict(plan.choice.only))
        here = partial(self._measure_here, work.run_cost)
        job = CostJob(cells, plan.device, here, work.cost_on_node, args)
        placement = place(self.executor, plan, training)
        wait = self.executor.measure_costs(job, placement, self._say)
        if wait is None:
            self._collect_costs("")
        return wait

    def _measure_here(self, run_cost: RunCost) -> None:
        """Time what is missing; one command at a time, as timings would disturb each other."""
        with alone_at_timing(self.store.root, self.console):
            self._leave_out_timed()
            missing = sum(job.is_to_run for job in self.plan.cost)
            if missing:
                with self._showing(f"cost of {missing} cells, measured side by side") as notify:
                    run_cost(self.plan, self.store, notify)

    def _leave_out_timed(self) -> None:
        """Reuse what another command has timed since the plan was made."""
        self.store.refresh()
        if any(job.is_to_run and self.store.done(job.key) for job in self.plan.cost):
            self.plan = dataclasses.replace(self.plan, cost=self._plan_costs())

    def _collect_costs(self, why_missing: str) -> None:
        """Outcomes of the costs that were missing, from their records."""
        for old, job in zip(self.plan.cost, self._plan_costs(), strict=True):
            if not old.is_to_run:
                continue
            outcome = job.outcome("failed")
            if job.is_reused:
                outcome = job.outcome("done")
            elif done := self.store.done(job.key):  # its baseline has failed beside it
                outcome = job.outcome("done", record=done[-1])
            elif job.record is None:
                outcome = job.outcome("failed", reason=why_missing)
            self.ended[job.kind, job.name] = outcome

    def _plan_costs(self) -> tuple[Planned, ...]:
        """The costs of the plan, matched with the records that exist now."""
        self.store.refresh()
        choice = dataclasses.replace(self.plan.choice, retry_failed=False)
        plan = dataclasses.replace(self.plan, choice=choice)
        return with_costs(plan, [job.cell for job in plan.cost], self.store).cost

    def say_detached(self, go_on: Callable[..., Any], args: tuple[Any, ...]) -> int:
        """Print how to follow the submitted jobs; 0.

        Args:
            go_on: The command, for a job that plans what follows when the submitted ones have
                ended: the next round of a race, or the runs that tuning chooses.
            args: Its arguments.

        Raises:
            StudyError: If the cluster refuses the job.
        """
        jobs = len(self.plan.to_run)
        say = "--status shows how they stand; the same command without --detach attaches to them"
        self._say(f"{jobs} jobs are with {self.executor.title}; {say}")
        is_racing = self.plan.race is not None and self.plan.race.is_waiting
        if not (is_racing or self.plan.waiting):
            return 0
        try:
            follows = self.executor.follow(go_on, args)
        except ExecutorError as error:
            key = ("run", self.plan.study.run.executor)
            raise self.plan.study.error(key, str(error)) from None
        what = "the next round" if is_racing else "the runs that tuning chooses"
        if follows:
            self._say(f"when they have ended, a job plans and submits {what}, and so on to the end")
        else:
            self._say(f"when they have ended, the same command submits {what}")
        return 0

    def _end(self, job: Planned, status: Status, record: Record) -> None:
        """Keep the outcome of a job; of a failure, whether a plain run tries it again."""
        reason, log = record.reason, ""
        if status == "failed":
            log, retries = self.store.log_of(record), self.plan.study.run.max_retries
            reason = reason_of_attempts(record, job.failures + 1, retries)
        self.ended[job.kind, job.name] = job.outcome(status, record=record, reason=reason, log=log)

    def _run_training(self, run_job: RunJob, estimates: Mapping[str, float]) -> None:
        """Tuning runs first, then the runs that they choose."""
        is_tuning = any(job.is_to_run for job in self.plan.tune)
        self._train(self.plan.tune, run_job, estimates)
        if is_tuning and not self.executor.detach:
            self._choose()
        self._train(self.plan.train, run_job, estimates)
        if self.plan.study.race is not None and not self.executor.detach:
            self._race(run_job, estimates)

    def _race(self, run_job: RunJob, estimates: Mapping[str, float]) -> None:
        """Train round after round, until the claims are decided or a limit is reached."""
        from study.spec.race import race_lines  # loads scipy

        is_racing = True
        while is_racing:
            is_racing = self._plan_training()
            for line in race_lines(self.plan.race) if self.plan.race else ():
                self._say(line)
            self._train(self.plan.train, run_job, estimates)

    def _plan_training(self) -> bool:
        """Plan what follows from the runs that have ended; True if that adds jobs to run."""
        self.store.refresh()
        outcomes = self.outcomes()
        tuned = [one for one in outcomes if one.kind == "tune"]
        failed = {one.job for one in outcomes if one.kind == "train" and one.is_failed}
        self.plan = with_choices(self.plan, tuned, self.store, failed)
        fresh = [job for job in self.plan.train if self._is_fresh(job)]
        self._forgive(fresh)
        return bool(fresh)

    def _is_fresh(self, job: Planned) -> bool:
        """True if a job is to run and this session has not run it."""
        return job.is_to_run and (job.kind, job.name) not in self.ended

    def _expected_s(self, job: Planned, estimates: Mapping[str, float]) -> float:
        """Expected time of a job; of a seed that a race adds, that of its cell's first one."""
        if job.name in estimates:
            return estimates[job.name]
        return next(
            estimates[one.name]
            for one in self.plan.train
            if one.cell.name == job.cell.name and one.name in estimates
        )

    def _choose(self) -> None:
        """Plan the second stage, which tuning has decided."""
        self._plan_training()
        if self.plan.study.tune is not None:
            tuned = [one for one in self.outcomes() if one.kind == "tune"]
            for line in choice_lines(self.plan.study.tune, tuned):
                self._say(line)

    def _train(
        self, jobs: Sequence[Planned], run_job: RunJob, estimates: Mapping[str, float]
    ) -> None:
        """Train what is missing of these, several at a time."""
        missing = {job.name: job for job in jobs if self._is_fresh(job)}
        if not missing:
            return
        placement = place(self.executor, self.plan, [*missing.values()])
        root = self.store.root
        tasks = [
            task_of(self.plan, job, root, self._expected_s(job, estimates))
            for job in missing.values()
        ]
        tally = Tally({task.name: task.estimate_s for task in tasks}, placement.workers)
        view = LiveView(tally, self.console)
        with view.show():
            running = self.executor.train(tasks, run_job, placement, view.notify)
            with contextlib.closing(running):  # ends the jobs if we are interrupted here
                for task, record in running:
                    job = missing[task.name]
                    status: Status = record.status
                    if status == "done" and not record.attempt.startswith(task.attempt):
                        status = "reused"  # another command's
                    self._end(job, status, record)
