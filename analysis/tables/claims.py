"""Claims of a study, and the verdict on each."""

import math

from analysis.findings.claims import Comparison
from analysis.findings.race import race_of, standing_of
from analysis.findings.verdicts import Judgement, Verdict, judge, samples_in_words
from analysis.results.results import SAME_MODEL, Results
from analysis.stats.anytime import anytime_win_evidence
from analysis.stats.estimates import ALPHA
from analysis.stats.format import NONE, interval, plural, signed
from analysis.stats.power import (
    MOST_ROUNDS,
    MOST_SEEDS,
    POWER,
    rounds_to_decide,
    seeds_to_decide,
)
from analysis.stats.regions import Evidence
from analysis.tables.notes import p_words, timing_words
from analysis.tables.table import Entry, Row, Table
from study.spec.race import Standing
from study.spec.study import Claim

HEADER = (
    "claim", "verdict", "effect [95 % interval]", "p (Holm)", "from", "wins",
    "what would decide it", "written",
)  # fmt: skip
INDENT = "\N{EN QUAD}\N{EN QUAD}"
UNITS = {"latency": " ms", "throughput": " clips/s", "peak_memory": " MiB"}
AFTER = "after the first result"


def claims_table(results: Results) -> Table | None:
    """One row a claim, and one a comparison below those that make several; None without claims."""
    if not results.study.claims:
        return None
    judgement, race = judge(results), race_of(results)
    rows = []
    for verdict in judgement.verdicts:
        rows += _rows(results, verdict, judgement, standing_of(race, verdict.claim))
    return Table.of(
        "claims",
        HEADER,
        rows,
        "Claims of the study file, judged. Effects: of an accuracy the left side less the right, "
        "in points, over seeds [confidence sequence]; of a timing the left over the right, median "
        "over rounds [between order statistics]; of a count the left over the right, exactly. "
        "Wins: seeds in which the effect is on the claim's side, with the p, not corrected, of "
        "winning in half of all training runs.",
        _remarks(results, judgement),
        align="llrrrrll",
    )


def deciding_words(verdict: Verdict, judgement: Judgement, standing: Standing | None = None) -> str:
    """Number of samples that would decide an undecided claim, if the estimate is the truth."""
    if verdict.word != "undecided" or verdict.reason:
        return verdict.reason
    if standing is not None and standing.state == "futile":
        return standing.word
    is_accuracy = verdict.claim.kind == "accuracy"
    evidence = [one.evidence for one in verdict.comparisons if one.evidence and not one.is_same]
    against = [one for one in evidence if not one.is_inside]
    needs = [_needed(verdict.claim, one, judgement) for one in against or evidence]
    most, unit = (MOST_SEEDS, "seeds") if is_accuracy else (MOST_ROUNDS, "rounds")
    known = [need for need in needs if need is not None]
    if not known or (not against and len(known) < len(needs)):
        return f"more than {most:,} {unit}".replace(",", " ")
    need = min(known) if against else max(known)
    have = min(one.n for one in evidence)
    side = "contradicted" if against else "supported"
    more = f" ({need - have} more)" if need > have else ""
    return f"about {need} {unit}{more}: {side}"


def _wins(claim: Claim, single: Comparison | None) -> str:
    """Text such as "8 of 8 (p 0.035)", for an accuracy with one border."""
    borders = [edge for edge in claim.region if math.isfinite(edge)]
    if claim.kind != "accuracy" or single is None or not single.samples or len(borders) > 1:
        return NONE
    sign = 1 if math.isinf(claim.region[1]) else -1
    effects = [sign * (value - borders[0]) for value in single.samples]
    won = sum(value > 0 for value in effects)
    p = anytime_win_evidence(effects).p
    return f"{won} of {len(effects)}" + ("" if p is None else f" (p {p_words(p)})")


def effect_words(claim: Claim, evidence: Evidence) -> str:
    """Text such as "+3.1 [+1.2, +5.0] points", "0.53 [0.52, 0.54] times"."""
    if claim.is_wins:
        return f"{round(evidence.value * evidence.n)} of {plural(evidence.n, 'run')} won"
    if claim.kind == "accuracy":
        return interval(evidence, 1, signed) + " points"
    if claim.right is not None:
        # As many digits as tell the effect from the number that it is compared with.
        digits = 2 if abs(evidence.value - claim.factor) >= 0.005 else 4
        return interval(evidence, digits) + " times"
    return timing_words(evidence) + UNITS.get(claim.metric, "")


def _needed(claim: Claim, evidence: Evidence, judgement: Judgement) -> int | None:
    """Seeds, or rounds of a timing, that would decide a comparison."""
    # Two edges to stay clear of: both are, with 80 % in all, if each is with 90 %.
    power = (1 + POWER) / 2 if claim.operator == "==" and evidence.is_inside else POWER
    if claim.kind == "accuracy":
        return seeds_to_decide(evidence.strength or 0.0, judgement.next_alpha, power)
    return rounds_to_decide(evidence.strength or 0.5, judgement.next_alpha, power)


def _rows(
    results: Results, verdict: Verdict, judgement: Judgement, standing: Standing | None
) -> list[Row]:
    single = verdict.comparisons[0] if len(verdict.comparisons) == 1 else None
    effect = f"in each of {len(verdict.comparisons)}"
    if not verdict.comparisons:
        effect = NONE
    elif single:
        effect = _effect(verdict.claim, single)
    samples = samples_in_words(verdict) or ("exact" if verdict.word != "undecided" else NONE)
    first = (
        Entry(verdict.claim.text, notes=_notes(verdict)),
        Entry(verdict.word, "best" if verdict.word != "undecided" else ""),
        effect,
        p_words(verdict.p_holm),
        samples,
        _wins(verdict.claim, single),
        deciding_words(verdict, judgement, standing) or NONE,
        AFTER if verdict.known else "before the first result",
    )
    below = [] if single else [_below(results, verdict.claim, one) for one in verdict.comparisons]
    return [first, *below]


def _below(results: Results, claim: Claim, one: Comparison) -> Row:
    side = ""
    if one.evidence:
        side = f"{INDENT}on its side" if one.evidence.is_inside else f"{INDENT}on the other side"
    named = claim.left.levels
    free = {name: label for name, label in one.left.levels.items() if name not in named}
    place = results.name(free) if free else one.left.label
    return (INDENT + place, side, _effect(claim, one), *[""] * 5)


def _effect(claim: Claim, one: Comparison) -> str:
    if one.is_same:
        return SAME_MODEL
    return effect_words(claim, one.evidence) if one.evidence else one.reason


def _notes(verdict: Verdict) -> tuple[str, ...]:
    if not verdict.known or verdict.entry is None:
        return ()
    own = f"{verdict.known_own} of them of the cells that it names"
    return (
        f"written {AFTER}: on {verdict.entry.written[:10]}, when {plural(verdict.known, 'record')} "
        f"of the study {'was' if verdict.known == 1 else 'were'} there, {own}",
    )


def _remarks(results: Results, judgement: Judgement) -> tuple[str, ...]:
    remarks = [_threshold_words(judgement)] if judgement.data else []
    remarks += _seen_before(results, judgement)
    entries = [one.entry for one in judgement.verdicts if one.entry]
    if entries:
        dates = sorted({entry.written for entry in entries})
        digests = ", ".join(dict.fromkeys(entry.digest[:12] for entry in entries))
        when = dates[0] if len(dates) == 1 else f"between {dates[0]} and {dates[-1]}"
        first = judgement.first_record
        result = (
            "no result yet"
            if first is None
            else f"first result {first.isoformat(timespec='seconds')}"
        )
        remarks.append(f"Claims registered {when}, study file sha256 {digests}; {result}.")
    for entry in judgement.withdrawn:
        judged = results.ledger.was_judged(entry.claim)
        counted = "; it was judged and counts in the correction" if judged else ", never judged"
        remarks.append(f"Withdrawn: {entry.text} (written {entry.written[:10]}){counted}.")
    return tuple(remarks)


def _threshold_words(judgement: Judgement) -> str:
    return (
        f"A claim is decided if p, corrected over {plural(judgement.family, 'claim')} (Holm), is "
        f"below {100 * ALPHA:g} %. p and intervals of accuracies stay valid however often seeds "
        "are added and the claims judged again (confidence sequences). What would decide is at "
        f"{100 * POWER:g} % power, if the seen effect and spread are the true ones."
    )


def _seen_before(results: Results, judgement: Judgement) -> list[str]:
    texts = {entry.claim: entry.text for entry in reversed(results.ledger.entries)}
    told = []
    for number, look in enumerate(results.ledger.looks, 1):
        if look.data != judgement.data:
            words = [
                f"{texts.get(claim, claim)}: {word} ({samples})"
                for claim, (word, samples) in look.verdicts.items()
            ]
            told.append(f"Look {number}, {look.date[:10]}: {'; '.join(words)}.")
    return told
