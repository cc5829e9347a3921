"""The command line: what may be said, and what it means."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from study.cli.arguments import make_parser
from study.executors import executor_class, executor_folders
from study.plan.known_studies import report_parts, study_of_same_report
from study.plan.planner import Choice, check_only
from study.records.store import STORE_FOLDERS
from study.spec.errors import InvalidError, validate
from study.spec.settings import SlurmSettings
from study.spec.study import Study, StudyError, load_study
from study.spec.yaml_nodes import resolve_scalar
from study.spec.yaml_words import composed


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        study: The study file; of "reproduce" the record, of "import" the archive.
        action: "run", "plan", "status", "report", "claims", "compare", "cancel", "reproduce", "gc",
            "archive", "import" or "resolve".
        json: Print plan or status for scripts.
        modules: Levels of modules that a plan shows; 0 shows none.
        results: The results folder.
        overrides: `key=value` over `base`.
        only: What is to run; empty runs all.
        executor: Instead of the study file's `run.executor`.
        workers: Instead of the study file's `run.workers`.
        device: Instead of the study file's `run.device`.
        retry_failed: Count failures anew.
        accept_code: Take records made by other code for done.
        quick: A smoke version.
        slurm: Instead of the study file's settings of `run.slurm`, by name.
        detach: Return after submission to SLURM.
        compare: Another results folder.
        gate: As a share: 0.05 is 5 %.
        cost_only: Measure costs, train nothing.
        device_name: What this machine is called in cost records.
        yes: Remove what `gc` shows.
        archive: Where it is to be written.
        resolve: The study file to write.
    """

    study: Path
    action: str
    json: bool
    modules: int
    results: Path
    overrides: tuple[str, ...]
    only: Mapping[str, str]
    executor: str | None
    workers: int | None
    device: str | None
    retry_failed: bool
    accept_code: bool
    quick: bool
    slurm: Mapping[str, object]
    detach: bool
    compare: Path | None = None
    gate: float | None = None
    cost_only: bool = False
    device_name: str = ""
    yes: bool = False
    archive: Path | None = None
    resolve: Path | None = None

    @property
    def report_folder(self) -> Path:
        """`ablations/a/b.yaml` -> RESULTS/a/b; a file elsewhere goes by its own name."""
        return self.results.joinpath(*report_parts(self.study))

    @property
    def reporting(self) -> tuple[Path, Path, bool]:
        """Where the report goes, where records are, and whether only claims are to be shown."""
        return self.report_folder, self.results, self.action == "claims"

    @property
    def choice(self) -> Choice:
        """What the plan is asked for."""
        chosen = (self.only, self.retry_failed, self.accept_code)
        return Choice(*chosen, self.cost_only, self.device_name)

    def load(self) -> Study:
        """The study file, read, with the settings of the command line.

        Raises:
            StudyError: If the file or an option is wrong.
        """
        return self.apply(load_study(self.study, self.overrides, self.quick))

    def apply(self, study: Study) -> Study:
        """The study with the settings of the command line before its own.

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
            if run.device == "auto":  # what is meant for CPU nodes says so
                run = run.model_copy(update={"device": "cuda"})
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


def parse_options(argv: list[str] | None) -> Options:
    """Read the command line; `--help` ends the process with 0.

    Raises:
        StudyError: If an option is unknown, or its value cannot be read.
    """
    args = make_parser().parse_args(argv)
    known = (
        "plan", "status", "report", "claims", "cancel", "compare", "reproduce", "gc", "archive",
        "import", "resolve",
    )  # fmt: skip
    actions = [name for name in known if getattr(args, name)]
    action = actions[0] if actions else "run"
    if args.json and action not in ("plan", "status"):
        raise StudyError("--json: goes with --plan or --status")
    if args.yes and not args.gc:
        raise StudyError("--yes: goes with --gc")
    if args.gate is not None and args.compare is None:
        raise StudyError("--gate: goes with --compare OTHER_RESULTS")
    if args.compare is not None and not (args.compare / "records").is_dir():
        raise StudyError(f"--compare: {args.compare} is no results folder (it has no records/)")
    if args.modules and action != "plan":
        raise StudyError("--modules: goes with --plan")
    results = args.results / "quick" if args.quick else args.results
    return Options(
        study=args.study,
        action=action,
        json=args.json,
        modules=args.modules,
        results=results,
        overrides=tuple(args.set),
        only=_parse_only(args.only),
        executor=args.executor,
        workers=args.workers,
        device=args.device,
        retry_failed=args.retry_failed,
        accept_code=args.accept_code,
        quick=args.quick,
        slurm=_parse_slurm(args.slurm),
        detach=args.detach,
        compare=args.compare,
        gate=args.gate,
        cost_only=args.cost_only,
        device_name=args.device_name or "",
        yes=args.yes,
        archive=args.archive,
        resolve=args.resolve,
    )


def _parse_slurm(texts: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    options: dict[str, object] = {}  # of sbatch: options.reservation=video
    for text in texts:
        for pair in text.split(","):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or not name:
                raise StudyError(f"--slurm: expected KEY=VALUE such as partition=gpu, got {pair!r}")
            if name in found or name.removeprefix("options.") in options:
                raise StudyError(f"--slurm: {name}: is set twice; say it once")
            option = name.removeprefix("options.")
            (found if option == name else options)[option] = resolve_scalar(value)
    return {**found, "options": options} if options else found


def _parse_only(texts: list[str]) -> dict[str, str]:
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
