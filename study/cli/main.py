"""The command line: its parser, and `main`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from study.cli.commands import COMMANDS
from study.cli.options import (
    Options,
    device_name,
    parse_only,
    parse_slurm,
    positive,
)
from study.cli.outside import say_how_to_start
from study.executors import EXECUTORS
from study.executors.stop import take_sigterm_for_ctrl_c
from study.records.schema import NewerSchemaError
from study.spec.study import StudyError
from vlf.config import nearest
from vlf.config.output import is_output_closed

DESCRIPTION = """\
Answer a question about video models: train and measure every cell of a study, then write its
tables, figures and report. Finished jobs are reused; interrupted jobs resume.
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
  python run_study.py ablations/frames.yaml --archive frames.zip
  python run_study.py frames.zip --import --results elsewhere

exit codes:
  0    every cell is done; with --cost-only: every cost
  1    a cell failed or is missing
  2    the study file or an option is wrong; nothing was run or written
  3    --claims: the data contradict a claim
  130  interrupted; the next run resumes

pages:
  docs/quickstart.md              first steps
  docs/study_format.md            the study file
  docs/slurm.md                   clusters
  docs/internals/architecture.md  the code
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code, as `--help` explains them, or 1 for a disk that is full."""
    take_sigterm_for_ctrl_c()
    try:
        options = parse_options(argv)
        code: int = COMMANDS[options.action].execute(options)
        return code
    except (StudyError, NewerSchemaError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        return say_how_to_start(error)
    except KeyboardInterrupt:
        print("interrupted; the same command resumes from here", file=sys.stderr)
        return 130
    except OSError as error:
        if isinstance(error, BrokenPipeError) and is_output_closed():
            raise  # the reader of our output is gone: end_quietly ends the command
        print(f"error: {error}; fix this and run the command again", file=sys.stderr)
        return 1


def parse_options(argv: Sequence[str] | None) -> Options:
    """Read the command line; `--help` ends the process with 0.

    Raises:
        StudyError: If an option is unknown, or its value cannot be read.
    """
    parser = make_parser()
    options = parser.parse_args(argv, Options())
    options.again = main, ([*(sys.argv[1:] if argv is None else argv)],)
    options.action = next((name for name in COMMANDS if getattr(options, name, None)), "run")
    takers: dict[str, list[str]] = {}
    for command, module in COMMANDS.items():
        for name in getattr(module, "TAKES", ()):
            takers.setdefault(name, []).append(command)
    for name, commands in takers.items():
        is_given = getattr(options, name) != parser.get_default(name)
        if is_given and options.action not in commands:
            raise StudyError(f"--{name}: goes with {' or '.join(f'--{one}' for one in commands)}")
    if options.quick:
        options.results = options.results / "quick"
    options.overrides = tuple(options.overrides)
    options.only, options.slurm = parse_only(options.only), parse_slurm(options.slurm)
    return options


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, as all other code does."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print below its usage."""
        given = message.removeprefix("unrecognized arguments: ").split(" ")[0]
        options = [name for action in self._actions for name in action.option_strings]
        raise StudyError(f"{message}{nearest(given, options)} (--help has all options)")


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
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
    group = parser.add_argument_group("what to do (without one of these: plan, run, report)")
    actions = group.add_mutually_exclusive_group()
    for module in dict.fromkeys(COMMANDS.values()):
        module.add_arguments(actions, group)
    _add_cells(parser)
    _add_places(parser)
    return parser


def _add_cells(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which cells")
    group.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="FACTOR=LEVEL,...",
        help='run a part: "variant=VLF,seed=0"; the rest counts as skipped',
    )
    group.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a dotted key of `base`, such as train.epochs=2; makes other cells",
    )
    group.add_argument(
        "--quick",
        action="store_true",
        help="smoke version: one seed, few clips, two epochs, few timings; kept apart in "
        "RESULTS/quick",
    )
    group.add_argument(
        "--cost-only",
        action="store_true",
        help="measure costs and train nothing: needs no data; training counts as skipped",
    )
    group.add_argument(
        "--retry-failed", action="store_true", help="try failed cells again, counting anew"
    )
    group.add_argument(
        "--accept-code",
        action="store_true",
        help="reuse records made by a different version of the code; the report says which",
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where and how")
    group.add_argument(
        "--executor",
        choices=[*EXECUTORS],
        help="process: a fresh process a job (default); inline: in this one, for a debugger; "
        "slurm: job arrays on a cluster",
    )
    group.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE,...",
        help='settings of run.slurm, such as "partition=gpu,timeout_min=240"; any other option of '
        'sbatch as "options.NAME=VALUE"',
    )
    group.add_argument("--workers", type=positive, metavar="N", help="jobs at a time")
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="auto: CUDA where there is a driver"
    )
    group.add_argument(
        "--device-name",
        type=device_name,
        metavar="NAME",
        help="what this machine is called in cost records, such as jetson-nano; costs under "
        "another name are another device's",
    )
    group.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="results folder (default: results)",
    )
