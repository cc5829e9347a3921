"""The choices of tuning in words, for a terminal. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from study.record import Outcome
from study.tuning import Score, Tuning

MOST_LINES = 20


def choice_lines(tune: Tuning, tuned: Sequence[Outcome]) -> list[str]:
    """One line a cell: what was chosen, or why nothing was."""
    by_cell: dict[str, list[Outcome]] = {}
    for one in tuned:
        by_cell.setdefault(one.cell, []).append(one)
    lines = list(_lines(tune, by_cell))
    hidden = len(lines) - MOST_LINES
    return lines if hidden <= 0 else [*lines[:MOST_LINES], f"and {hidden:,} more cells"]


def _lines(tune: Tuning, by_cell: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    for cell, outcomes in by_cell.items():
        decision = tune.decide(outcomes)
        if decision.chosen is None:
            yield f"no choice for {cell}: {decision.reason}"
        else:
            yield f"chosen for {cell}: {_words(tune, tune.scores(outcomes)[decision.chosen])}"


def _words(tune: Tuning, score: Score) -> str:
    what = ", ".join(f"{key}={label}" for key, label in score.tried.items())
    edges = (f"the {end} {key} that was tried" for key, end in tune.edges(score.tried).items())
    return "; ".join((f"{what} ({tune.metric} {score.mean:.1f} %)", *edges))
