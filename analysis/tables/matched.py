"""What `match` has made of each cell: the value that was run, and how near its cost came."""

from collections.abc import Callable

from analysis.results.results import Results, Variant, short_label, short_name
from analysis.stats.estimates import Estimate
from analysis.stats.format import NONE, interval, prefix_for
from analysis.tables.notes import quoted_batch
from analysis.tables.table import Entry
from study.records.record import Reached
from study.spec.study import Matching

TIMES = "\N{MULTIPLICATION SIGN}"


def matched_columns(results: Results) -> list[tuple[str, Callable[[Variant], Entry]]]:
    """Heading and entries of the column of a study with `match`; of another none."""
    match = results.study.match
    if match is None:
        return []
    targets = targets_of(results, match)

    def show(variant: Variant) -> Entry:
        return _entry(results, match, variant, targets[variant.cell])

    return [(f"matched ({match.metric_words})", show)]


def targets_of(results: Results, match: Matching) -> dict[str, Variant | None]:
    """Cell -> the one that sets its cost, perhaps itself; None where a number does."""
    by_levels = {tuple(variant.levels.items()): variant for variant in results.variants}
    return {
        variant.cell: by_levels.get(tuple((match.target_of(variant.levels) or {}).items()))
        for variant in results.variants
    }


def cost_ratio(
    results: Results, match: Matching, variant: Variant, target: Variant | None
) -> Estimate | None:
    """A cell's cost as a multiple of its target's; None where one is not known yet.

    Of counts without an interval; of latencies as they were measured for the report, paired by
    round, and not as they were when the value was chosen.
    """
    if match.is_timed:
        return latency_ratio(results, variant, target) if target is not None else None
    wanted = match.to if isinstance(match.to, float) else None
    if target is not None:
        wanted = results.count(target, match.metric)
    ours = results.count(variant, match.metric)
    return Estimate(ours / wanted, None, None, 1) if ours is not None and wanted else None


def latency_ratio(results: Results, variant: Variant, target: Variant) -> Estimate | None:
    """Latency at the quoted batch size as a multiple of the target's in the same timing run."""
    batch = quoted_batch(results)
    if batch is None:
        return None
    if results.baseline_of(variant) is target:
        return results.ratio_to_baseline(variant, "latency", batch)
    return results.ratio(variant, target, "latency", batch)


def reached_by(results: Results, variant: Variant) -> Reached | None:
    """What was timed when the value of a cell was chosen; None of one that was not scaled so."""
    return next((one.reached for one in results.jobs(variant) if one.reached), None)


def scaled_value(results: Results, match: Matching, variant: Variant) -> tuple[str, int] | None:
    """The field that was scaled and the value that was run, as a record has it; None without."""
    records = [one.record for one in results.jobs(variant) if one.record is not None]
    model = next((record.config["model"] for record in records if "model" in record.config), None)
    if model is None:
        return None
    found = [one for one in match.scales_of(variant.levels, str(model["name"])) if one.field]
    return (found[0].field, int(model[found[0].field])) if found else None


def matched_remarks(results: Results) -> tuple[str, ...]:
    """What was made equal, for under the table."""
    match = results.study.match
    if match is None:
        return ()
    by = ", ".join(f"{one.name} by {short_name(one.field)}" for one in match.by if one.field)
    if isinstance(match.to, float):
        factor, prefix = prefix_for([match.to])
        target = f"{match.to / factor:g} {prefix}".rstrip()
    else:
        others = " at the same levels of all other factors" * (len(results.factors) > len(match.to))
        whose = "that" if match.is_timed else "those"
        target = f"{whose} of {short_label(match.to)}{others}"
    come, where, measured = "come", "", ""
    if match.is_timed:
        come, where = "comes", _timed_where(results)
        measured = ", as the costs of this report have it"
    return (
        f"Matched: before the run, cells were scaled so that their {match.metric_words} {come} "
        f"within {100 * match.within:g} % of {target} ({by}){where}; the last number is the "
        f"multiple reached{measured}.",
    )


def _timed_where(results: Results) -> str:
    """How and on what values were chosen, for a study that matches latency."""
    found = [reached_by(results, variant) for variant in results.variants]
    devices = list(dict.fromkeys(one.device for one in found if one is not None))
    on = f" on {' and on '.join(devices)}" if devices else ""
    batch = results.study.cost.batch_sizes[0]
    return f", chosen by timing a few values of each at batch {batch} beside its target{on}"


def _entry(results: Results, match: Matching, variant: Variant, target: Variant | None) -> Entry:
    if target is variant:
        return Entry("target")
    scaled = scaled_value(results, match, variant)
    ratio = cost_ratio(results, match, variant, target)
    words = f"{short_name(scaled[0])} {scaled[1]}" if scaled else "as it is"
    reached = reached_by(results, variant)
    chosen = _chosen_notes(reached) if reached else ()
    if ratio is None:
        unknown = "not timed" if match.is_timed else "not counted"
        return Entry(f"{words}, {unknown}" if scaled else NONE, notes=chosen)
    far = scaled is not None and not match.is_near(ratio.value)
    outside = f"outside of the {100 * match.within:g} % that were asked for"
    notes = (outside, *chosen) if far else chosen
    return Entry(f"{words}, {_ratio_words(ratio)}", notes=notes)


def _chosen_notes(reached: Reached) -> tuple[str, ...]:
    ratio = Estimate(reached.ratio, reached.low, reached.high, 0)
    return (f"when it was chosen, on {reached.device}: {_ratio_words(ratio)}",)


def _ratio_words(ratio: Estimate) -> str:
    """As "1.003x", and of a timing "1.003x [0.981, 1.022]"."""
    return interval(ratio, 3, unit=TIMES)
