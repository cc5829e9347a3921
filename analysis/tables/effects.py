"""Effects of a factorial design, each with its interval."""

from analysis.findings.effects import Effect, effects_of, most_telling, place_of, title_of
from analysis.results.results import Results
from analysis.stats.format import interval, signed
from analysis.tables.notes import p_words, spread_notes, untested_words
from analysis.tables.table import Entry, Row, Table

MOST_ROWS = 80
TIMES = "\N{MULTIPLICATION SIGN}"
INTERACTION = (
    f"An interaction A {TIMES} B is how much more A does at B than at the level that B is compared "
    "with"
)
INDENT = "\N{EN QUAD}\N{EN QUAD}"


def effects_table(results: Results) -> Table | None:
    """One row an effect; None unless the study crosses two factors or more."""
    effects = effects_of(results)
    if not effects:
        return None
    shown = most_telling(effects, MOST_ROWS)
    tested = sum(one.p_holm is not None for one in effects)
    remarks = [
        f"p: Student t over seeds, Holm-corrected over {tested} main effects and interactions. "
        "Simple effects have intervals that hold one by one and no p."
        if tested
        else untested_words(one.difference for one in effects)
    ]
    if len(shown) < len(effects):
        remarks.append(f"{len(effects) - len(shown)} of {len(effects)} effects are left out.")
    return Table.of(
        "effects",
        ("effect on top-1", "at", "points [95 %]", "p (Holm)", "seeds"),
        map(_row, shown),
        "Effects of the factors on top-1, in points, paired by seed [95 % Student t "
        "interval]. A main effect is the mean over all combinations of the other factors, each "
        f"counted alike. {INTERACTION}.",
        remarks,
        align="ll",
    )


def effect_name(effect: Effect) -> tuple[str, str]:
    """Name of a change of level, with its place."""
    title = title_of(effect)
    if effect.kind == "main":
        return title, "on average"
    if effect.kind == "simple":
        return title, place_of(effect.at)
    change = place_of({effect.factor: effect.level})
    against = ", ".join([effect.reference, *effect.base.values()])
    return f"{change} {TIMES} {place_of(effect.at)}", f"against {against}"


def _row(effect: Effect) -> Row:
    title, at = effect_name(effect)
    found, total = effect.of
    notes = (f"over {found} of {total} combinations, the others are not in the study",)
    difference = effect.difference
    return (
        INDENT + title if effect.kind == "simple" else title,
        Entry(at, notes=notes if found < total else ()),
        Entry(interval(difference, 1, signed), notes=spread_notes(difference)),
        p_words(effect.p_holm),
        str(difference.n),
    )
