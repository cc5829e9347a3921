"""`--archive`: a study in one file."""

from pathlib import Path

from study.cli.options import Arguments, Options, open_plan


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--archive`."""
    actions.add_argument(
        "--archive",
        type=Path,
        metavar="FILE.zip",
        help="run nothing: write the study, its records, their files and its report into one file",
    )


def execute(options: Options) -> int:
    """Write the archive; the exit code."""
    from study.manage.export import archive_study

    plan, store, console = open_plan(options)
    return archive_study(plan, store, options.archive, options.report_folder, console)
