"""The column `matched`: the value that was run, and its ratio to the target."""

from collections.abc import Callable

from analysis.results.results import Results, Variant, short_label, short_name
from analysis.stats.format import NONE, prefix_for
from analysis.tables.table import Entry
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
) -> float | None:
    """A cell's cost as a multiple of its target's; None where one is not known yet."""
    wanted = match.to if isinstance(match.to, float) else None
    if target is not None:
        wanted = results.count(target, match.metric)
    ours = results.count(variant, match.metric)
    return ours / wanted if ours is not None and wanted else None


def scaled_value(results: Results, match: Matching, variant: Variant) -> tuple[str, int] | None:
    """The field that was scaled and the value that was run, as a record has it; None without."""
    records = [one.record for one in results.jobs(variant) if one.record is not None]
    model = next((record.config["model"] for record in records if "model" in record.config), None)
    if model is None:
        return None
    found = [one for one in match.scales_of(variant.levels, str(model["name"])) if one.field]
    return (found[0].field, int(model[found[0].field])) if found else None


def matched_remarks(results: Results) -> tuple[str, ...]:
    """Remark on what was matched, for under the table."""
    match = results.study.match
    if match is None:
        return ()
    by = ", ".join(f"{one.name} by {short_name(one.field)}" for one in match.by if one.field)
    if isinstance(match.to, float):
        factor, prefix = prefix_for([match.to])
        target = f"{match.to / factor:g} {prefix}".rstrip()
    else:
        others = " at the same levels of all other factors" * (len(results.factors) > len(match.to))
        target = f"those of {short_label(match.to)}{others}"
    return (
        f"Matched: before the run, cells were scaled so that their {match.metric_words} come "
        f"within {100 * match.within:g} % of {target} ({by}); the last number is the multiple "
        "reached.",
    )


def _entry(results: Results, match: Matching, variant: Variant, target: Variant | None) -> Entry:
    if target is variant:
        return Entry("target")
    scaled = scaled_value(results, match, variant)
    ratio = cost_ratio(results, match, variant, target)
    words = f"{short_name(scaled[0])} {scaled[1]}" if scaled else "as it is"
    if ratio is None:
        return Entry(f"{words}, not counted" if scaled else NONE)
    far = scaled is not None and not match.is_near(ratio)
    outside = f"outside of the {100 * match.within:g} % that were asked for"
    return Entry(f"{words}, {ratio:.3f}{TIMES}", notes=(outside,) if far else ())
