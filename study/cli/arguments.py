"""The arguments of the command line, with the text of `--help`."""

import argparse
import re
from pathlib import Path
from typing import NoReturn

from study.spec.yaml_nodes import StudyError
from vlf.config import nearest

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
  python run_study.py ablations/frames.yaml --archive frames.tar
  python run_study.py frames.tar --import --results elsewhere

exit codes:
  0    every cell is done; with --cost-only: every cost
  1    a cell failed or is missing
  2    the study file or an option is wrong; nothing was run or written
  3    --claims: the data contradict a claim
  130  interrupted; the next run goes on from here

documentation:
  docs/quickstart.md              first steps
  docs/study_format.md            the study file
  docs/slurm.md                   clusters
  docs/internals/architecture.md  the code
"""


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as all else does."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print below its usage."""
        given = message.removeprefix("unrecognized arguments: ").split(" ")[0]
        options = [name for action in self._actions for name in action.option_strings]
        raise StudyError(f"{message}{nearest(given, options)} (--help has all options)")


def make_parser() -> argparse.ArgumentParser:
    """Knows every option; what goes with what is checked by `parse_options`."""
    parser = _Parser(
        prog="run_study.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "study",
        type=Path,
        metavar="STUDY.yaml",
        help="a study file, such as those in ablations/; with --reproduce a record, with --import "
        "an archive",
    )
    _add_actions(parser)
    _add_choices_of_cells(parser)
    _add_places(parser)
    return parser


def _add_actions(parser: argparse.ArgumentParser) -> None:
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
    one.add_argument(
        "--gc",
        action="store_true",
        help="run nothing: what lies in the results folder that no study run there needs, and why; "
        "with --yes it is removed",
    )
    one.add_argument(
        "--archive",
        type=Path,
        metavar="FILE.tar",
        help="run nothing: write the study, its records, their files and its report into one file",
    )
    one.add_argument(
        "--import",
        action="store_true",
        help="take what such a file holds into the results folder; what is there already stays",
    )
    one.add_argument(
        "--resolve",
        type=Path,
        metavar="OUT.yaml",
        help="choose the values that match asks for, by counting or timing, and write the study "
        "with them as levels",
    )
    one.add_argument("--detach", action="store_true", help="return once all is submitted to SLURM")
    what.add_argument(
        "--gate",
        type=_share,
        metavar="PERCENT",
        help="with --compare: exit code 3 if a cost is worse by more than this, such as 5%%",
    )
    what.add_argument("--yes", action="store_true", help="with --gc: remove what it shows")
    what.add_argument("--json", action="store_true", help="print --plan or --status as JSON")
    what.add_argument(
        "--modules",
        type=_positive,
        default=0,
        metavar="DEPTH",
        help="with --plan: parameters and MACs of every module, DEPTH names deep (3 shows blocks)",
    )


def _add_choices_of_cells(parser: argparse.ArgumentParser) -> None:
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


def _add_places(parser: argparse.ArgumentParser) -> None:
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
