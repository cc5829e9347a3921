"""Claims against the numbers: supported, contradicted or undecided, and what would decide.

Evidence stays valid however often seeds are added and the claims judged again (analysis/stats/
anytime.py), and Holm's correction over all claims of the study, withdrawn ones included, keeps the
probability of any wrong verdict below 5 % (docs/statistics.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from analysis.findings.claims import Comparison, compare
from analysis.results.ledger import Entry, digest_of
from analysis.results.provenance import unique_records
from analysis.results.results import SAME_MODEL, Results
from analysis.stats.estimates import ALPHA, holm
from analysis.stats.format import plural
from analysis.stats.regions import joint_p
from study.records.record import Outcome, Record
from study.spec.study import Claim

Word = Literal["supported", "contradicted", "undecided"]

NOISY = ("accuracy", "timing")


@dataclass(frozen=True)
class Verdict:
    """Verdict on a claim.

    Attributes:
        claim: The claim.
        word: The verdict.
        comparisons: One a pair of cells; the claim holds if it holds in each.
        p: Of the claim as a whole, not corrected; None where nothing was tested.
        p_holm: Corrected over all claims.
        reason: Why it is undecided where nothing was tested.
        entry: When it was written; None if it is not registered.
        known: Records of the study that had ended when it was written.
        known_own: As many of its own cells.
    """

    claim: Claim
    word: Word
    comparisons: tuple[Comparison, ...]
    p: float | None
    p_holm: float | None
    reason: str
    entry: Entry | None
    known: int
    known_own: int


@dataclass(frozen=True)
class Judgement:
    """All verdicts of a study, as of one look.

    Attributes:
        verdicts: In the study file's order.
        look: 1 for the first look at any data.
        family: Claims that Holm's correction counts.
        withdrawn: Claims that the study file once had.
        data: Names what was looked at; "" if nothing was tested.
        first_record: When the first record of the study was finished; None before.
    """

    verdicts: tuple[Verdict, ...]
    look: int
    family: int
    withdrawn: tuple[Entry, ...]
    data: str
    first_record: datetime | None

    @property
    def next_alpha(self) -> float:
        """Threshold of the next claim's p, before Holm's correction."""
        decided = sum(one.word != "undecided" and one.p is not None for one in self.verdicts)
        return ALPHA / max(1, self.family - decided)

    @property
    def is_contradicted(self) -> bool:
        """True if the data contradict any claim."""
        return any(verdict.word == "contradicted" for verdict in self.verdicts)


def judge(results: Results) -> Judgement:
    """Judge every claim of the study by what there is."""
    claims = results.study.claims
    compared = {claim.canonical: compare(results, claim) for claim in claims}
    waiting = {claim.canonical: _waits_for(results, claim) for claim in claims}
    raw = {
        claim.canonical: _p_of([c for c in compared[claim.canonical] if not c.is_same])
        for claim in claims
        if claim.kind in NOISY and not waiting[claim.canonical]
    }
    tested = {name: p for name, p in raw.items() if p is not None}
    withdrawn = results.ledger.withdrawn(claims)
    judged_once = sum(results.ledger.was_judged(entry.claim) for entry in withdrawn)
    # A claim that was judged and then taken out of the file still counts as a try.
    corrected = holm([*tested.values(), *[1.0] * judged_once])
    p_holm = dict(zip(tested, corrected, strict=False))
    data = digest_of({n: [c.samples for c in compared[n]] for n in tested}) if tested else ""
    look = results.ledger.number_of(data) if data else len(results.ledger.looks) + 1
    ends = sorted(map(_end, unique_records(results)))
    verdicts = []
    for claim in claims:
        name = claim.canonical
        word, reason = _verdict(claim, compared[name], p_holm.get(name), waiting[name])
        known, known_own = _known(results, claim)
        verdicts.append(
            Verdict(
                claim, word, compared[name], tested.get(name), p_holm.get(name), reason,
                results.ledger.entry(claim), known, known_own,
            )
        )  # fmt: skip
    family = len(tested) + judged_once
    first = ends[0] if ends else None
    return Judgement(tuple(verdicts), look, family, tuple(withdrawn), data, first)


def verdict_words(judgement: Judgement) -> dict[str, tuple[str, str]]:
    """Entry of the ledger: canonical claim -> verdict, number of samples."""
    return {
        one.claim.canonical: (one.word, samples_in_words(one))
        for one in judgement.verdicts
        if one.p is not None
    }


def samples_in_words(verdict: Verdict) -> str:
    """Text such as "5 seeds", "20 rounds"; the smallest number of all comparisons."""
    found = [one.evidence.n for one in verdict.comparisons if one.evidence and not one.is_same]
    if not found or verdict.claim.kind == "count":
        return ""
    return plural(min(found), "seed" if verdict.claim.kind == "accuracy" else "round")


def _p_of(comparisons: Sequence[Comparison]) -> float | None:
    """The p of the claim as a whole; 1 where stuck runs could overturn it."""
    if any(one.hangs for one in comparisons):
        return 1.0
    return joint_p([one.evidence for one in comparisons])


def _verdict(
    claim: Claim,
    comparisons: Sequence[Comparison],
    p: float | None,
    waiting: str,
) -> tuple[Word, str]:
    found = [one.evidence for one in comparisons if one.evidence]
    if claim.kind == "count":
        if any(not one.is_inside for one in found):
            return "contradicted", ""
        if len(found) == len(comparisons) and found:
            return "supported", ""
        return "undecided", "not counted yet"
    if waiting:
        return "undecided", waiting
    same = [one.evidence for one in comparisons if one.is_same and one.evidence]
    if any(not evidence.is_inside for evidence in same):
        return "contradicted", SAME_MODEL
    if same and len(same) == len(comparisons):
        return "supported", SAME_MODEL
    if p is None:
        return "undecided", _why_untested(claim, comparisons)
    if p >= ALPHA:
        return "undecided", next((one.reason for one in comparisons if one.hangs), "")
    return ("supported" if all(one.is_inside for one in found) else "contradicted"), ""


def _why_untested(claim: Claim, comparisons: Sequence[Comparison]) -> str:
    reasons = [one.reason for one in comparisons if not one.evidence]
    if reasons or not comparisons:
        return reasons[0] if reasons else "no cell"
    fewest = min(one.evidence.n for one in comparisons if one.evidence)
    if claim.kind == "accuracy":
        return "one seed: no interval" if fewest < 2 else "equal in all seeds: no spread"
    return "one sample: no interval" if fewest < 2 else f"{fewest} rounds: no interval"


def _own_jobs(results: Results, claim: Claim) -> Iterator[Outcome]:
    kind = "train" if claim.kind == "accuracy" else "cost"
    sides = [side for side in (claim.left, claim.right) if side is not None]
    for outcome in results.outcomes:
        if outcome.kind == kind and any(side.covers(outcome.levels) for side in sides):
            yield outcome


def _waits_for(results: Results, claim: Claim) -> str:
    """Jobs of its cells that have not ended: a half-run study is not looked at in between."""
    jobs = list(_own_jobs(results, claim))
    missing = sum(job.status in ("not run", "skipped") for job in jobs)
    return f"waits for {missing} of {len(jobs)} jobs" if missing else ""


def _known(results: Results, claim: Claim) -> tuple[int, int]:
    """Records of the study, and of the claim's own cells, that had ended when it was written."""
    entry = results.ledger.entry(claim)
    if entry is None:
        return 0, 0
    written = datetime.fromisoformat(entry.written)
    own = {id(one.record): one.record for one in _own_jobs(results, claim) if one.record}
    every = unique_records(results)
    return (
        sum(_end(record) <= written for record in every),
        sum(_end(record) <= written for record in own.values()),
    )


def _end(record: Record) -> datetime:
    return datetime.fromisoformat(record.started) + timedelta(seconds=record.seconds)
