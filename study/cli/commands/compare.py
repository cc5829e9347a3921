"""`--compare`: changes between two results folders."""

from pathlib import Path

from study.cli.options import Arguments, Options, open_plan, share
from study.spec.study import StudyError

TAKES = ("gate",)


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--compare` and `--gate`."""
    actions.add_argument(
        "--compare",
        type=Path,
        metavar="OTHER_RESULTS",
        help="run nothing: what changed from another results folder to this one, beyond noise",
    )
    group.add_argument(
        "--gate",
        type=share,
        metavar="PERCENT",
        help="with --compare: exit code 3 if a cost is worse by more than this, such as 5%%",
    )


def execute(options: Options) -> int:
    """Print what changed; the exit code.

    Raises:
        StudyError: If the other folder is no results folder.
    """
    from analysis.report.compare import compare_results
    from study.plan.other_records import outcomes_elsewhere

    if not (options.compare / "records").is_dir():
        say = f"{options.compare} is no results folder (it has no records/)"
        raise StudyError(f"--compare: {say}")
    plan, store, console = open_plan(options)
    there, roots = outcomes_elsewhere(plan, options.compare), (store.root, options.compare)
    return compare_results(plan.study, plan.outcomes(), there, options.gate, console, roots)
