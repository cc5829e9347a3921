"""`--report` and `--claims`: tables, figures and verdicts from the records that exist."""

from collections.abc import Sequence

from rich.console import Console

from study.cli.options import Arguments, Options, open_plan
from study.plan.jobs import Plan, exit_code
from study.records.record import Outcome
from study.records.store import Store

TAKES = ("json",)


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--report` and `--claims`."""
    actions.add_argument(
        "--report", action="store_true", help="make the report from the records that exist"
    )
    actions.add_argument(
        "--claims",
        action="store_true",
        help="as --report, but print the claims with their verdicts",
    )


def execute(options: Options) -> int:
    """Make the report; the exit code."""
    plan, store, console = open_plan(options)
    if options.json:
        console.stderr = True  # JSON alone goes to standard output
    return report(plan, plan.outcomes(), store, console, options)


def report(
    plan: Plan, outcomes: Sequence[Outcome], store: Store, console: Console, options: Options
) -> int:
    """Make the report of these outcomes, print their sum whatever happens; the exit code."""
    from analysis.report.terminal import report_study
    from study.cli.status_view import strike_out, sum_at_end
    from study.plan.known_studies import keep_study
    from study.plan.other_records import with_other_devices

    with sum_at_end(with_other_devices(outcomes, plan, store), console) as rows:
        keep_study(plan.study, plan.device, store.root)
        only_claims = options.action == "claims"
        folder = options.report_folder
        code, damaged = report_study(
            plan.study, rows, console, folder, store.root, only_claims, options.json
        )
        strike_out(rows, damaged, store, console)
    return code or exit_code(rows, options.cost_only)
