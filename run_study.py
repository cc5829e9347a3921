"""Answer a question about video models: python run_study.py ablations/factorization.yaml."""

import contextlib
import signal
import sys

from rich.console import Console

from study.options import Options, parse_options
from study.spec import Study, StudyError, load_study


def main(argv: list[str] | None = None) -> int:
    """Return 0 if all is done, 1 if a cell failed or is missing, 2 for wrong input, 130."""
    with contextlib.suppress(ValueError):  # not in the main thread: its caller's handlers hold
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options = parse_options(argv)
        study = load_study(options.study, options.overrides, options.quick)
        return answer(options.apply(study), options)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except OSError as error:  # a full disk, a folder that is not ours: what is done stays done
        print(f"error: {error}; mend it and run the same command again", file=sys.stderr)
        return 1


def answer(study: Study, options: Options) -> int:
    """Plan, run what is missing, report. What loads torch is imported where it is needed."""
    from analysis.registry import check_report
    from study.display import print_plan, print_sum, print_warnings
    from study.estimate import estimate_times, recorded_counts
    from study.session import Session, Work, exit_code
    from study.standing import ANSWERS, make_settled_plan
    from study.store import Store

    check_report(study)
    console, store = Console(), Store(options.results)
    plan = make_settled_plan(study, store, options.choice, options.action == "run")
    print_warnings(store.damaged, console)
    if options.action in ANSWERS:
        return ANSWERS[options.action](plan, store, console, options.json)
    session = Session(plan, store, console, options.detach)
    if options.action == "plan" or (options.action == "run" and plan.to_run):
        counts = {} if options.modules else recorded_counts(plan)
        if options.action == "run" or len(counts) < len(plan.cost):
            from study.preflight import inspect

            counts = inspect(plan, counts, options.action == "run", options.modules)
        if options.action == "plan":
            print_plan(plan, counts, estimate_times(plan, counts), console, options.json)
            return 0
        from study.cost import cost_on_node, run_cost
        from study.job import run_job

        try:
            work = Work(run_cost, cost_on_node, run_job)
            session.run(work, estimate_times(plan, counts), options.retry_failed)
        except KeyboardInterrupt:
            print_sum(session.outcomes(), console)
            raise
        if options.detach:
            return session.say_detached()

    from analysis.report import write_report
    from analysis.terminal import show_report

    outcomes = session.outcomes()
    report = write_report(study, outcomes, options.report_folder, options.results)
    show_report(report, console)
    print_sum(outcomes, console)
    return exit_code(outcomes)


if __name__ == "__main__":
    sys.exit(main())
