"""Races: which seeds each cell gets next, from the runs so far (docs/statistics.md). Pure.

A race goes in rounds. Every cell gets the first seeds; then the claims are judged, and the next
seed goes to the cells of undecided ones. What decides are rounds, not the order in which jobs end,
so a race that is killed and run again takes the same decisions from the same records.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from analysis.stats.anytime import anytime_mean_evidence, anytime_win_evidence
from analysis.stats.clumps import Clumps, find_clumps
from analysis.stats.estimates import ALPHA, holm
from analysis.stats.format import interval, plural, signed
from analysis.stats.power import chance_to_decide, chance_to_decide_wins, seeds_to_decide
from analysis.stats.regions import Evidence, Region, joint_p
from study.records.record import Outcome
from study.spec.claims import Claim, Named, Question, questions_of
from study.spec.study import Study

RunState = Literal["done", "lost", "failed", "missing"]
Evidences = Sequence[Evidence | None]  # of the comparisons of a question
State = Literal["open", "decided", "futile", "precise", "blocked"]

FUTILE = 0.2  # least predicted probability that the last seed decides, to go on
LIKELY = 0.5  # the same, of the seeds that a plan expects


class Run(NamedTuple):
    """One training run of a race.

    Attributes:
        state: "done"; "lost": it diverged, and has no value; "failed"; "missing": it has not ended.
        values: Metric -> value, in percent.
        seconds: Time that it took.
    """

    state: RunState
    values: Mapping[str, float]
    seconds: float = 0.0


MISSING = Run("missing", {})


def run_of(outcome: Outcome) -> Run:
    """A training run as a race sees it: accuracies, of the test split where it has one."""
    if outcome.is_done and outcome.record is not None:
        values = {
            one.metric: one.samples[-1]
            for one in outcome.record.measurements
            if one.part is None and one.conditions.get("split") != "train"
        }
        return Run("done", values, outcome.record.seconds)
    if outcome.is_diverged:
        return Run("lost", {}, outcome.record.seconds if outcome.record else 0.0)
    return Run("failed", {}) if outcome.is_failed else MISSING


Look = Callable[[str, int], Run]  # name of a cell and a seed -> its run


@dataclass(frozen=True)
class Standing:
    """A question after a round.

    Attributes:
        question: The question.
        state: "open"; "decided"; "futile": seeds up to the last one are unlikely to decide it;
            "precise": its intervals are as narrow as asked for; "blocked": a run of its cells
            failed.
        evidence: Of each comparison; None without a sample.
        p: Of the whole, corrected over all claims (Holm).
        hangs: Whether runs that get stuck could overturn it.
        chance: Predicted probability that the last seed decides it.
        seeds: Seeds that all its cells have.
        alpha: What p of a comparison has to be below for the next question to be decided.
    """

    question: Question
    state: State
    evidence: tuple[Evidence | None, ...]
    p: float
    hangs: bool
    chance: float
    seeds: int
    alpha: float

    @property
    def is_supported(self) -> bool:
        """True if each effect lies where the claim has it."""
        return all(one is not None and one.is_inside for one in self.evidence)

    @property
    def word(self) -> str:
        """The state for a person: "supported", "undecided", "futile", ..."""
        if self.state == "decided":
            return "supported" if self.is_supported else "contradicted"
        if self.state == "open":
            return "undecided, as runs got stuck" if self.hangs else "undecided"
        if self.state == "futile":
            bound = "" if self.bound is None else f"; at most {self.bound:.1f} points"
            return f"futile (the last seed would decide it with {100 * self.chance:.0f} %){bound}"
        return "as precise as asked for" if self.state == "precise" else "blocked by a failed run"

    @property
    def effect(self) -> str:
        """The effect for a person, with its interval."""
        if len(self.evidence) > 1:
            return f"{len(self.evidence)} comparisons"
        (one,) = self.evidence
        if one is None:
            return "no effect yet"
        if self.question.claim.is_wins:
            return f"{round(one.value * one.n)} of {plural(one.n, 'run')} won"
        return interval(one, 1, signed) + " points"

    @property
    def bound(self) -> float | None:
        """The largest effect, in either direction, that the intervals hold; None without them."""
        ends = [end for one in self.evidence if one for end in (one.low, one.high)]
        known = [abs(end) for end in ends if end is not None]
        return max(known) if ends and len(known) == len(ends) else None


@dataclass(frozen=True)
class RaceState:
    """A race as far as its runs have ended.

    Attributes:
        counts: Cell -> seeds that it gets in the rounds so far.
        rounds: The questions after each round that has ended.
        is_waiting: A run of the present round has not ended.
        is_spent: It ended since `budget_hours` is spent.
        expected: Cell -> seeds that it is likely to get in the end.
        hours: Training time of its runs.
    """

    counts: Mapping[str, int]
    rounds: tuple[tuple[Standing, ...], ...]
    is_waiting: bool
    is_spent: bool
    expected: Mapping[str, int]
    hours: float


def run_race(study: Study, cells: Sequence[Named], look: Look) -> RaceState:
    """Follow a race from its first round to the first one that has not ended, or to its end.

    Args:
        study: A study with a race.
        cells: All of its cells.
        look: Gives the run of a cell and seed; asked for the seeds of rounds alone.
    """
    race = study.race
    assert race is not None
    questions = questions_of(study.claims, study.baseline, cells)
    counts = dict.fromkeys((cell.name for cell in cells), race.start)
    rounds: list[tuple[Standing, ...]] = []
    settled: dict[int, State] = {}  # number of a question -> why it gets no more seeds
    runs: dict[str, list[Run]] = {cell.name: [] for cell in cells}
    while True:
        for name, known in runs.items():
            known += [look(name, seed) for seed in range(len(known), counts[name])]
        states = {name: {run.state for run in known} for name, known in runs.items()}
        hours = sum(run.seconds for known in runs.values() for run in known) / 3600
        if any("missing" in found for found in states.values()):
            return _state(study, counts, rounds, hours, is_waiting=True)
        blocked = {name for name, found in states.items() if "failed" in found}
        standings = _judge(study, questions, runs, settled, blocked)
        rounds.append(standings)
        settled |= {at: one.state for at, one in enumerate(standings) if one.state != "open"}
        going_on = [one for one in standings if one.state == "open" and one.seeds < race.end]
        is_spent = race.budget_hours is not None and hours >= race.budget_hours
        if not going_on or is_spent:
            is_spent = is_spent and bool(going_on)
            return _state(study, counts, rounds, hours, is_spent=is_spent)
        if race.budget_hours is not None:
            going_on = [max(going_on, key=lambda one: _growth(one, runs))]
        pairs = [pair for one in going_on for pair in _undecided_pairs(study, one)]
        for named in [[cell for cell in pair if cell is not None] for pair in pairs]:
            wanted = min(len(runs[cell]) for cell in named) + 1
            counts |= {cell: max(counts[cell], wanted) for cell in named}


def accuracy_evidence(claim: Claim, samples: Sequence[float]) -> Evidence:
    """Evidence of a claim about an accuracy: of the mean effect, or of the share of wins.

    Raises:
        ValueError: If there is no sample.
    """
    return _evidence_of(claim.is_wins, claim.region, claim.possible, tuple(samples))


@lru_cache(maxsize=1 << 16)  # a race judges every question in every round, also those that rest
def _evidence_of(
    is_wins: bool, region: Region, possible: Region, samples: tuple[float, ...]
) -> Evidence:
    if is_wins:
        return anytime_win_evidence(samples)
    return anytime_mean_evidence(samples, region, within=possible)


def hangs_on_clumps(
    claim: Claim, evidence: Evidence, cells: Sequence[str | None], clumps: Clumps | None
) -> bool:
    """True if training runs that get stuck could move a mean effect over the claim's border.

    Wins do not hang on them: how far behind a run is does not count.
    """
    if clumps is None or claim.is_wins or evidence.n == 0:
        return False
    low, high = claim.region
    borders = [edge for edge in (low, high) if math.isfinite(edge)]
    distance = min(abs(evidence.value - edge) for edge in borders)
    return distance < clumps.shift(cells, evidence.n) * max(1.0, claim.factor if claim.right else 1)


def _judge(
    study: Study,
    questions: Sequence[Question],
    runs: Mapping[str, Sequence[Run]],
    settled: Mapping[int, State],
    blocked: set[str],
) -> tuple[Standing, ...]:
    assert study.race is not None
    found = [_evidence(question, runs) for question in questions]
    raced = set().union(*(question.cells for question in questions))
    own = {name: known for name, known in runs.items() if name in raced}
    clumps = {metric: _clumps(metric, own) for metric in {one.claim.metric for one in questions}}
    hangs = [
        _hangs(question, evidence, clumps[question.claim.metric])
        for question, (evidence, _) in zip(questions, found, strict=True)
    ]
    raw = [
        1.0 if hang or (p := joint_p(evidence)) is None else p
        for hang, (evidence, _) in zip(hangs, found, strict=True)
    ]
    # Claims about timings are not raced, and may all end undecided.
    others = sum(claim.kind == "timing" for claim in study.claims)
    corrected = holm([*raw, *[1.0] * others])[: len(raw)]
    undecided = [at for at, p in enumerate(corrected) if p >= ALPHA]
    alpha = ALPHA / max(1, len(undecided))
    standings = []
    for at, (question, p) in enumerate(zip(questions, corrected, strict=True)):
        evidence, samples = found[at]
        chance = 1.0 if p < ALPHA else _chance(question, evidence, samples, study.race.end, alpha)
        is_blocked = not blocked.isdisjoint(question.cells)
        state = settled.get(at) or _state_of(study, evidence, p, chance, hangs[at], is_blocked)
        seeds = min(len(runs[cell]) for cell in question.cells)
        standings.append(Standing(question, state, evidence, p, hangs[at], chance, seeds, alpha))
    return tuple(standings)


def _hangs(question: Question, evidence: Evidences, clumps: Clumps | None) -> bool:
    pairs = zip(evidence, question.pairs, strict=True)
    return any(one and hangs_on_clumps(question.claim, one, pair, clumps) for one, pair in pairs)


def _state_of(
    study: Study,
    evidence: Evidences,
    p: float,
    chance: float,
    hangs: bool,
    is_blocked: bool,
) -> State:
    assert study.race is not None
    if is_blocked:
        return "blocked"
    if study.race.until != "claims":
        widest = max((one.width if one else math.inf) for one in evidence)
        return "precise" if widest <= 2 * study.race.until.half_width else "open"
    if p < ALPHA:
        return "decided"
    return "futile" if chance < FUTILE and not hangs else "open"


def _evidence(
    question: Question, runs: Mapping[str, Sequence[Run]]
) -> tuple[tuple[Evidence | None, ...], list[list[float]]]:
    """Evidence and samples of each comparison."""
    claim = question.claim
    samples = []
    for left, right in question.pairs:
        ours = _values(runs[left], claim.metric)
        theirs = None if right is None else _values(runs[right], claim.metric)
        samples.append(claim.effects(ours, theirs, range(len(runs[left]))))
    evidence = tuple(accuracy_evidence(claim, x) if x else None for x in samples)
    return evidence, samples


def _values(runs: Sequence[Run], metric: str) -> dict[int, float]:
    return {seed: run.values[metric] for seed, run in enumerate(runs) if metric in run.values}


def _clumps(metric: str, runs: Mapping[str, Sequence[Run]]) -> Clumps | None:
    return find_clumps({name: [*_values(known, metric).values()] for name, known in runs.items()})


def _chance(
    question: Question,
    evidence: Evidences,
    samples: Sequence[Sequence[float]],
    total: int,
    alpha: float,
) -> float:
    """Predicted probability that `total` seeds decide; 1 where there is no spread yet."""
    chances, is_against = [], False
    for one, x in zip(evidence, samples, strict=True):
        if one is None or one.n < 2 or (one.p is None and not question.claim.is_wins):
            return 1.0
        if question.claim.is_wins:
            chance = chance_to_decide_wins(x, total, alpha)
        else:
            chance = chance_to_decide(x, question.claim.region, total, alpha)
        chances.append(chance)
        is_against |= not one.is_inside
    # All comparisons have to hold; one that does not is enough to contradict.
    return max(chances) if is_against else min(chances)


def _undecided_pairs(study: Study, one: Standing) -> list[tuple[str, str | None]]:
    """Comparisons of an open question that more seeds could change; all where none is clear."""
    pairs = one.question.pairs
    if study.race is None or study.race.until != "claims" or one.hangs:
        return list(pairs)
    open_pairs = [
        pair
        for pair, evidence in zip(pairs, one.evidence, strict=True)
        if evidence is None or evidence.p is None or evidence.p >= one.alpha
    ]
    return open_pairs or list(pairs)


def _growth(one: Standing, runs: Mapping[str, Sequence[Run]]) -> float:
    """Expected growth of the log evidence by the next seed, an hour of training."""
    seconds = sum(
        sum(run.seconds for run in runs[cell]) / len(runs[cell]) for cell in one.question.cells
    )
    strength = min((e.strength or 0.0) if e else 0.0 for e in one.evidence)
    return 0.5 * math.log1p(strength**2) / max(seconds / 3600, 1e-9)


def _state(
    study: Study,
    counts: Mapping[str, int],
    rounds: Sequence[tuple[Standing, ...]],
    hours: float,
    is_waiting: bool = False,
    is_spent: bool = False,
) -> RaceState:
    expected = dict(counts)
    if is_waiting and rounds:
        for one in rounds[-1]:
            if one.state == "open":
                seeds = _expected_seeds(study, one)
                for cell in one.question.cells:
                    expected[cell] = max(expected[cell], seeds)
    return RaceState(dict(counts), tuple(rounds), is_waiting, is_spent, expected, hours)


def _expected_seeds(study: Study, one: Standing) -> int:
    """Seeds at which a mean so far from its border, with this spread, is decided."""
    assert study.race is not None
    strengths = [e.strength for e in one.evidence if e is not None and e.strength is not None]
    if not strengths or one.question.claim.is_wins:
        return study.race.end
    seeds = seeds_to_decide(min(strengths), ALPHA, LIKELY)
    return min(study.race.end, max(one.seeds + 1, seeds or study.race.end))


def race_lines(state: RaceState) -> list[str]:
    """The last round for a person: a line a question that it was open in, and what follows."""
    if not state.rounds:
        return []
    last = state.rounds[-1]
    before = state.rounds[-2] if len(state.rounds) > 1 else None
    lines = [
        f"  {one.question.claim.text}: {one.effect} after {plural(one.seeds, 'seed')}: {one.word}"
        for at, one in enumerate(last)
        if before is None or before[at].state == "open"
    ]
    runs, number = sum(state.counts.values()), len(state.rounds)
    if state.is_waiting:
        going_on = sum(one.state == "open" for one in last)
        end = f"{plural(going_on, 'question')} of {len(last)} open, so {runs} training runs in all"
    elif state.is_spent:
        end = f"budget_hours is spent: {state.hours:.2g} hours of training"
    else:
        end = f"the race has ended, with {runs} training runs"
    return [f"round {number} of the race: {end}", *lines]
