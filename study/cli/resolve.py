"""`--resolve OUT.yaml`: write a study with the values that its `match` chooses as levels."""

from rich.console import Console

from study.cli.options import Options
from study.match.resolve import RatioOf, resolve_study
from study.spec.study import StudyError


def resolve(options: Options, ratio_of: RatioOf, console: Console) -> int:
    """Write the file and print what was chosen; 0.

    Raises:
        StudyError: If the file exists, or a value cannot be chosen.
    """
    assert options.resolve is not None  # it is the action
    if options.overrides or options.quick:
        option = "--set" if options.overrides else "--quick"
        raise StudyError(f"{option}: does not go with --resolve, which writes the study as it is")
    study = options.load()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    for name, choice in resolve_study(study, options.resolve, ratio_of, say).items():
        say(f"{name}: {choice.value}, {choice.comment}")
    say(f"wrote {options.resolve}; run it with: python run_study.py {options.resolve}")
    return 0
