"""The command line: what may be said, and what it means."""

import argparse
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from study.plan import Choice, check_only
from study.settings import SlurmSettings
from study.spec import Study, StudyError, load_study
from study.wording import InvalidError, validate
from study.yaml_file import resolve_scalar

DESCRIPTION = """\
Answer a question about video models: train and measure every cell of a study, then write its
tables, figures and report. What is done is not done again; a run that was interrupted goes on
where it stopped.
"""

EPILOG = """\
examples:
  python run_study.py ablations/factorization.yaml            plan, run what is missing, report
  python run_study.py ablations/factorization.yaml --quick    a smoke version, in results/quick
  python run_study.py ablations/factorization.yaml --plan     what would run, and how long
  python run_study.py ablations/depth.yaml --only seed=0 --set train.epochs=2
  python run_study.py ablations/frames.yaml --executor inline --only variant=VLF,seed=0
  python run_study.py ablations/frames.yaml --cost-only --device-name jetson-nano
  python run_study.py ablations/frames.yaml --executor slurm --slurm partition=gpu --detach

exit codes:
  0    every cell is done; with --cost-only: every cost
  1    a cell failed or is missing
  2    the study file or an option is wrong; nothing was run or written
  3    --claims: the data contradict a claim
  130  interrupted; the next run goes on from here

docs/study_format.md has the study file, docs/slurm.md clusters, docs/architecture.md the code.
"""

# Of the results folder; a study's report has a folder of its own there.
STORE_FOLDERS = (
    "records", "artifacts", "attempts", "leases", "scaled", "features", "slurm", "quick"
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        study: The study file; of "reproduce" the record.
        action: "run", "plan", "status", "report", "claims", "compare", "cancel" or "reproduce".
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

    @property
    def report_folder(self) -> Path:
        """`ablations/a/b.yaml` -> RESULTS/a/b; a file elsewhere goes by its own name."""
        parts = self.study.resolve().with_suffix("").parts
        if "ablations" not in parts:
            return self.results / self.study.stem
        after = len(parts) - parts[::-1].index("ablations")
        return self.results.joinpath(*parts[after:])

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
        if run.executor == "slurm":
            if self.device_name:
                raise StudyError("--device-name: goes with jobs on this machine, not with slurm")
            if self.action in ("run", "cancel"):
                _check_slurm()
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
        if first in STORE_FOLDERS:
            taken = ", ".join(STORE_FOLDERS)
            message = f"its report would lie in {self.results / first}, with what the store keeps"
            raise StudyError(f"{self.study}: {message}; rename the file (taken: {taken})")


def parse_options(argv: list[str] | None) -> Options:
    """Read the command line; `--help` and errors end the process as argparse does (0 and 2).

    Raises:
        StudyError: If an option's value cannot be read.
    """
    args = _parser().parse_args(argv)
    known = ("plan", "status", "report", "claims", "cancel", "compare", "reproduce")
    actions = [name for name in known if getattr(args, name)]
    action = actions[0] if actions else "run"
    if args.json and action not in ("plan", "status"):
        raise StudyError("--json: goes with --plan or --status")
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
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_study.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "study",
        type=Path,
        metavar="STUDY.yaml",
        help="a study file, such as those in ablations/; with --reproduce a record",
    )

    what = parser.add_argument_group("what to do (without one of these: plan, run, report)")
    one = what.add_mutually_exclusive_group()
    one.add_argument(
        "--plan",
        action="store_true",
        help="run nothing: cells, parameters, MACs, what is reused, how long the rest would take",
    )
    one.add_argument("--status", action="store_true", help="run nothing: how every job stands")
    one.add_argument("--report", action="store_true", help="make the report from what there is")
    one.add_argument(
        "--claims",
        action="store_true",
        help="as --report, but print the claims with their verdicts",
    )
    one.add_argument(
        "--compare",
        type=Path,
        metavar="OTHER_RESULTS",
        help="run nothing: what changed from another results folder to this one, beyond noise",
    )
    one.add_argument(
        "--reproduce",
        action="store_true",
        help="train one record (RESULTS/records/train-....json) again from what it stored, and say "
        "what differs",
    )
    one.add_argument(
        "--cancel", action="store_true", help="cancel this study's SLURM jobs, and no others"
    )
    one.add_argument("--detach", action="store_true", help="return once all is submitted to SLURM")
    what.add_argument(
        "--gate",
        type=_share,
        metavar="PERCENT",
        help="with --compare: exit code 3 if a cost is worse by more than this, such as 5%%",
    )
    what.add_argument("--json", action="store_true", help="print --plan or --status as JSON")

    what.add_argument(
        "--modules",
        type=_positive,
        default=0,
        metavar="DEPTH",
        help="with --plan: parameters and MACs of every module, DEPTH names deep (3 shows blocks)",
    )

    which = parser.add_argument_group("which cells")
    which.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="FACTOR=LEVEL,...",
        help='run a part: "variant=VLF,seed=0"; the rest counts as skipped',
    )
    which.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a dotted key of `base`, such as train.epochs=2; makes other cells",
    )
    which.add_argument(
        "--quick",
        action="store_true",
        help="smoke version: one seed, few clips, two epochs, few timings; kept apart in "
        "RESULTS/quick",
    )
    which.add_argument(
        "--cost-only",
        action="store_true",
        help="measure costs and train nothing: needs no data; training counts as skipped",
    )
    which.add_argument(
        "--retry-failed", action="store_true", help="try failed cells again, counting anew"
    )
    which.add_argument(
        "--accept-code",
        action="store_true",
        help="take records that other code made for done; the report says which",
    )

    where = parser.add_argument_group("where and how")
    where.add_argument(
        "--executor",
        choices=("inline", "process", "slurm"),
        help="process: a fresh process a job (default); inline: in this one, for a debugger; "
        "slurm: job arrays on a cluster",
    )
    where.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE,...",
        help='settings of run.slurm, such as "partition=gpu,timeout_min=240"; any other option of '
        'sbatch as "options.NAME=VALUE"',
    )
    where.add_argument("--workers", type=_positive, metavar="N", help="jobs at a time")
    where.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="auto: CUDA where there is a driver"
    )
    where.add_argument(
        "--device-name",
        type=_name,
        metavar="NAME",
        help="what this machine is called in cost records, such as jetson-nano; costs under "
        "another name are another device's",
    )
    where.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="results folder (default: results)",
    )
    return parser


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return value


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,39}", text):
        raise argparse.ArgumentTypeError(
            f"must be up to 40 letters, digits, blanks and . _ + -, got {text!r}"
        )
    return text


def _share(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"must be a percentage such as 5%, got {text!r}")
    return value


def _check_slurm() -> None:
    from study.executors.slurm_queue import ClusterError, check_slurm

    try:
        check_slurm()
    except ClusterError as error:
        raise StudyError(f"run.executor: {error}") from None


def _parse_slurm(texts: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    options: dict[str, object] = {}  # of sbatch: options.reservation=video
    for text in texts:
        for pair in text.split(","):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals or not name:
                raise StudyError(f"--slurm: expected KEY=VALUE such as partition=gpu, got {pair!r}")
            option = name.removeprefix("options.")
            (found if option == name else options)[option] = resolve_scalar(value)
    return {**found, "options": options} if options else found


def _parse_only(texts: list[str]) -> dict[str, str]:
    only: dict[str, str] = {}
    for text in texts:
        for pair in text.split(","):
            factor, equals, level = pair.partition("=")
            if not equals or not factor.strip():
                raise StudyError(
                    f'--only: expected FACTOR=LEVEL, such as "variant=VLF,seed=0", got {pair!r}'
                )
            only[factor.strip()] = level.strip()
    return only
