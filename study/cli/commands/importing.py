"""`--import`: an archive moved into a results folder."""

from study.cli.options import Arguments, Options


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--import`."""
    actions.add_argument(
        "--import",
        action="store_true",
        help="take what such a file holds into the results folder; what is there already stays",
    )


def execute(options: Options) -> int:
    """Import the archive; 0."""
    from analysis.results.ledger import read_ledger
    from study.cli.console import console_for
    from study.manage.importing import import_study

    console = console_for(options.action)
    import_study(options.study, options.results, bool(options.quick), read_ledger, console)
    return 0
