"""Run what a study is missing, then report: the command without an action."""

from functools import partial

from study.cli.commands.report import report
from study.cli.options import Arguments, Options, open_plan

TAKES = ("detach",)


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--detach`."""
    actions.add_argument(
        "--detach", action="store_true", help="return once all is submitted to SLURM"
    )


def execute(options: Options) -> int:
    """Train and measure, report; the exit code."""
    from study.cli.plan_view import data_warnings
    from study.cli.status_view import print_warnings
    from study.estimate.estimate import estimate
    from study.run.prepare import count_cells
    from study.run.session import Session, Work

    plan, store, console = open_plan(options, settle=True)
    session = Session(plan, store, console, options.detach)
    if plan.to_run:
        counts = count_cells(plan, to_run=True)
        print_warnings(data_warnings(plan, counts), console)

        from analysis.results.ledger import register_claims
        from study.run.cost import cost_on_node, run_cost
        from study.run.train import run_job

        register = partial(register_claims, plan.study, options.report_folder)
        work = Work(register, run_cost, cost_on_node, run_job)
        session.run(work, estimate(plan, counts, store).seconds)
        if options.detach:
            return session.say_detached(*options.again)
    return report(session.plan, session.outcomes(), store, console, options)
