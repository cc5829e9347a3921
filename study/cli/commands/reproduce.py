"""`--reproduce`: a record trained again."""

from study.cli.options import Arguments, Options


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--reproduce`."""
    actions.add_argument(
        "--reproduce",
        action="store_true",
        help="train one record (RESULTS/records/train-....json) again from what it stored, and say "
        "what differs",
    )


def execute(options: Options) -> int:
    """Train the record's run again and compare; the exit code."""
    from study.cli.console import console_for
    from study.run.reproduce import reproduce
    from study.run.train import run_job

    return reproduce(options.study, run_job, console_for(options.action))
