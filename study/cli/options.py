"""The options of a command, and the study that they name."""

import argparse
import dataclasses
import gc
import re
from pathlib import Path

from rich.console import Console

from study.cli.console import console_for
from study.executors import executor_class, executor_folders
from study.plan.jobs import Choice, Plan, check_only
from study.plan.known_studies import report_parts, study_of_same_report
from study.records.store import STORE_FOLDERS, Store
from study.spec.errors import InvalidError, validate
from study.spec.settings import SlurmSettings
from study.spec.study import Study, StudyError, load_study
from study.spec.yaml_nodes import resolve_scalar
from study.spec.yaml_words import composed

Arguments = argparse._ActionsContainer  # what arguments are added to


class Options(argparse.Namespace):
    """The command line as it was read: an attribute for each argument, and the `action`.

    Attributes:
        again: A function, and the arguments with which it runs the same command again.
    """

    @property
    def report_folder(self) -> Path:
        """`ablations/a/b.yaml` -> RESULTS/a/b; a file elsewhere goes by its own name."""
        return Path(self.results, *report_parts(self.study))

    @property
    def choice(self) -> Choice:
        """Options that change the plan."""
        chosen = (self.only, self.retry_failed, self.accept_code)
        return Choice(*chosen, self.cost_only, self.device_name or "")

    def load(self) -> Study:
        """Read the study file, with the settings of the command line over its own.

        Raises:
            StudyError: If the file or an option is wrong.
        """
        return self.apply(load_study(self.study, self.overrides, self.quick))

    def apply(self, study: Study) -> Study:
        """Put the settings of the command line over those of a study.

        Raises:
            StudyError: If `--only` names what the study does not have.
        """
        check_only(study, self.only)
        self._check_folder()
        wanted = {"executor": self.executor, "workers": self.workers, "device": self.device}
        given = {name: value for name, value in wanted.items() if value is not None}
        run = study.run.model_copy(update=given)
        if self.slurm:
            values = {**run.slurm.model_dump(exclude_unset=True), **self.slurm}
            try:
                settings = validate(SlurmSettings, values)
            except InvalidError as error:
                key = ".".join(map(str, error.key))
                raise StudyError(f"--slurm: {key}: {error.message}") from None
            run = run.model_copy(update={"slurm": settings})
        if executor_class(run.executor).is_remote:
            if self.device_name:
                say = f"goes with jobs on this machine, not with {run.executor}"
                raise StudyError(f"--device-name: {say}")
        elif self.detach or self.action == "cancel":
            option = "--detach" if self.detach else "--cancel"
            raise StudyError(f"{option}: goes with --executor slurm (run.executor: slurm)")
        return dataclasses.replace(study, run=run)

    def _check_folder(self) -> None:
        if self.study.stem in (".", ".."):
            raise StudyError(f"{self.study}: its name without .yaml names no folder for the report")
        first = self.report_folder.relative_to(self.results).parts[0]
        folders = (*STORE_FOLDERS, *executor_folders())
        if first in folders:
            taken = ", ".join(folders)
            message = f"its report would lie in {self.results / first}, with what the store keeps"
            raise StudyError(f"{self.study}: {message}; rename the file (taken: {taken})")
        writes = self.action in ("run", "report", "claims")
        if writes and (other := study_of_same_report(self.study, self.results)):
            message = f"its report would replace that of {other} in {self.report_folder}"
            raise StudyError(f"{self.study}: {message}; rename the file, or say --results")


def open_plan(options: Options, settle: bool = False) -> tuple[Plan, Store, Console]:
    """Load and plan the study of a command; print warnings about damaged records.

    Raises:
        StudyError: If the study file, an option or a cell is wrong.
    """
    from analysis.report.registry import check_report
    from study.cli.status_view import print_warnings
    from study.run.prepare import prepare

    study, console = options.load(), console_for(options.action)
    check_report(study)
    plan, store = prepare(study, options.results, options.choice, settle)
    gc.freeze()  # a command keeps its plan to the end; the collector need not visit every record
    print_warnings(store.damaged, console)
    return plan, store, console


def positive(text: str) -> int:
    """A whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return value


def device_name(text: str) -> str:
    """A name for this machine in cost records."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}", text):
        raise argparse.ArgumentTypeError(
            f"must be up to 40 letters, digits, blanks and . _ + -, got {text!r}"
        )
    return text


def share(text: str) -> float:
    """A percentage as a share: "5%" is 0.05."""
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"must be a percentage such as 5%, got {text!r}")
    return value


def parse_slurm(texts: list[str]) -> dict[str, object]:
    """Settings of `run.slurm` by name, from `KEY=VALUE,...`."""
    settings: dict[str, object] = {}
    options: dict[str, object] = {}  # of sbatch: options.reservation=video
    for text in texts:
        for pair in text.split(","):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or not name:
                raise StudyError(f"--slurm: expected KEY=VALUE such as partition=gpu, got {pair!r}")
            if name in settings or name.removeprefix("options.") in options:
                raise StudyError(f"--slurm: {name}: is set twice; say it once")
            option = name.removeprefix("options.")
            (settings if option == name else options)[option] = resolve_scalar(value)
    return {**settings, "options": options} if options else settings


def parse_only(texts: list[str]) -> dict[str, str]:
    """Factor -> level, from `FACTOR=LEVEL,...`."""
    only: dict[str, str] = {}
    for text in texts:
        for pair in composed(text).split(","):
            factor, equals, level = pair.partition("=")
            if not equals or not factor.strip():
                raise StudyError(
                    f'--only: expected FACTOR=LEVEL, such as "variant=VLF,seed=0", got {pair!r}'
                )
            if factor.strip() in only:
                raise StudyError(
                    f"--only: {factor.strip()}: is named twice; one level can be named"
                )
            only[factor.strip()] = level.strip()
    return only
