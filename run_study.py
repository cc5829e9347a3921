"""Answer a question about video models: python run_study.py ablations/factorization.yaml."""

import contextlib
import signal
import sys
from pathlib import Path

from rich.console import Console

from study.options import Options, parse_options
from study.spec import Study, StudyError, load_study


def main(argv: list[str] | None = None) -> int:
    """Return 0 if all cells are done, 1 if one failed or is missing, 2 for wrong input, 130."""
    with contextlib.suppress(ValueError):  # not in the main thread: the caller's signals hold
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


def answer(study: Study, options: Options) -> int:
    """Plan, run what is missing, report. What needs torch is imported where it is needed."""
    from study.display import print_plan, print_reasons, print_status
    from study.environment import resolve_device
    from study.grid import expand
    from study.plan import make_plan
    from study.session import Session, exit_code, sum_up
    from study.store import Store

    console = Console(soft_wrap=False)
    store = Store(options.results)
    plan = make_plan(study, expand(study), store, resolve_device(study.run.device), options.choice)
    for line in store.damaged:
        console.print(f"warning: {line}", style="yellow", markup=False, soft_wrap=True)
    if options.action == "status":
        print_status(plan.outcomes(), console, options.json)
        return exit_code(plan.outcomes())
    session = Session(plan, store, console)
    if options.action == "plan" or (options.action == "run" and plan.to_run):
        from study.cost import run_cost
        from study.job import run_job
        from study.preflight import check_inputs, count_cells, estimate_times

        counts = count_cells(study, [job.cell for job in plan.cost])
        check_inputs(plan)
        estimates = estimate_times(plan, counts)
        if options.action == "plan":
            print_plan(plan, counts, estimates, console, options.json)
            return 0
        try:
            session.run_cost(run_cost)
            session.run_training(run_job, estimates)
        except KeyboardInterrupt:
            session.interrupted = True
            print_reasons(session.outcomes(), console)
            console.print(sum_up(session.outcomes()))
            raise
    outcomes = session.outcomes()
    folder = options.results / report_folder(options.study)
    from analysis.report import write_report
    from analysis.terminal import show

    report = write_report(study, outcomes, folder, options.results)
    show(report, console)
    print_reasons(outcomes, console)
    console.print(sum_up(outcomes))
    return exit_code(outcomes)


def report_folder(study: Path) -> Path:
    """`ablations/a/b.yaml` -> `a/b`; a file elsewhere goes by its name."""
    parts = study.with_suffix("").parts
    if "ablations" in parts:
        return Path(*parts[len(parts) - parts[::-1].index("ablations") :])
    return Path(study.stem)


if __name__ == "__main__":
    sys.exit(main())
