"""Answer a question about video models: python run_study.py ablations/factorization.yaml."""

import sys
from functools import partial

try:
    from study.cli.complaint import saying_why
    from study.cli.console import console_for, end_quietly
    from study.cli.options import Options, parse_options
except (ImportError, SyntaxError, TypeError) as error:
    from study.cli.outside import say_how_to_start

    sys.exit(say_how_to_start(error))


@saying_why
def main(argv: list[str] | None = None) -> int:
    """0: all is done; 1: a cell failed or is missing; 2: wrong input; 3: a claim contradicted."""
    options = parse_options(argv)
    if options.action == "reproduce":
        from study.run.reproduce import reproduce
        from study.run.train import run_job

        return reproduce(options.study, run_job, console_for(options.action))
    if options.action == "import":
        from analysis.results.ledger import read_ledger
        from study.manage.importing import import_study

        return import_study(options, read_ledger, console_for(options.action))
    if options.action == "resolve":
        from analysis.stats.estimates import median_ratio
        from study.cli.resolve import resolve

        return resolve(options, median_ratio, console_for(options.action))
    return answer(options)


def answer(options: Options) -> int:
    """Plan, run what is missing, report. Torch is loaded only for a run."""
    from analysis.report.registry import check_report
    from analysis.results.ledger import register_claims
    from study.cli.commands import ANSWERS, counted, make_settled_plan
    from study.cli.plan_view import print_plan, print_warnings
    from study.cli.status_view import strike_out, sum_at_end
    from study.estimate.estimate import estimate
    from study.plan.jobs import exit_code
    from study.plan.other_records import outcomes_elsewhere, with_other_devices
    from study.records.store import Store
    from study.run.session import Session, Work

    study, console, store = options.load(), console_for(options.action), Store(options.results)
    check_report(study)
    plan = make_settled_plan(study, store, options.choice, options.action == "run")
    print_warnings(store.damaged, console)
    if options.action in ANSWERS:
        return ANSWERS[options.action](plan, store, console, options)
    session = Session(plan, store, console, options.detach)
    if options.action == "plan" or (options.action == "run" and plan.to_run):
        counts = counted(plan, options.action == "run", options.modules, console)
        if options.action == "plan":
            return print_plan(plan, counts, estimate(plan, counts, store), console, options.json)
        from study.run.cost import cost_on_node, run_cost
        from study.run.train import run_job

        claims = partial(register_claims, study, options.report_folder)
        work, expected = (
            Work(claims, run_cost, cost_on_node, run_job),
            estimate(plan, counts, store),
        )
        plan = session.run(work, expected.seconds, options.retry_failed)
        if options.detach:
            return session.say_detached()
    if options.compare:
        from analysis.report.compare import compare_results

        there, roots = outcomes_elsewhere(plan, options.compare), (store.root, options.compare)
        return compare_results(study, session.outcomes(), there, options.gate, console, roots)
    from analysis.report.terminal import report_study

    with sum_at_end(with_other_devices(session.outcomes(), plan, store), console) as outcomes:
        session.keep_study()
        code, damaged = report_study(study, outcomes, console, *options.reporting)
        strike_out(outcomes, damaged, store, console)
    return code or exit_code(outcomes, options.cost_only)


if __name__ == "__main__":
    sys.exit(end_quietly(main))
