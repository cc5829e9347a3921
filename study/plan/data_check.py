"""Checks of the data of a plan's jobs, and of their last batch."""

from dataclasses import dataclass

from study.plan.planner import Plan, Planned
from study.spec.study import locate
from vlf.config import ConfigError, DataConfig
from vlf.data.preparation.split_check import PLAN_S, RUN_S, Checked, check_data
from vlf.last_batch import check_last_batch, may_be_too_small


@dataclass(frozen=True)
class DataNotes:
    """Notes on the data of a cell.

    Attributes:
        notes: What a reader of the numbers must know.
        missing: What is not on this machine, with the key that names it; "" if nothing.
    """

    notes: tuple[str, ...] = ()
    missing: str = ""


def inspect_data(plan: Plan, to_run: bool) -> dict[str, DataNotes]:
    """Read annotation lists of what is to run, and look at the length of films; by cell name.

    Args:
        plan: The jobs.
        to_run: Missing data are an error; else they are noted, and no video is decoded.

    Raises:
        StudyError: Naming the key of the study file, and the line of the list.
    """
    checked: dict[tuple[DataConfig, str], Checked | str] = {}
    tried: set[str] = set()
    cells: dict[str, DataNotes] = {}
    for job in plan.training:
        config = job.cell.config
        if not job.is_to_run:
            continue
        try:
            data = _check_once(plan, job, to_run, checked)
            if isinstance(data, str):
                cells[job.cell.name] = DataNotes(missing=data)
                continue
            if may_be_too_small(config, data.train_clips):
                text = config.model_dump_json()  # not every config can be hashed
                if text not in tried:
                    tried.add(text)
                    check_last_batch(config, data.train_clips)
        except ConfigError as error:
            raise locate(plan.study, job.cell, error) from None
        cells[job.cell.name] = DataNotes(data.notes)
    return cells


def _check_once(
    plan: Plan, job: Planned, to_run: bool, checked: dict[tuple[DataConfig, str], Checked | str]
) -> Checked | str:
    """The data of a job, or what of them is missing.

    Raises:
        ConfigError: If a list is wrong, or data are missing and `to_run`.
    """
    config = job.cell.config
    key = config.data, config.train.select
    if key not in checked:
        opened = any(data == config.data for data, _ in checked)
        seconds = 0.0 if opened else RUN_S if to_run else PLAN_S
        try:
            checked[key] = check_data(*key, seconds, decode=to_run)
        except ConfigError as error:
            if to_run or not error.is_missing:
                raise
            checked[key] = str(locate(plan.study, job.cell, error))
    return checked[key]
