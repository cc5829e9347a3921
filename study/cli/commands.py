"""How a study stands: its plan, brought up to date with the cluster; what runs nothing on it."""

import contextlib
import gc
from collections.abc import Callable, Iterator

from rich.console import Console

from study.cli.options import Options
from study.cli.plan_view import data_warnings, print_status, print_warnings
from study.estimate.estimate import recorded_counts
from study.executors.executor import ExecutorError
from study.match.cells import match_cells
from study.measure.counts import CellCounts
from study.plan.jobs import exit_code
from study.plan.planner import Choice, Plan, executor_of, make_plan, task_of
from study.records.environment import resolve_device
from study.records.store import Store
from study.spec.grid import expand
from study.spec.study import Study


def make_settled_plan(study: Study, store: Store, choice: Choice, settle_jobs: bool) -> Plan:
    """The plan; jobs that died on a cluster while nobody looked have their failed records first.

    Raises:
        StudyError: If a cell is wrong, or the cluster does not answer.
    """
    with _without_collector():
        return _make_settled_plan(study, store, choice, settle_jobs)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Of cyclic garbage: a plan has none, and its records would be looked at again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor is what stays looked at later
        gc.enable()


def _make_settled_plan(study: Study, store: Store, choice: Choice, settle_jobs: bool) -> Plan:
    cells, device = match_cells(study, expand(study), store.root), resolve_device(study.run.device)
    plan = make_plan(study, cells, store, device, choice)
    if settle_jobs and (executor := executor_of(study, store.root)).is_remote:
        missing = (job for job in plan.training if job.status == "to run")
        try:
            executor.check()
            if executor.settle(task_of(plan, job, store.root) for job in missing):
                store.refresh()
                plan = make_plan(study, cells, store, device, choice)
        except ExecutorError as error:
            raise study.error(("run", study.run.executor), str(error)) from None
    return plan


def counted(plan: Plan, is_run: bool, modules: int, console: Console) -> dict[str, CellCounts]:
    """Parameters and MACs by cell name; torch is loaded only where no record tells them.

    Before a run, and where data or weights are read or batches are small, all is looked at; a run
    is told here what is known of its data.

    Raises:
        StudyError: As study/plan/preflight.py.
    """
    counts = {} if modules else recorded_counts(plan)
    if is_run or len(counts) < len(plan.cost) or plan.needs_a_look:
        from study.plan.preflight import inspect  # loads torch

        counts = inspect(plan, counts, is_run, modules)
        print_warnings(data_warnings(plan, counts) if is_run else [], console)
    return counts


def show_status(plan: Plan, store: Store, console: Console, options: Options) -> int:
    """Print how every job stands, in the cluster's queue too; gives the exit code."""
    states: dict[str, str] = {}
    try:
        states = executor_of(plan.study, store.root).status([job.key for job in plan.to_run])
    except ExecutorError as error:
        console.print(f"warning: {error}", style="yellow", markup=False, soft_wrap=True)
    outcomes = [
        job.outcome("not run", reason=states[job.key.name], record=None, log="")
        if job.status == "to run" and job.key.name in states
        else job.outcome()
        for job in plan.jobs
    ]
    print_status(outcomes, console, options.json)
    return exit_code(outcomes, plan.choice.cost_only)


def cancel(plan: Plan, store: Store, console: Console, options: Options) -> int:
    """Cancel the study's jobs on the cluster; 0.

    Raises:
        StudyError: If SLURM is missing or refuses.
    """
    try:
        count = executor_of(plan.study, store.root).cancel()
    except ExecutorError as error:
        raise plan.study.error(("run", plan.study.run.executor), str(error)) from None
    console.print(f"cancelled {count} jobs; checkpoints stay, and a plain run goes on from them")
    return 0


def _keep_house(plan: Plan, store: Store, console: Console, options: Options) -> int:
    from study.manage.gc import keep_house

    return keep_house(plan.study, plan.device, store.root, options.yes, console)


def _archive(plan: Plan, store: Store, console: Console, options: Options) -> int:
    from study.manage.export import archive_study

    assert options.archive is not None  # it is the action
    return archive_study(plan, store, options.archive, options.report_folder, console)


ANSWERS: dict[str, Callable[[Plan, Store, Console, Options], int]] = {
    "status": show_status,
    "cancel": cancel,
    "gc": _keep_house,
    "archive": _archive,
}
