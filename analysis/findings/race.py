"""The race of a study's seeds, as far as its outcomes go."""

from analysis.results.results import Results
from study.spec.race import RaceState, Standing, look_among, named_cells, run_race
from study.spec.study import Claim


def race_of(results: Results) -> RaceState | None:
    """Follow the race again from the outcomes; None where the study has none."""
    if results.study.race is None:
        return None
    return run_race(results.study, named_cells(results.outcomes), look_among(results.outcomes))


def standing_of(race: RaceState | None, claim: Claim) -> Standing | None:
    """A claim after the last round; None without a round, and for a claim that is not raced."""
    rounds = race.rounds if race else ()
    last = rounds[-1] if rounds else ()
    return next((one for one in last if one.question.claim == claim), None)
