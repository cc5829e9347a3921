"""Seeds in `--plan` and `--status`: how a race stands, and what the planned seeds can show."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.stats.estimates import ALPHA
from analysis.stats.format import fixed, plural
from analysis.stats.power import POWER, visible_effect
from study.plan.jobs import Plan
from study.spec.claims import Named, Question, questions_of
from study.spec.race import accuracy_evidence, race_lines, run_of

MOST_LINES = 12


def seed_lines(plan: Plan) -> list[str]:
    """State of the race, and the smallest effects that the seeds can show; [] without training."""
    if not plan.study.seeds:
        return []
    lines = [*_race_lines(plan), *_visible_lines(plan)]
    hidden = len(lines) - MOST_LINES
    return lines if hidden <= 0 else [*lines[:MOST_LINES], f"and {hidden} more lines"]


def race_values(plan: Plan) -> dict[str, Any]:
    """The race as JSON values; empty without one."""
    if plan.race is None:
        return {}
    last = plan.race.rounds[-1] if plan.race.rounds else ()
    least, most = limits(plan)
    return {
        "race": {
            "rounds": len(plan.race.rounds),
            "is_over": not plan.race.is_waiting,
            "runs_planned": least,
            "runs_most": most,
            "runs_expected": sum(plan.race.expected.values()) if last else None,
            "hours": round(plan.race.hours, 4),
            "seeds": dict(plan.race.counts),
            "questions": [
                {
                    "claim": one.question.claim.text,
                    "state": one.state,
                    "word": one.word,
                    "seeds": one.seeds,
                    "p": one.p,
                    "chance": one.chance,
                    "effects": [None if e is None else e._asdict() for e in one.evidence],
                }
                for one in last
            ],
        }
    }


def limits(plan: Plan) -> tuple[int, int]:
    """Training runs of the rounds so far, and those that a race takes at most."""
    race = plan.race
    assert race is not None
    assert plan.study.race is not None
    least = sum(race.counts.values())
    if not race.is_waiting:
        return least, least
    open_cells: set[str] = set()
    if race.rounds:
        for one in race.rounds[-1]:
            open_cells |= one.question.cells if one.state == "open" else set()
    else:
        for question in _questions(plan):
            open_cells |= question.cells
    end = plan.study.race.end
    return least, sum(end if name in open_cells else n for name, n in race.counts.items())


def _questions(plan: Plan) -> Sequence[Question]:
    cells = [Named(job.cell.name, job.cell.levels) for job in plan.cost]
    return questions_of(plan.study.claims, plan.study.baseline, cells)


def _race_lines(plan: Plan) -> list[str]:
    if plan.race is None:
        return []
    least, most = limits(plan)
    if not plan.race.is_waiting:
        return race_lines(plan.race)
    line = f"race: at least {least} training runs and at most {most}"
    if plan.race.rounds:
        line += f", about {sum(plan.race.expected.values())} if effects and spreads are as seen"
    else:
        line += "; how many are likely is known after the first round"
    return [line, *race_lines(plan.race)]


def _visible_lines(plan: Plan) -> list[str]:
    """The smallest effect of each claim that the last seed would show, by the spread of records."""
    study, questions = plan.study, _questions(plan)
    if not questions or (not study.claims and study.race is None):
        return []
    seeds, alpha = len(study.seeds), ALPHA / len(questions)
    visible = float(visible_effect(seeds, alpha))
    if math.isinf(visible):
        enough = next(n for n in range(seeds, 1000) if visible_effect(n, alpha) < math.inf)
        return [
            f"{plural(seeds, 'seed')} cannot decide a claim about an accuracy: with "
            f"{plural(len(questions), 'claim')} at least {enough} can, or a race "
            f"(seeds: {{from: {enough}, to: 20}})"
        ]
    values: dict[str, dict[int, Mapping[str, float]]] = {}
    for job in plan.train:
        if job.seed is not None and job.is_reused:
            values.setdefault(job.cell.name, {})[job.seed] = run_of(job.outcome()).values
    lines = []
    for question in questions:
        claim, spreads = question.claim, []
        for left, right in question.pairs:
            ours, theirs = (
                None
                if name is None
                else {
                    seed: known[claim.metric]
                    for seed, known in values.get(name, {}).items()
                    if claim.metric in known
                }
                for name in (left, right)
            )
            samples = claim.effects(ours or {}, theirs, study.seeds)
            found = accuracy_evidence(claim, samples) if samples and not claim.is_wins else None
            if found is not None and found.strength:
                distance = min(abs(found.value - edge) for edge in claim.region)
                spreads.append(distance / found.strength)
        if spreads:
            least = fixed(visible * max(spreads), 1)
            lines.append(
                f"{plural(seeds, 'seed')} decide {claim.text} where it is off by {least} points or "
                f"more ({100 * POWER:g} % power, spread of its records)"
            )
    return lines
