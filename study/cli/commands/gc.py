"""`--gc`: files of a results folder that no study needs."""

from study.cli.options import Arguments, Options, open_plan

TAKES = ("yes",)


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--gc` and `--yes`."""
    actions.add_argument(
        "--gc",
        action="store_true",
        help="run nothing: what lies in the results folder that no study run there needs, and why; "
        "with --yes it is removed",
    )
    group.add_argument("--yes", action="store_true", help="with --gc: remove what it shows")


def execute(options: Options) -> int:
    """Show or remove them; the exit code."""
    from study.manage.gc import keep_house

    plan, store, console = open_plan(options)
    return keep_house(plan.study, plan.device, store.root, options.yes, console)
