"""One run of a plan: costs, then training, never beside each other on a machine; how it ended."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from study.executors import EXECUTORS
from study.executors.failure import reason_of, reason_of_attempts
from study.executors.slurm.queue import ClusterError, JobState, ask_queue
from study.executors.slurm.submissions import Entry, Place, Submission
from study.executors.slurm.submit import check_needs, submit_alone
from study.executors.slurm.watch import find_alone, reason_of_end, wait_alone
from study.executors.slurm.worker import Alone
from study.executors.task import RunJob
from study.match.cells import keep_values, match_cells
from study.match.latency_match import RatioOf, match_latency
from study.match.open_cells import elsewhere_notes, plan_cells, waiting_words, wanted_open
from study.plan.known_studies import keep_study
from study.plan.placing import place
from study.plan.planner import Plan, Planned, task_of, with_choices
from study.records.alone import alone_at_timing
from study.records.record import Outcome, Record, Status
from study.records.store import Store
from study.run.progress import LiveView, Tally
from study.spec.choices import choice_lines
from study.spec.grid import expand
from study.spec.study import Study
from study.spec.tuning import is_diverged

RunCost = Callable[[Plan, Store, Callable[[str], None]], dict[str, tuple[Record, Record | None]]]
STATUSES: tuple[Status, ...] = ("done", "reused", "skipped", "failed", "not run")


@dataclass(frozen=True)
class Work:
    """What loads torch, handed in by who does.

    Attributes:
        register: Writes down the claims, before the first job.
        run_cost: Times what a plan is missing, here.
        cost_on_node: Does so in a job of a cluster.
        run_job: Trains.
        ratio_of: Of two latencies by round, with its interval; for a study that matches latency.
    """

    register: Callable[[], object]
    run_cost: RunCost
    cost_on_node: Callable[[Study, Path, str, Mapping[str, str]], None]
    run_job: RunJob
    ratio_of: RatioOf | None = None


class Session:
    """Runs what a plan is missing and keeps how each job ended, an interruption included.

    Attributes:
        plan: What was planned.
        store: Where records go.
        detach: Return when all is submitted to the cluster.
        ended: Job -> its outcome, for jobs that this session has run.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        console: Console,
        detach: bool = False,
    ) -> None:
        self.plan, self.store, self.console = plan, store, console
        self.detach = detach
        self.ended: dict[tuple[str, str], Outcome] = {}
        self.stopped = ""  # why it was, before its end

    def outcomes(self) -> list[Outcome]:
        """One row a planned job, in the plan's order."""
        return [
            self.ended.get((job.kind, job.name))
            or job.outcome(reason=job.reason or (self.stopped if job.status == "to run" else ""))
            for job in self.plan.jobs
        ]

    def run(
        self,
        work: Work,
        estimates: Mapping[str, float],
        retry_failed: bool,
    ) -> Plan:
        """Run all that is missing; what has ended is told if this is interrupted or goes wrong.

        With `retry_failed` the failures of what is to run are counted anew from here.

        Returns:
            The plan as it is now: of a study that matches latency its cells were not known before.

        Raises:
            StudyError: If the cluster refuses what the study asks of it.
        """
        try:
            self.keep_study()
            work.register()
            self._match(work.ratio_of)
            keep_values(self.plan.study, [job.cell for job in self.plan.cost], self.store.root)
            if retry_failed:
                for job in self.plan.to_run:
                    self.store.forgive(job.key)
            if self.plan.study.run.executor == "slurm":
                self._run_on_slurm(work, estimates, retry_failed)
            else:
                self._run_cost(work.run_cost)
                self._run_training(work.run_job, estimates, retry_failed)
        except BaseException as error:
            self._say_stopped(error)
            if isinstance(error, ClusterError):
                raise self.plan.study.error(("run", "slurm"), str(error)) from None
            raise
        return self.plan

    def keep_study(self) -> None:
        """Let the results folder know the study, for what is asked of it later."""
        keep_study(self.plan.study, self.plan.device, self.store.root)

    def _match(self, ratio_of: RatioOf | None) -> None:
        """Time the values that scaled cells wait for; then plan anew, as it is known what they are.

        Raises:
            StudyError: If no value brings a cell near enough.
        """
        plan = self.plan
        if wanted := wanted_open(plan):
            assert ratio_of is not None
            what = f"values of {waiting_words(wanted)}, timed beside their targets"
            with alone_at_timing(self.store.root, self.console), self._showing(what) as notify:
                match_latency(plan, self.store.root, ratio_of, notify, self._say)
            cells = match_cells(plan.study, expand(plan.study), self.store.root)
            self.plan = plan_cells(plan.study, cells, self.store, plan.device, plan.choice)
        for note in elsewhere_notes(self.plan):
            self._say(note)

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def _showing(self, what: str) -> Iterator[Callable[[str], None]]:
        """Say what is timed, and in a terminal how far it is."""
        if not self.console.is_terminal:
            self.console.print(what)
            yield lambda at: None
            return
        with self.console.status(what) as status:
            yield lambda at: status.update(f"{what}: {at}")

    def _say_stopped(self, error: BaseException) -> None:
        """How every job stands, before the error goes on to who called us."""
        is_interrupted = isinstance(error, KeyboardInterrupt)
        self.stopped = "interrupted" if is_interrupted else f"the run stopped: {reason_of(error)}"
        if is_interrupted and self.plan.study.run.executor == "slurm":
            self.console.print("the jobs stay with SLURM; --cancel ends them", soft_wrap=True)
        self.console.print(sum_up(self.outcomes()), markup=False, soft_wrap=True)

    def _run_on_slurm(self, work: Work, estimates: Mapping[str, float], retry_failed: bool) -> None:
        """Costs in a job of their own, with its node to itself; training beside it in arrays."""
        plan, root = self.plan, self.store.root
        missing = [job for job in plan.training if job.status == "to run"]
        placement = place(plan, missing, self.detach)
        check_needs([task_of(plan, job, root) for job in missing], placement)
        cost = None
        entries = tuple(
            Entry(job.key.stem, "", job.name) for job in plan.cost if job.status == "to run"
        )
        if entries:
            stems = {entry.stem for entry in entries}
            cost = find_alone(root, placement.study, stems, ask_queue())
            if cost is None:
                args = (plan.study, root.resolve(), plan.device, dict(plan.choice.only))
                call = Alone(work.cost_on_node, args, Path.cwd())
                cost = submit_alone(call, entries, plan.device, root, placement)
                self.console.print(f"submitted costs as job {cost.job} ({cost.job_name})")
        self._run_training(work.run_job, estimates, retry_failed)
        if cost is not None and not self.detach:
            self._collect_cost(cost, wait_alone(cost))

    def _collect_cost(self, cost: Submission, state: JobState) -> None:
        """What the cost job has written; what it has not, has failed with it."""
        plan, store = self.plan, self.store
        store.refresh()
        cells = [job.cell for job in plan.cost]
        again = plan_cells(plan.study, cells, store, plan.device, plan.choice)
        why = reason_of_end(Place(cost, 0, 0, cost.packs[0][0]), state, store.root)
        for old, job in zip(plan.cost, again.cost, strict=True):
            if old.status != "to run":
                continue
            record, reason = job.record, job.reason
            if job.status == "to run" and record is None:
                reason = why
            status: Status = "done" if job.status == "reused" else "failed"
            self.ended[job.kind, job.name] = job.outcome(status, record=record, reason=reason)

    def say_detached(self) -> int:
        """Say how the study goes on without us; 0."""
        jobs = len(self.plan.to_run)
        say = "--status shows how they stand; the same command without --detach attaches to them"
        self.console.print(f"{jobs} jobs are with SLURM; {say}", soft_wrap=True)
        if waiting := len(self.plan.waiting):
            say = "when tuning has ended, run the same command again: it chooses, and submits"
            self.console.print(f"{say} the {waiting} training jobs that wait for it")
        return 0

    def _run_cost(self, run_cost: RunCost) -> None:
        """Time what is missing; one command at a time, as timings would disturb each other."""
        if not any(job.status == "to run" for job in self.plan.cost):
            return
        with alone_at_timing(self.store.root, self.console):
            self._leave_out_timed()
            self._time(run_cost)

    def _leave_out_timed(self) -> None:
        """What another command has timed since the plan is not timed again."""
        plan = self.plan
        self.store.refresh()
        if any(job.status == "to run" and self.store.done(job.key) for job in plan.cost):
            cells = [job.cell for job in plan.cost]
            again = plan_cells(plan.study, cells, self.store, plan.device, plan.choice)
            self.plan = dataclasses.replace(plan, cost=again.cost)

    def _time(self, run_cost: RunCost) -> None:
        missing = [job for job in self.plan.cost if job.status == "to run"]
        if not missing:
            return
        with self._showing(f"cost of {len(missing)} cells, measured side by side") as notify:
            records = run_cost(self.plan, self.store, notify)
        for job in missing:
            record, reference = records[job.cell.name]
            self._end(job, record.status, record, reference)

    def _end(
        self, job: Planned, status: Status, record: Record, reference: Record | None = None
    ) -> None:
        """Keep how a job has ended; of a failure, whether a plain run tries it again."""
        reason, log = record.reason, ""
        if status == "failed":
            log, retries = self.store.log_of(record), self.plan.study.run.max_retries
            if not is_diverged(job.outcome(status, record=record, reason=reason)):
                reason = reason_of_attempts(reason, job.failures + 1, retries)
        self.ended[job.kind, job.name] = job.outcome(
            status, record=record, reason=reason, reference=reference, log=log
        )

    def _run_training(
        self, run_job: RunJob, estimates: Mapping[str, float], retry_failed: bool
    ) -> None:
        """First what tuning is missing, then what its choices are."""
        is_tuning = any(job.status == "to run" for job in self.plan.tune)
        self._train(self.plan.tune, run_job, estimates)
        if is_tuning and not self.detach:
            self._choose(retry_failed)
        self._train(self.plan.train, run_job, estimates)

    def _choose(self, retry_failed: bool) -> None:
        """Plan the second stage: which jobs it has is known now."""
        self.store.refresh()
        tuned = [one for one in self.outcomes() if one.kind == "tune"]
        self.plan = with_choices(self.plan, tuned, self.store)
        if retry_failed:
            for job in self.plan.train:
                if job.status == "to run":
                    self.store.forgive(job.key)
        if self.plan.study.tune is not None:
            for line in choice_lines(self.plan.study.tune, tuned):
                self._say(line)

    def _train(
        self, jobs: Sequence[Planned], run_job: RunJob, estimates: Mapping[str, float]
    ) -> None:
        """Train what is missing of these, several at a time."""
        missing = {job.name: job for job in jobs if job.status == "to run"}
        if not missing:
            return
        placement = place(self.plan, list(missing.values()), self.detach)
        root = self.store.root
        tasks = [task_of(self.plan, job, root, estimates[name]) for name, job in missing.items()]
        tally = Tally({task.name: task.estimate_s for task in tasks}, placement.workers)
        execute = EXECUTORS[self.plan.study.run.executor]
        view = LiveView(tally, self.console)
        with view.show():
            running = execute(tasks, run_job, placement, view.notify)
            with contextlib.closing(running):  # ends the jobs if we are interrupted here
                for task, record in running:
                    job = missing[task.name]
                    status: Status = record.status
                    if self.plan.study.run.executor != "slurm" and record.attempt != task.attempt:
                        status = "reused" if status == "done" else status  # another command's
                    self._end(job, status, record)


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


def exit_code(outcomes: Sequence[Outcome], cost_only: bool = False) -> int:
    """0 if every planned job is done, now or before, with `cost_only` every cost; else 1."""
    asked = [outcome for outcome in outcomes if outcome.kind == "cost" or not cost_only]
    # A tuning run that diverged has told what it was asked.
    return int(any(o.status not in ("done", "reused") and not is_diverged(o) for o in asked))
