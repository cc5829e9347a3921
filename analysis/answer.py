"""The answer in words, made from the statistics and never stronger than they are."""

from analysis.numbers import fixed, p_value, plural, prefix_for, signed, significant
from analysis.results import ALPHA, Results, Variant
from analysis.statistics import Difference, Estimate
from analysis.tables.notes import quoted_batch

MOST_LINES = 24  # the table has them all


def answer_lines(results: Results) -> list[str]:
    """One sentence on the baseline, then one a cell that is compared with it."""
    lines = []
    baselines = {id(b): b for v in results.variants if (b := results.baseline_of(v))}
    for baseline in baselines.values():
        if results.accuracy(baseline) or results.count(baseline, "macs") is not None:
            lines.append(_state(results, baseline))
        compared = (v for v in results.variants if results.baseline_of(v) is baseline)
        lines += [line for v in compared if v is not baseline and (line := _compare(results, v))]
    if not baselines:
        lines = [_state(results, v) for v in results.variants if results.accuracy(v)]
    if not lines:
        return ["No answer yet: there are no results to compare."]
    if len(lines) > MOST_LINES:
        hidden = len(lines) - MOST_LINES
        lines = [*lines[:MOST_LINES], f"{plural(hidden, 'more comparison')}: see the table."]
    return lines


def _state(results: Results, variant: Variant) -> str:
    """What one cell reaches and costs, in absolute numbers."""
    accuracy, macs = results.accuracy(variant), results.count(variant, "macs")
    words = [variant.label]
    if accuracy is None:
        words.append("has no accuracy yet")
    elif accuracy.low is None or accuracy.high is None:
        words.append(f"reaches {fixed(accuracy.value, 1)} % top-1 (one seed: no interval)")
    else:
        limits = f"{fixed(accuracy.low, 1)} to {fixed(accuracy.high, 1)}"
        words.append(
            f"reaches {fixed(accuracy.value, 1)} % top-1 (95 % {limits}, {accuracy.n} seeds)"
        )
    if macs is not None:
        factor, prefix = prefix_for([macs])
        words.append(f"with {significant(macs / factor)} {prefix}".rstrip() + " MACs a clip")
    batch = quoted_batch(results)
    latency = results.cost(variant, "latency", batch) if batch else None
    if latency is not None:
        words.append(f"and {significant(latency.value)} ms latency at batch size {batch}")
    return " ".join(words) + "."


def _compare(results: Results, variant: Variant) -> str:
    baseline = results.baseline_of(variant)
    assert baseline is not None
    difference, p = results.differences.get(variant.cell, (None, None))
    parts = []
    if difference is not None:
        parts.append(_difference_words(difference, p))
    parts += _cost_words(results, variant, baseline)
    if not parts:
        return ""
    return f"{variant.label} against {baseline.label}: " + "; ".join(parts) + "."


def _difference_words(difference: Difference, p: float | None) -> str:
    size = f"{signed(difference.value, 1)} points"
    if difference.low is None or difference.high is None or p is None:
        return f"{size} top-1 (one seed: no interval, so no statement)"
    limits = f"95 % {signed(difference.low, 1)} to {signed(difference.high, 1)}"
    evidence = f"{limits}, Holm p {'' if p < 0.001 else '= '}{p_value(p)}, {difference.n} seeds"
    if p < ALPHA:
        word = "higher" if difference.value > 0 else "lower"
        return f"top-1 is {word} by {fixed(abs(difference.value), 1)} points ({evidence})"
    after = " after correction" if difference.p is not None and difference.p < ALPHA else ""
    return f"top-1 not told apart{after}, {size} ({evidence})"


def _cost_words(results: Results, variant: Variant, baseline: Variant) -> list[str]:
    words = []
    ours, theirs = results.count(variant, "macs"), results.count(baseline, "macs")
    if ours is not None and theirs:
        words.append(f"{fixed(ours / theirs, 2)} times the MACs")
    batch = quoted_batch(results)
    ratio = results.ratio_to_baseline(variant, "latency", batch) if batch else None
    if ratio is not None:
        words.append(_ratio_words(ratio))
    return words


def _ratio_words(ratio: Estimate) -> str:
    text = f"{fixed(ratio.value, 2)} times the latency"
    if ratio.low is None or ratio.high is None:
        return f"{text} (one round: no interval)"
    limits = f"95 % {fixed(ratio.low, 2)} to {fixed(ratio.high, 2)}"
    return f"{text} ({limits}{', not told apart' if ratio.low <= 1 <= ratio.high else ''})"
