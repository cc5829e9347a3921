"""The race of a study's seeds, as far as its outcomes go."""

from analysis.results.results import Results
from study.spec.claims import Claim, Named
from study.spec.race import MISSING, RaceState, Run, Standing, run_of, run_race


def race_of(results: Results) -> RaceState | None:
    """Follow the race again from the outcomes; None where the study has none."""
    if results.study.race is None:
        return None
    runs = {(one.cell, one.seed): run_of(one) for one in results.outcomes if one.kind == "train"}
    cells = {one.cell: Named(one.cell, one.levels) for one in results.outcomes}

    def look(cell: str, seed: int) -> Run:
        return runs.get((cell, seed), MISSING)

    return run_race(results.study, [*cells.values()], look)


def standing_of(race: RaceState | None, claim: Claim) -> Standing | None:
    """A claim after the last round; None without a round, and for a claim that is not raced."""
    rounds = race.rounds if race else ()
    last = rounds[-1] if rounds else ()
    return next((one for one in last if one.question.claim == claim), None)
