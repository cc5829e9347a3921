"""The sentence that a report opens with: the answer, no stronger than the statistics."""

from collections.abc import Sequence

from analysis.prose.answer import state_words
from analysis.results.results import Results, Variant
from analysis.stats.estimates import ALPHA, Difference, Estimate
from analysis.stats.format import fixed, plural, significant
from analysis.tables.notes import quoted_batch

MOST_CELLS = 5  # in the sentence; the table has them all
NOTHING = "No answer yet: no results to compare."


def verdict(results: Results) -> str:
    """One sentence; of a sweep of one model the best value of each factor."""
    sentence = _verdict(results)
    if sentence == NOTHING or all(one.status != "not run" for one in results.outcomes):
        return sentence
    return f"So far: {sentence[0].lower()}{sentence[1:]}"


def _verdict(results: Results) -> str:
    if results.is_one_model and any(results.accuracy(v) for v in results.variants):
        return _sweep(results)
    compared = [
        (variant, baseline)
        for variant in _ordered(results)
        if (baseline := results.baseline_of(variant)) is not None and baseline is not variant
    ]
    parts = [part for ours, theirs in compared if (part := _compared(results, ours, theirs))]
    if not parts:
        accurate = [v for v in results.variants if results.accuracy(v)]
        return state_words(results, accurate[0]) if len(accurate) == 1 else NOTHING
    more = len(parts) - MOST_CELLS
    rest = f"; {plural(more, 'more cell')} in the table" if more > 0 else ""
    words = _baseline_words(results, compared)
    return f"Compared with {words}: {'; '.join(parts[:MOST_CELLS])}{rest}."


def _ordered(results: Results) -> list[Variant]:
    """Cells that a claim names first, then the others, each in the study's order."""
    sides = [side for claim in results.study.claims for side in (claim.left, claim.right) if side]
    named = [v for v in results.variants if any(side.covers(v.levels) for side in sides)]
    return named + [v for v in results.variants if v not in named]


def _baseline_words(results: Results, compared: Sequence[tuple[Variant, Variant]]) -> str:
    baselines = {theirs.cell: theirs for _, theirs in compared}
    if len(baselines) > 1:
        return f"{results.baseline_label} at the same other levels"
    (baseline,) = baselines.values()
    accuracy = results.accuracy(baseline)
    return baseline.label + (f" ({fixed(accuracy.value, 1)} % top-1)" if accuracy else "")


def _compared(results: Results, ours: Variant, theirs: Variant) -> str:
    difference, p = results.differences.get(ours.cell, (None, None))
    words = [_difference_words(difference, p)] if difference else []
    cost = _cost_words(results, ours, theirs)
    words += [cost] if cost else []
    return f"{ours.label} {' and '.join(words)}" if words else ""


def _difference_words(difference: Difference, p: float | None) -> str:
    n = plural(difference.n, "seed")
    size = fixed(abs(difference.value), 1)
    if difference.low is None or difference.high is None or p is None:
        way = "gains" if difference.value > 0 else "loses"
        return f"{way} {size} points in {n} (not tested)"
    if p < ALPHA:
        low, high = sorted((abs(difference.low), abs(difference.high)))
        if difference.low * difference.high < 0:  # cut at a possible value, or not corrected
            low = 0.0
        way = "gains" if difference.value > 0 else "loses"
        return f"{way} {size} points (95 % {fixed(low, 1)} to {fixed(high, 1)})"
    most = max(abs(difference.low), abs(difference.high))
    return f"shows no difference in top-1 that {n} can see (at most {fixed(most, 1)} points)"


def _cost_words(results: Results, ours: Variant, theirs: Variant) -> str:
    """Latency where its interval excludes 1, else MACs; "" where both are alike."""
    batch = quoted_batch(results)
    ratio = results.ratio_to_baseline(ours, "latency", batch) if batch else None
    if ratio is not None:
        if ratio.low is None or ratio.high is None or ratio.low <= 1 <= ratio.high:
            return ""
        return _share_words(ratio.value, "the latency")
    mine, other = results.count(ours, "macs"), results.count(theirs, "macs")
    return _share_words(mine / other, "the MACs") if mine and other and mine != other else ""


def _share_words(ratio: float, what: str) -> str:
    if ratio >= 2:
        return f"takes {significant(ratio, 2)} times {what}"
    change = 100 * abs(ratio - 1)
    percent = fixed(change, 1 if change < 2 else 0)
    return f"saves {percent} % of {what}" if ratio < 1 else f"takes {percent} % more of {what}"


def _sweep(results: Results) -> str:
    """The best value of each factor, with its interval, its equals, and whether it is an edge."""
    varying = [
        name for name in results.factors if len({v.levels.get(name) for v in results.variants}) > 1
    ]
    if len(varying) > 1 and not results.single_changes:
        best = _best(results, results.variants)
        return f"Best of {len(results.variants)} cells: {best.label}, {_value(results, best)}."
    parts = []
    for name in varying:
        base = {k: x for k, x in results.study.baseline.items() if k != name}
        cells = [v for v in results.variants if base.items() <= v.levels.items()]
        cells = cells if len(varying) > 1 else list(results.variants)
        best = _best(results, cells)
        others = [v for v in cells if v is not best and results.accuracy(v)]
        equals = [v.levels[name] for v in others if not _is_worse(results, best, v, len(others))]
        words = f"best {name} of {len(cells)}: {best.levels[name]}{_edge(best, cells, name)}, "
        words += _value(results, best)
        if equals:
            words += f", not significantly better than {', '.join(equals)}"
        parts.append(words)
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _best(results: Results, cells: Sequence[Variant]) -> Variant:
    values = {v.cell: found.value for v in cells if (found := results.accuracy(v))}
    return max(cells, key=lambda v: values.get(v.cell, -1.0))


def _value(results: Results, variant: Variant) -> str:
    found: Estimate | None = results.accuracy(variant)
    if found is None:
        return "without an accuracy"
    text = f"{fixed(found.value, 1)} % top-1"
    if found.low is None or found.high is None:
        return f"{text} ({plural(found.n, 'seed')}, no interval)"
    return f"{text} (95 % {fixed(found.low, 1)} to {fixed(found.high, 1)})"


def _is_worse(results: Results, best: Variant, other: Variant, tests: int) -> bool:
    difference = results.paired(best, other)
    return difference is not None and difference.p is not None and difference.p * tests < ALPHA


def _edge(best: Variant, cells: Sequence[Variant], name: str) -> str:
    numbers = [v.numbers[name] for v in cells if name in v.numbers]
    if len(numbers) < len(cells) or len(set(numbers)) < 3:
        return ""
    own = best.numbers[name]
    if own == max(numbers):
        return " (the largest value that was tried: try larger ones)"
    return " (the smallest value that was tried: try smaller ones)" if own == min(numbers) else ""
