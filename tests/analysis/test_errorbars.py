import itertools

import numpy as np

from analysis.figures.pareto import Gathered, draw_accuracy_latency
from analysis.figures.style import new_figure
from analysis.results.results import Results


def rounded(values):
    return np.round(np.asarray(values, dtype=float), 6)


def drawn(axes):
    """Marks and ends of intervals, as (x, y) and (x, y, x, y), rounded, in no order."""
    marks, spans = set(), set()
    for bar in axes.containers:
        marks |= set(zip(*rounded(bar.lines[0].get_data()), strict=True))
        for collection in bar.lines[2]:
            spans |= {tuple(rounded(one).ravel()) for one in collection.get_segments()}
    return marks, spans


def test_points_that_are_drawn_together_stand_where_they_would_alone():
    rng = np.random.default_rng(0)
    alone, together = (new_figure(3, 3).add_subplot() for _ in range(2))
    gathered = Gathered(together)
    for number in range(60):
        x, y = rng.random(2)
        error = rng.random((2, 1))
        xerr, yerr = (None, error) if number % 3 else (error, error * 2)
        style = {"color": "red" if number % 2 else "blue", "linestyle": "none"}
        alone.errorbar(x, y, xerr=xerr, yerr=yerr, **style)
        gathered.errorbar(x, y, xerr=xerr, yerr=yerr, **style)

    assert together.containers == []
    gathered.draw()

    assert drawn(together) == drawn(alone)
    assert len(together.containers) == 4  # two colours, with and without an interval in x


def test_a_figure_of_many_cells_shows_each_of_them_with_its_intervals(maker):
    study = maker.study({"variant": ["VLF", "TSN"], "data.seed": list(range(60))})
    outcomes = []
    for name, number in itertools.product(("VLF", "TSN"), range(60)):
        levels, numbers = {"variant": name, "data.seed": str(number)}, {"data.seed": float(number)}
        for seed in (0, 1):
            top1 = 30 + number / 4 + seed + len(name)
            outcomes.append(maker.train(levels, seed, top1, numbers=numbers))
        outcomes.append(maker.cost(levels, 9, 1e6, 1 + number / 50, numbers=numbers))
    results = Results(study, outcomes, maker.root)

    marks, spans = drawn(draw_accuracy_latency(results).figure.axes[0])

    expected = set()
    for variant in results.variants:
        accuracy, latency = results.accuracy(variant), results.cost(variant, "latency", 1)
        x, y = latency.value, accuracy.value
        expected |= {(x, accuracy.low, x, accuracy.high), (latency.low, y, latency.high, y)}
        assert (round(x, 6), round(y, 6)) in marks
    assert len(marks) == 120
    assert spans == {tuple(rounded(one)) for one in expected}
