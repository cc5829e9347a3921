"""One run of a plan: cost first, then training, never beside each other; then how it all ended."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from study.environment import visible_gpus
from study.executors import EXECUTORS, Placement
from study.executors.placement import default_workers
from study.plan import Plan, Planned
from study.progress import LiveView, Tally
from study.record import Outcome, Record, Status
from study.store import Store, new_attempt
from study.task import RunJob, Task

RunCost = Callable[[Plan, Store, Callable[[str], None]], dict[str, tuple[Record, Record | None]]]
STATUSES: tuple[Status, ...] = ("done", "reused", "skipped", "failed", "not run")


class Session:
    """Runs what a plan is missing and keeps how each job ended, an interruption included.

    Attributes:
        plan: What was planned.
        store: Where records go.
        ended: Job -> its outcome, for jobs that this session has run.
    """

    def __init__(self, plan: Plan, store: Store, console: Console) -> None:
        self.plan, self.store, self.console = plan, store, console
        self.ended: dict[tuple[str, str], Outcome] = {}
        self.interrupted = False

    def outcomes(self) -> list[Outcome]:
        """One row a planned job, in the plan's order."""
        why = "interrupted" if self.interrupted else ""
        return [
            self.ended.get((job.kind, job.name))
            or job.outcome(reason=job.reason or (why if job.status == "to run" else ""))
            for job in self.plan.jobs
        ]

    def run(
        self,
        run_cost: RunCost,
        run_job: RunJob,
        estimates: Mapping[str, float],
        retry_failed: bool,
    ) -> None:
        """Run all that is missing; what has ended is known if this is interrupted.

        With `retry_failed` the failures of what is to run are counted anew from here.
        """
        if retry_failed:
            for job in self.plan.to_run:
                self.store.forgive(job.key)
        try:
            self._run_cost(run_cost)
            self._run_training(run_job, estimates)
        except KeyboardInterrupt:
            self.interrupted = True
            raise

    def _run_cost(self, run_cost: RunCost) -> None:
        """Time what is missing."""
        missing = [job for job in self.plan.cost if job.status == "to run"]
        if not missing:
            return
        what = f"cost of {len(missing)} cells, measured side by side"
        if self.console.is_terminal:
            with self.console.status(what) as status:
                records = run_cost(self.plan, self.store, lambda at: status.update(f"{what}: {at}"))
        else:
            self.console.print(what)
            records = run_cost(self.plan, self.store, lambda at: None)
        for job in missing:
            record, reference = records[job.cell.name]
            self.ended[job.kind, job.name] = job.outcome(
                record.status, record=record, reason=record.reason, reference=reference
            )

    def _run_training(self, run_job: RunJob, estimates: Mapping[str, float]) -> None:
        """Train what is missing, several at a time."""
        missing = {job.name: job for job in self.plan.train if job.status == "to run"}
        if not missing:
            return
        placement = place(self.plan, list(missing.values()))
        tasks = [self._task(job, estimates[name]) for name, job in missing.items()]
        tally = Tally({task.name: task.estimate_s for task in tasks}, placement.workers)
        execute = EXECUTORS[self.plan.study.run.executor]
        view = LiveView(tally, self.console)
        with view.show():
            running = execute(tasks, run_job, placement, view.notify)
            with contextlib.closing(running):  # ends the jobs if we are interrupted here
                for task, record in running:
                    job = missing[task.name]
                    self.ended[job.kind, job.name] = job.outcome(
                        record.status, record=record, reason=record.reason
                    )

    def _task(self, job: Planned, estimate_s: float) -> Task:
        assert job.seed is not None
        return Task(
            name=job.name,
            key=job.key,
            config=job.cell.config,
            seed=job.seed,
            device=self.plan.device,
            root=self.store.root,
            attempt=new_attempt(),
            estimate_s=estimate_s,
        )


def place(plan: Plan, jobs: Sequence[Planned]) -> Placement:
    """Workers, threads and GPUs for training these jobs."""
    run = plan.study.run
    threads = max(job.cell.config.train.threads for job in jobs)
    gpus = visible_gpus() if plan.device == "cuda" else 0
    workers = run.workers or default_workers(threads, gpus)
    timeout_s = None if run.timeout_min is None else run.timeout_min * 60
    # More jobs than GPUs share them in turn; a job's index is taken from this pool.
    pool = [index % gpus for index in range(workers)] if gpus else []
    return Placement(workers, threads, tuple(pool), timeout_s)


def sum_up(outcomes: Sequence[Outcome]) -> str:
    """The last line: planned = done + reused + skipped + failed + not run.

    Raises:
        RuntimeError: If the sum does not hold, which would be our mistake.
    """
    counts = Counter(outcome.status for outcome in outcomes)
    if sum(counts[status] for status in STATUSES) != len(outcomes):
        raise RuntimeError(f"outcomes with an unknown status: {counts}")
    parts = " + ".join(f"{counts[status]} {status}" for status in STATUSES)
    return f"{len(outcomes)} planned = {parts}"


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 if every planned job is done, now or before; else 1."""
    return int(any(outcome.status not in ("done", "reused") for outcome in outcomes))
