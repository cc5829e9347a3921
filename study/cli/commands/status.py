"""`--status`: the state of every job."""

from study.cli.options import Arguments, Options, open_plan

TAKES = ("json",)


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--status`."""
    actions.add_argument(
        "--status", action="store_true", help="run nothing: the state of every job"
    )


def execute(options: Options) -> int:
    """Print every job, with its state in the queue; the exit code of a report."""
    from study.cli.status_view import print_status, print_warnings
    from study.executors.executor import ExecutorError
    from study.plan.jobs import exit_code
    from study.plan.planner import executor_of

    plan, store, console = open_plan(options)
    states: dict[str, str] = {}
    try:
        states = executor_of(plan.study, store.root).status([job.key for job in plan.to_run])
    except ExecutorError as error:
        print_warnings([str(error)], console)
    outcomes = [
        job.outcome("not run", reason=states[job.key.name], record=None, log="")
        if job.is_to_run and job.key.name in states
        else job.outcome()
        for job in plan.jobs
    ]
    print_status(outcomes, console, options.json)
    if plan.race is not None and not options.json:
        from study.spec.race import race_lines

        for line in race_lines(plan.race):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return exit_code(outcomes, options.cost_only)
