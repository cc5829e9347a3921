"""The choices of tuning in words, for a terminal. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from study.records.record import Outcome
from study.spec.tuning import Score, Tuning, values_of

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
        decision, scores = tune.decide(outcomes), tune.scores(outcomes)
        if decision.chosen is None:
            line = f"no choice for {cell}: {decision.reason}"
        else:
            line = f"chosen for {cell}: {_words(tune, scores[decision.chosen])}"
        diverged = [values_of(score) for score in scores if score.diverged]
        yield f"{line}; diverged: {' and '.join(diverged)}" if diverged else line


def _words(tune: Tuning, score: Score) -> str:
    edges = (f"the {end} {key} that was tried" for key, end in tune.edges(score.tried).items())
    return "; ".join((f"{values_of(score)} ({tune.metric} {score.mean:.1f} %)", *edges))
