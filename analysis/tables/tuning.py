"""Choices of tuning for each cell, and whether a wider range might change them."""

from collections.abc import Iterator
from itertools import product

from analysis.findings.tuning import budget_words, choice_of, edge_notes, method_words
from analysis.results.results import Results, Variant, short_name
from analysis.stats.format import NONE, fixed
from analysis.tables.notes import reason_of
from analysis.tables.table import Entry, Row, Table
from study.spec.study import Tuning


def tuning_table(results: Results) -> Table | None:
    """Validation top-1 of every value of the first key, one row a cell and value of the others.

    None where the study tunes nothing.
    """
    tune = results.study.tune
    variants = [variant for variant in results.variants if results.tuning(variant)]
    if tune is None or not variants:
        return None
    first, *others = tune.values
    seeds = f"tuning seed{'' if len(tune.seeds) == 1 else 's'} {', '.join(map(str, tune.seeds))}"
    columns = [f"{short_name(first)} {level.label}" for level in tune.values[first]]
    return Table.of(
        "tuning",
        ("cell", *map(short_name, others), *columns, "choice"),
        (row for variant in variants for row in _rows(results, tune, variant)),
        f"Tuning: top-1 (%) on the validation split, mean over {seeds}. The budget "
        f"is {budget_words(tune)} of {', '.join(tune.values)}, the same for every cell. "
        "Bold: chosen, for all seeds that count. No accuracy elsewhere has a part of these runs.",
        (
            method_words(tune),
            "An equal budget is no equal chance: values that suit one cell better than another "
            "favour it, and a choice at the edge of its range may not be the best one.",
        ),
        align="l" + "l" * len(others) + "r" * len(columns) + "l",
    )


def _rows(results: Results, tune: Tuning, variant: Variant) -> Iterator[Row]:
    """The rows of one cell: a combination of the other keys each."""
    first, *others = tune.values
    chosen = choice_of(results, variant)
    shown = _Entries(results, tune, variant)
    rest = product(*([level.label for level in tune.values[key]] for key in others))
    for number, labels in enumerate(rest):
        fixed_ones = dict(zip(others, labels, strict=True))
        tried = [{first: level.label, **fixed_ones} for level in tune.values[first]]
        choice = Entry(NONE)
        if chosen in tried:
            notes = edge_notes(results, variant)
            choice = Entry(f"{chosen[first]}, at the edge" if notes else chosen[first], notes=notes)
        elif not chosen and not number:
            choice = Entry("none", notes=(tune.decide(results.tuning(variant)).reason,))
        scores = (shown.entry(one, one == chosen) for one in tried)
        yield (variant.label if not number else "", *labels, *scores, choice)


class _Entries:
    """Entries for one combination of one cell."""

    def __init__(self, results: Results, tune: Tuning, variant: Variant) -> None:
        self.outcomes = results.tuning(variant)
        self.scores = tune.scores(self.outcomes)

    def entry(self, tried: dict[str, str], is_chosen: bool) -> Entry:
        score = next(one for one in self.scores if one.tried == tried)
        own = [one for one in self.outcomes if one.tried == tried]
        if score.missing:
            reasons = tuple(dict.fromkeys(filter(None, map(reason_of, score.missing))))
            return Entry(score.missing[0].status, notes=reasons)
        if score.mean is None:
            return Entry("diverged" if score.diverged else NONE)
        text = fixed(score.mean, 1)
        if score.diverged:
            text += f" ({score.diverged} of {len(own)} diverged)"
        ended = [one for one in own if one.is_done]
        notes = [note for one in ended if one.record for note in one.record.notes]
        notes += [one.reason for one in ended if one.reason]
        return Entry(text, "best" if is_chosen else "", tuple(dict.fromkeys(notes)))
