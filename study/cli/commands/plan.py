"""`--plan`: cells, costs by count, jobs to run, and what they will take."""

from study.cli.options import Arguments, Options, open_plan, positive

TAKES = ("json", "modules")


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--plan`, `--json` and `--modules`."""
    actions.add_argument(
        "--plan",
        action="store_true",
        help="run nothing: cells, parameters, MACs, what is reused, how long the rest would take",
    )
    group.add_argument(
        "--json", action="store_true", help="print --plan, --status, --report or --claims as JSON"
    )
    group.add_argument(
        "--modules",
        type=positive,
        default=0,
        metavar="DEPTH",
        help="with --plan: parameters and MACs of every module, DEPTH names deep (3 shows blocks)",
    )


def execute(options: Options) -> int:
    """Print the plan; 0."""
    from study.cli.plan_view import print_plan
    from study.estimate.estimate import estimate
    from study.run.prepare import count_cells

    plan, store, console = open_plan(options)
    counts = count_cells(plan, to_run=False, depth=options.modules)
    print_plan(plan, counts, estimate(plan, counts, store), console, options.json)
    return 0
