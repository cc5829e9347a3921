"""Plans of studies, for the command and for notebooks."""

import contextlib
import dataclasses
import gc
from collections.abc import Iterator
from pathlib import Path

from study.estimate.estimate import recorded_counts
from study.executors.executor import ExecutorError
from study.match.cells import match_cells
from study.measure.counts import CellCounts
from study.plan.jobs import Choice, Plan
from study.plan.planner import executor_of, make_plan, task_of, with_training
from study.records.environment import resolve_device
from study.records.store import Store
from study.spec.grid import expand
from study.spec.study import Study


def prepare(
    study: Study, root: Path, choice: Choice | None = None, settle: bool = False
) -> tuple[Plan, Store]:
    """Plan a study.

    Args:
        study: A study from `load_study`.
        root: Its results folder.
        choice: Options of the command line that change the plan.
        settle: Write failed records of submitted jobs that ended while no command watched.

    Raises:
        StudyError: If a cell is wrong, or the executor does not answer or refuses.
    """
    store = Store(root)
    with _without_collector():
        executor = executor_of(study, root)
        if executor.is_remote and study.run.device == "auto":
            device = "cuda"  # a study for CPU nodes sets its device
        else:
            device = resolve_device(study.run.device)
        cells = expand(study)
        matched = match_cells(study, cells, root)
        plan = make_plan(study, matched, store, device, choice or Choice())
        plan = dataclasses.replace(plan, cells=tuple(cells))
        if settle and executor.is_remote:
            plan = _settle(plan, store)
    return plan, store


def _settle(plan: Plan, store: Store) -> Plan:
    study, executor = plan.study, executor_of(plan.study, store.root)
    try:
        executor.check()
        missing = (job for job in plan.training if job.is_to_run)
        if executor.settle(task_of(plan, job, store.root) for job in missing):
            store.refresh()
            return with_training(plan, store)
    except ExecutorError as error:
        raise study.error(("run", study.run.executor), str(error)) from None
    return plan


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector: a plan has no cycles, and it would visit every record again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def count_cells(plan: Plan, to_run: bool, depth: int = 0) -> dict[str, CellCounts]:
    """Parameters and MACs by cell name; loads torch only if records do not have them all.

    Args:
        plan: The plan.
        to_run: The plan is about to run: all inputs must be there, and are inspected.
        depth: Count modules too, so many levels of names deep.

    Raises:
        StudyError: If a cell cannot be built, or its inputs cannot be used.
    """
    counts = {} if depth else recorded_counts(plan)
    if to_run or len(counts) < len(plan.cost) or plan.needs_a_look:
        from study.plan.preflight import inspect  # loads torch

        counts = inspect(plan, counts, to_run, depth)
    return counts
