"""Answer of a study in sentences, each with its statistical evidence."""

from collections.abc import Sequence

from analysis.findings.effects import Effect, effects_of, place_of, title_of
from analysis.results.results import SAME_MODEL, Results, Variant
from analysis.stats.estimates import ALPHA, Difference, Estimate
from analysis.stats.format import fixed, p_value, plural, prefix_for, signed, significant
from analysis.tables.notes import one_model_words, quoted_batch

MOST_LINES = 24  # the table has them all
MOST_PLACES = 6  # combinations of the other factors that a line goes through


def answer_lines(results: Results) -> list[str]:
    """One sentence on the baseline, then one a cell that is compared with it."""
    lines = []
    compared: dict[str, tuple[Variant, list[Variant]]] = {}  # by the name of the baseline
    for variant in results.variants:
        if baseline := results.baseline_of(variant):
            compared.setdefault(baseline.cell, (baseline, []))[1].append(variant)
    for baseline, variants in compared.values():
        if results.accuracy(baseline) or results.count(baseline, "macs") is not None:
            lines.append(state_words(results, baseline))
        lines += [line for v in variants if v is not baseline and (line := _compare(results, v))]
    if not compared:
        lines = [state_words(results, v) for v in results.variants if results.accuracy(v)]
    lines = [*_effect_lines(results), *lines, *_one_model(results)]
    if not lines:
        return ["No answer yet: no results to compare."]
    if len(lines) > MOST_LINES:
        hidden = len(lines) - MOST_LINES
        lines = [*lines[:MOST_LINES], f"{plural(hidden, 'more comparison')}: see the table."]
    return lines


def state_words(results: Results, variant: Variant) -> str:
    """Accuracy and costs of one cell in absolute numbers."""
    accuracy, macs = results.accuracy(variant), results.count(variant, "macs")
    words = [variant.label]
    if accuracy is None:
        words += ["has no accuracy yet"] if results.study.seeds else ["runs"]
    elif accuracy.low is None or accuracy.high is None:
        reason = "one seed" if accuracy.n == 1 else f"equal in {accuracy.n} seeds"
        words.append(f"reaches {fixed(accuracy.value, 1)} % top-1 ({reason}: no interval)")
    else:
        limits = f"{fixed(accuracy.low, 1)} to {fixed(accuracy.high, 1)}"
        words.append(
            f"reaches {fixed(accuracy.value, 1)} % top-1 (95 % CI {limits}, {accuracy.n} seeds)"
        )
    if macs is not None and not results.is_one_model:
        factor, prefix = prefix_for([macs])
        words.append(f"with {significant(macs / factor)} {prefix}".rstrip() + " MACs a clip")
    batch = None if results.is_one_model else quoted_batch(results)
    latency = results.cost(variant, "latency", batch) if batch else None
    if latency is not None:
        words.append(f"and {significant(latency.value)} ms latency at batch size {batch}")
    return " ".join(words) + "."


def _one_model(results: Results) -> list[str]:
    """The costs that all cells share, once; none where models differ."""
    line = one_model_words(results)
    return [line] if line else []


def _compare(results: Results, variant: Variant) -> str:
    baseline = results.baseline_of(variant)
    assert baseline is not None
    difference, p = results.differences.get(variant.cell, (None, None))
    costs = " and ".join(_cost_words(results, variant, baseline))
    found = difference_words(difference, p) if difference else ""
    if not (found or costs):
        return ""
    words = f"{found}, with {costs}" if found and costs else found or costs
    if not results.is_one_model and results.same_model(variant, baseline):
        words = "; ".join(filter(None, (found, SAME_MODEL)))
    return f"{variant.label} vs. {baseline.label}: {words}."


def difference_words(difference: Difference, p: float | None) -> str:
    """A difference in top-1, called higher or lower only where its corrected p says so."""
    size = f"{signed(difference.value, 1)} points"
    if difference.n == 1:
        return f"{size} top-1 (one seed: no interval, not tested)"
    if difference.low is None or difference.high is None or p is None:
        return f"{size} top-1 in each of {difference.n} seeds (no spread: no interval)"
    limits = f"95 % CI {signed(difference.low, 1)} to {signed(difference.high, 1)}"
    evidence = f"{limits}, Holm p {'' if p < 0.001 else '= '}{p_value(p)}, {difference.n} seeds"
    if p < ALPHA:
        word = "higher" if difference.value > 0 else "lower"
        return f"top-1 is {word} by {fixed(abs(difference.value), 1)} points ({evidence})"
    after = " after correction" if difference.p is not None and difference.p < ALPHA else ""
    return f"no significant difference in top-1{after} ({size}, {evidence})"


def _cost_words(results: Results, variant: Variant, baseline: Variant) -> list[str]:
    if results.is_one_model:
        return []
    words = []
    ours, theirs = results.count(variant, "macs"), results.count(baseline, "macs")
    if ours is not None and theirs:
        words.append(change_words(ours / theirs, "MACs", "fewer"))
    batch = quoted_batch(results)
    ratio = results.ratio_to_baseline(variant, "latency", batch) if batch else None
    if ratio is not None:
        words.append(_ratio_words(ratio))
    return words


def change_words(ratio: float, what: str, less: str = "less") -> str:
    """Ratio in words: "6 % more MACs", "2.3 times the MACs"."""
    if ratio >= 2:
        return f"{significant(ratio, 2)} times the {what}"
    percent = _percent(ratio)
    if percent == "0":
        return f"the same {what}" if ratio == 1 else f"practically the same {what}"
    return f"{percent} % {'more' if ratio > 1 else less} {what}"


def _ratio_words(ratio: Estimate) -> str:
    text = change_words(ratio.value, "latency")
    if ratio.low is None or ratio.high is None:
        reason = "one round" if ratio.n == 1 else f"equal in {ratio.n} rounds"
        return f"{text} ({reason}: no interval)"
    if ratio.low <= 1 <= ratio.high:
        limits = f"{fixed(ratio.low, 2)} to {fixed(ratio.high, 2)} times"
        return f"no significant difference in latency (95 % CI {limits})"
    if ratio.value >= 2:
        return f"{text} (95 % CI {significant(ratio.low, 2)} to {significant(ratio.high, 2)})"
    low, high = sorted((ratio.low, ratio.high), key=lambda limit: abs(limit - 1))
    return f"{text} (95 % CI {_percent(low)} to {_percent(high)} %)"


def _percent(ratio: float) -> str:
    """Distance of a ratio from 1 in percent, with a digit where it is small."""
    change = 100 * abs(ratio - 1)
    return fixed(change, 1 if 0.05 <= change < 2 else 0)


def _effect_lines(results: Results) -> list[str]:
    """One line a change of level: on average, then at each combination of the other factors."""
    effects = effects_of(results)
    lines = []
    for main in effects:
        if main.kind != "main":
            continue
        same = [e for e in effects if (e.factor, e.level) == (main.factor, main.level)]
        simple = [one for one in same if one.kind == "simple"]
        if len(simple) < 2:
            continue
        text = f"{title_of(main)}, on average: {difference_words(main.difference, main.p_holm)}"
        if len(simple) <= MOST_PLACES:
            text += "; " + ", ".join(f"at {place_of(e.at)} {_limits(e)}" for e in simple)
        lines.append(f"{text}{_interaction_words(effects, main)}.")
    return lines


def _limits(effect: Effect) -> str:
    difference = effect.difference
    text = signed(difference.value, 1)
    if difference.low is None or difference.high is None:
        return text
    return f"{text} ({signed(difference.low, 1)} to {signed(difference.high, 1)})"


def _interaction_words(effects: Sequence[Effect], main: Effect) -> str:
    """Significance of the interactions of a change with the other factors."""
    changed = (main.factor, main.level)
    p = [
        one.p_holm
        for one in effects
        if one.kind == "interaction" and one.p_holm is not None
        if changed in ((one.factor, one.level), *one.at.items())
    ]
    if not p:
        return ""
    smallest = f"smallest Holm p {'' if min(p) < 0.001 else '= '}{p_value(min(p))}"
    if min(p) < ALPHA:
        return f"; significant interaction with another factor ({smallest})"
    return f"; no significant interaction with another factor ({smallest})"
