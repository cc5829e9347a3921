"""Factorial designs: what each factor does on average, at each level of the others, and together.

Every effect is a contrast: a weighted sum over cells, taken within each seed and then treated as
any paired difference, by Student's t over seeds. For two levels this is repeated-measures analysis
of variance with an error term of its own for each effect. A model that pools the error of all
cells (least squares with a seed term, a mixed model) would have more degrees of freedom, but takes
the spread over seeds for equal in all cells, which it is not (docs/statistics.md).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.results.results import Results, Variant, short_name
from analysis.stats.estimates import Difference, holm, paired_difference

Kind = Literal["main", "simple", "interaction"]
Contrast = Mapping[str, float]  # cell -> weight

MOST_CELLS = 256  # beyond, a table of effects would be longer than that of the cells


@dataclass(frozen=True)
class Effect:
    """Effect of a change of level on top-1.

    Attributes:
        kind: "main": averaged over the other factors, all combinations alike; "simple": at one
            combination of them; "interaction": how much more it does at another level of `other`.
        factor: What changes.
        level: To which level.
        reference: From which level.
        at: Other factor -> level: where a simple effect is, or what an interaction goes to.
        base: Of an interaction: other factor -> level it is compared with.
        values: Seed -> effect, in points.
        difference: Over seeds.
        p_holm: Of main effects and interactions, corrected over all of them.
        of: How many combinations of the other factors a main effect averages, and the design has.
    """

    kind: Kind
    factor: str
    level: str
    reference: str
    at: Mapping[str, str]
    base: Mapping[str, str]
    values: Mapping[int, float]
    difference: Difference
    p_holm: float | None = None
    of: tuple[int, int] = (0, 0)


def most_telling(effects: list[Effect], most: int) -> list[Effect]:
    """The largest effects that fit; simple effects are left out first."""
    if len(effects) <= most:
        return effects
    return [one for one in effects if one.kind != "simple"][:most]


def effects_of(results: Results) -> list[Effect]:
    """All effects, each factor's main effects before its simple ones, interactions last.

    None unless the cells cross two factors or more.
    """
    factors = crossed_factors(results)
    if len(factors) < 2 or len(results.variants) > MOST_CELLS:
        return []
    cells = {tuple(v.levels[name] for name in factors): v for v in results.variants}
    tops = {v.cell: results.by_seed(v, "top1") for v in results.variants}
    found = [
        *_changes(results, factors, cells, tops),
        *_interactions(results, factors, cells, tops),
    ]
    tested = [i for i, one in enumerate(found) if one.kind != "simple" and _has_p(one)]
    p = holm([found[i].difference.p or 0.0 for i in tested])
    for i, corrected in zip(tested, p, strict=True):
        found[i] = replace(found[i], p_holm=corrected)
    return found if any(one.kind == "interaction" for one in found) else []


def crossed_factors(results: Results) -> list[str]:
    """Factors with two levels or more; of those that move together, the first."""
    follows = {name for group in results.study.paired for name in group[1:]}
    return [
        name
        for name in results.factors
        if name not in follows and len(levels_of(results, name)) > 1
    ]


def levels_of(results: Results, factor: str) -> list[str]:
    """Levels that any cell has, in the study's order."""
    return list(dict.fromkeys(v.levels[factor] for v in results.variants if factor in v.levels))


def reference_of(results: Results, factor: str) -> str:
    """The level that the others are compared with: the baseline's, else the first."""
    levels = levels_of(results, factor)
    wanted = results.study.baseline.get(factor)
    return wanted if wanted in levels else levels[0]


def title_of(effect: Effect) -> str:
    """Title of an effect, such as "spatial depth 1 vs. 0"."""
    name = f"{short_name(effect.factor)} " if "." in effect.factor else ""
    return f"{name}{effect.level} vs. {effect.reference}"


def place_of(levels: Mapping[str, str]) -> str:
    """Text such as "frames 8"."""
    named = (f"{short_name(n)} {x}" if "." in n else x for n, x in levels.items())
    return ", ".join(named)


def _changes(
    results: Results,
    factors: Sequence[str],
    cells: Mapping[tuple[str, ...], Variant],
    tops: Mapping[str, Mapping[int, float]],
) -> Iterator[Effect]:
    """Main and simple effects of each level against its factor's reference."""
    for position, factor in enumerate(factors):
        reference = reference_of(results, factor)
        others = [name for name in factors if name != factor]
        for level in levels_of(results, factor):
            if level == reference:
                continue
            simple: list[tuple[dict[str, str], Contrast]] = []
            for place, variant in cells.items():
                there = cells.get((*place[:position], reference, *place[position + 1 :]))
                if place[position] == level and there is not None:
                    at = {name: variant.levels[name] for name in others}
                    simple.append((at, {variant.cell: 1.0, there.cell: -1.0}))
            combinations = len({(*p[:position], *p[position + 1 :]) for p in cells})
            of = (len(simple), combinations)
            main = _sum([contrast for _, contrast in simple], 1 / max(1, len(simple)))
            yield from _effect("main", factor, level, reference, {}, {}, main, tops, of)
            for at, contrast in simple:
                yield from _effect("simple", factor, level, reference, at, {}, contrast, tops)


def _interactions(
    results: Results,
    factors: Sequence[str],
    cells: Mapping[tuple[str, ...], Variant],
    tops: Mapping[str, Mapping[int, float]],
) -> Iterator[Effect]:
    """Interactions of each pair of factors: a factor's effect at a level less at the reference."""
    for first, second in itertools.combinations(range(len(factors)), 2):
        names = factors[first], factors[second]
        from_a, from_b = (reference_of(results, name) for name in names)
        for a, b in itertools.product(*(levels_of(results, name) for name in names)):
            if a == from_a or b == from_b:
                continue
            squares = []
            for place in cells:
                if (place[first], place[second]) != (a, b):
                    continue
                corners = [(a, b, 1.0), (from_a, b, -1.0), (a, from_b, -1.0), (from_a, from_b, 1.0)]
                square = {}
                for x, y, weight in corners:
                    at = list(place)
                    at[first], at[second] = x, y
                    if (variant := cells.get(tuple(at))) is not None:
                        square[variant.cell] = weight
                if len(square) == len(corners):
                    squares.append(square)
            contrast = _sum(squares, 1 / max(1, len(squares)))
            to, base = {names[1]: b}, {names[1]: from_b}
            yield from _effect("interaction", names[0], a, from_a, to, base, contrast, tops)


def _sum(contrasts: Sequence[Contrast], weight: float) -> Contrast:
    total: dict[str, float] = {}
    for contrast in contrasts:
        for cell, one in contrast.items():
            total[cell] = total.get(cell, 0.0) + weight * one
    return total


def _effect(
    kind: Kind,
    factor: str,
    level: str,
    reference: str,
    at: Mapping[str, str],
    base: Mapping[str, str],
    contrast: Contrast,
    tops: Mapping[str, Mapping[int, float]],
    of: tuple[int, int] = (0, 0),
) -> Iterator[Effect]:
    """The effect, over the seeds that all its cells have; nothing if there are none."""
    if not contrast:
        return
    seeds = set.intersection(*(set(tops[cell]) for cell in contrast))
    values = {
        s: float(np.sum([w * tops[c][s] for c, w in contrast.items()])) for s in sorted(seeds)
    }
    # Each accuracy is a share: an interaction of two factors lies within 200 points.
    least = 100 * sum(weight for weight in contrast.values() if weight < 0)
    most = 100 * sum(weight for weight in contrast.values() if weight > 0)
    difference = paired_difference(values, dict.fromkeys(values, 0.0), within=(least, most))
    if difference is not None:
        yield Effect(kind, factor, level, reference, at, base, values, difference, of=of)


def _has_p(effect: Effect) -> bool:
    return effect.difference.p is not None
