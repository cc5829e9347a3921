"""`--resolve OUT.yaml`: a study with the values that its `match` chooses, written as levels."""

from pathlib import Path

from study.cli.console import console_for
from study.cli.options import Arguments, Options
from study.spec.study import StudyError


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--resolve`."""
    actions.add_argument(
        "--resolve",
        type=Path,
        metavar="OUT.yaml",
        help="choose the values that match asks for, by counting or timing, and write the study "
        "with them as levels",
    )


def execute(options: Options) -> int:
    """Write the file and print what was chosen; the exit code."""
    from analysis.stats.estimates import median_ratio
    from study.match.resolve import resolve_study

    if options.overrides or options.quick:
        option = "--set" if options.overrides else "--quick"
        raise StudyError(f"{option}: does not go with --resolve, which writes the study as it is")
    study, out, console = options.load(), options.resolve, console_for(options.action)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    for name, choice in resolve_study(study, out, median_ratio, say).items():
        say(f"{name}: {choice.value}, {choice.comment}")
    say(f"wrote {out}; run it with: python run_study.py {out}")
    return 0
