"""Growth of a cost with a number: the exponent of a power law, and its fit.

The exponent is the slope of log cost over log size, by least squares over the cells of a series.
Its interval is over timing rounds: every round times all cells, and gives an exponent of its own,
so that what slows a whole round is in none of them. The residuals of the fit are not in the
interval. A sum of a linear and a quadratic term is no power law, its residuals are no noise, and
a standard error made of them would be about nothing; that the law does not hold shows in the
slopes between neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from analysis.results.results import Results, Variant
from analysis.stats.estimates import Estimate, median_interval

FEWEST_CELLS = 3  # through two points any law goes


@dataclass(frozen=True)
class Fit:
    """The power law of one series: cost = factor * size ** exponent.

    Attributes:
        label: The levels of the other factors.
        cells: From the smallest size to the largest.
        exponent: Over timing rounds; without an interval of counts, which have no noise, and of
            cells of several timing runs, which share no rounds.
        factor: Of the line with that exponent through the middle of the costs, in their unit.
        local: Slopes between neighbours, the smallest and the largest.
    """

    label: str
    cells: tuple[Variant, ...]
    exponent: Estimate
    factor: float
    local: tuple[float, float]


def scaled_factor(results: Results) -> str | None:
    """The last of `scaled_factors`."""
    return next(reversed(scaled_factors(results)), None)


def scaled_factors(results: Results) -> list[str]:
    """Numeric factors that accuracy and cost are shown over.

    Of single changes of a baseline every one of them; of crossed factors the last that is not told
    apart by colour, or the only factor there is.
    """
    numbers, series = results.numeric_factors, results.series_factor
    if results.single_changes:
        return numbers
    others = [name for name in numbers if name != series]
    return others[-1:] or [name for name in numbers if name == series]


def scaling_series(results: Results, factor: str) -> dict[str, list[Variant]]:
    """Levels of the other factors -> their cells, by size.

    Of single changes, cells that change another number have no place over this one.
    """
    groups: dict[str, list[Variant]] = {}
    elsewhere = set(results.numeric_factors) - {factor} if results.single_changes else set()
    for variant in results.variants:
        others = {name: level for name, level in variant.levels.items() if name != factor}
        if all(variant.levels[name] == results.study.baseline.get(name) for name in elsewhere):
            groups.setdefault(results.name(others) if others else "", []).append(variant)
    return {
        label: sorted(cells, key=lambda cell: cell.numbers[factor])
        for label, cells in groups.items()
    }


def fit_exponents(
    results: Results, metric: str, batch: int = 0, factor: str | None = None
) -> list[Fit]:
    """One a series with `FEWEST_CELLS` sizes above 0 or more.

    None of a series whose cells share a model: nothing of their cost depends on the factor.

    Args:
        results: The study.
        metric: A cost.
        batch: 0 for a count.
        factor: `scaled_factor` unless given.
    """
    factor = factor or scaled_factor(results)
    if factor is None:
        return []
    found = [
        _fit(results, label, cells, factor, metric, batch)
        for label, cells in scaling_series(results, factor).items()
        if len({results.model_of(cell) for cell in cells}) > 1
    ]
    return [fit for fit in found if fit is not None]


def power_law(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Exponent and factor by least squares on logarithms; all numbers are above 0."""
    x, y = np.log(sizes), np.log(values)
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    return slope, float(np.exp(y.mean() - slope * x.mean()))


def exponent_over_rounds(
    sizes: Sequence[float], rounds: Sequence[Mapping[int, float]]
) -> Estimate | None:
    """Median over the rounds that all sizes share of each round's exponent, with its interval.

    Args:
        sizes: (n,) above 0, of which two differ.
        rounds: n times round -> cost above 0, of one timing run.
    """
    shared = sorted(set.intersection(*(set(one) for one in rounds)))
    if not shared:
        return None
    return median_interval([power_law(sizes, [one[r] for one in rounds])[0] for r in shared])


def _fit(
    results: Results, label: str, cells: Sequence[Variant], factor: str, metric: str, batch: int
) -> Fit | None:
    rounds = {v.cell: results.by_round(v, metric, batch) for v in cells} if batch else {}
    values: dict[str, float] = {}
    for cell in cells:
        value = results.count(cell, metric) if not batch else _median(rounds[cell.cell])
        if value is not None and value > 0 and cell.numbers[factor] > 0:
            values[cell.cell] = value
    known = tuple(cell for cell in cells if cell.cell in values)
    sizes, costs = [cell.numbers[factor] for cell in known], [values[cell.cell] for cell in known]
    models = {results.model_of(cell) for cell in known}
    if min(len(set(sizes)), len(models)) < FEWEST_CELLS or len(set(sizes)) < len(sizes):
        return None
    exponent = Estimate(power_law(sizes, costs)[0], None, None, 1)
    runs = {found.timing_run for cell in known if (found := results.cost_record(cell))}
    if batch and len(runs) == 1:
        exponent = exponent_over_rounds(sizes, [rounds[c.cell] for c in known]) or exponent
    x, y = np.log(sizes), np.log(costs)
    at_one = float(np.exp(y.mean() - exponent.value * x.mean()))  # through the middle of the costs
    ends = pairwise(zip(x, y, strict=True))
    slopes = [float((y1 - y0) / (x1 - x0)) for (x0, y0), (x1, y1) in ends]
    return Fit(label, known, exponent, at_one, (min(slopes), max(slopes)))


def _median(rounds: Mapping[int, float]) -> float | None:
    return median(rounds.values()) if rounds else None
