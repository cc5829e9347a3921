import pytest
from matplotlib.colors import to_rgba
from outcomes import with_record

from analysis.figures import FIGURES
from analysis.figures.style import house_style, looks
from analysis.results.results import Results
from study.records.record import Measurement
from vlf.config import load_object

# a costs least; b costs more for more; c costs as b and has less; d is dear and worst.
CELLS = {"a": (50.0, 10), "b": (80.0, 20), "c": (60.0, 20), "d": (40.0, 30)}


def with_energy(made, joules):
    at = {"batch_size": 1, "meter": "rapl"}
    one = Measurement("energy", "J", "lower", joules, None, at, tuple(range(len(joules))))
    return with_record(made, measurements=(*made.record.measurements, one))


@pytest.fixture
def results(maker):
    outcomes = []
    for label, (top1, cost) in CELLS.items():
        levels = {"variant": label}
        outcomes += [maker.train(levels, seed, top1 + seed) for seed in range(3)]
        made = maker.cost(levels, 1000 * cost, 1e6 * cost, float(cost))
        outcomes.append(with_energy(made, (0.1 * cost, 0.2 * cost, 0.15 * cost)))
    return Results(maker.study({"variant": list(CELLS)}), outcomes, maker.root)


def draw(name, results):
    with house_style():
        return load_object(FIGURES[name])(results)


def marks_of(axes):
    """(x, y) -> the line of its marker."""
    lines = [bar.lines[0] for bar in axes.containers]
    return {(one.get_xdata()[0], one.get_ydata()[0]): one for one in lines}


@pytest.mark.parametrize(
    ("name", "costs", "unit"),
    [
        ("accuracy_macs", {k: 1e6 * c for k, (_, c) in CELLS.items()}, "MACs per clip"),
        ("accuracy_parameters", {k: 1e3 * c for k, (_, c) in CELLS.items()}, "Parameters"),
        ("accuracy_memory", {k: 200.0 + c for k, (_, c) in CELLS.items()}, "MiB, batch 8"),
        ("accuracy_energy", {k: 0.15 * c for k, (_, c) in CELLS.items()}, "J per clip"),
    ],
)
def test_each_cost_has_its_points_in_its_own_unit(results, name, costs, unit):
    drawing = draw(name, results)

    axes = drawing.figure.axes[0]
    found = {round(x, 6): y for x, y in marks_of(axes)}
    assert found == {round(costs[k], 6): top1 + 1 for k, (top1, _) in CELLS.items()}
    assert unit in axes.get_xlabel()


def test_the_front_is_full_and_joined_and_what_it_beats_is_hollow(results):
    axes = draw("accuracy_macs", results).figure.axes[0]

    (front,) = [line for line in axes.get_lines() if line.get_gid() == "front"]
    assert list(zip(*front.get_data(), strict=True)) == [(10e6, 51.0), (20e6, 81.0)]
    styles = looks(results)
    for (x, y), line in marks_of(axes).items():
        label = next(k for k, (top1, c) in CELLS.items() if (c * 1e6, top1 + 1) == (x, y))
        face, full = to_rgba(line.get_markerfacecolor()), to_rgba(styles[label].color)
        assert face == (full if label in "ab" else to_rgba("white"))
        assert line.get_marker() == styles[label].marker
        assert line.get_color() == styles[label].color


def test_energy_shows_the_range_of_its_few_readings(results):
    axes = draw("accuracy_energy", results).figure.axes[0]

    spans = set()
    for bar in axes.containers:
        for collection in bar.lines[2]:
            (x0, y0), (x1, y1) = collection.get_segments()[0]
            if y0 == y1:
                spans.add((round(x0, 6), round(x1, 6)))
    assert spans == {(0.1 * c, 0.2 * c) for _, c in CELLS.values()}


def test_cells_equal_in_both_are_both_on_the_front(maker):
    outcomes = []
    for label in ("a", "b"):
        outcomes += [maker.train({"variant": label}, 0, 50.0)]
        outcomes += [maker.cost({"variant": label}, 10, 1e6, 1.0)]
    results = Results(maker.study({"variant": ["a", "b"]}), outcomes, maker.root)

    axes = draw("accuracy_macs", results).figure.axes[0]

    styles = looks(results)
    faces = {bar.lines[0].get_markerfacecolor() for bar in axes.containers}
    assert faces == {styles["a"].color, styles["b"].color}
