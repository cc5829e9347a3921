import dataclasses

import pytest

from analysis.figures.seeds import draw_seeds
from analysis.figures.style import house_style, looks
from analysis.results.results import Results
from analysis.stats.estimates import paired_difference
from study.spec.settings import ReportConfig

RUNS = {"VLF": (80.0, 82.0, 84.0), "no g": (79.0, 78.0, 77.0)}


@pytest.fixture
def results(maker):
    return Results(maker.study({"variant": list(RUNS)}), maker.runs(RUNS), maker.root)


def draw(results):
    with house_style():
        return draw_seeds(results)


def drawn(axes, gid):
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def test_every_seed_is_a_point_with_its_cell_s_look(results):
    axes = draw(results).figure.axes[0]

    styles = looks(results)
    for line, (label, values) in zip(drawn(axes, "seeds"), RUNS.items(), strict=True):
        assert list(line.get_xdata()) == list(values)
        assert (line.get_color(), line.get_marker()) == (styles[label].color, styles[label].marker)
    assert [text.get_text() for text in axes.get_yticklabels()] == list(RUNS)


def test_a_seed_stands_at_the_same_height_in_each_row(results):
    axes = draw(results).figure.axes[0]

    first, second = (line.get_ydata() for line in drawn(axes, "seeds"))
    assert list(second - first) == pytest.approx([1, 1, 1])
    assert list(first) == sorted(first)  # the axis points down: seed 0 is the highest


def test_mean_and_interval_are_those_of_the_table(results):
    axes = draw(results).figure.axes[0]

    for variant, mean, interval in zip(
        results.variants, drawn(axes, "mean"), drawn(axes, "interval"), strict=True
    ):
        truth = results.accuracy(variant)
        assert list(mean.get_xdata()) == [truth.value]
        assert list(interval.get_xdata()) == [truth.low, truth.high]


def test_differences_are_paired_by_seed(results):
    axes = draw(results).figure.axes[1]

    (line,), (interval,) = drawn(axes, "seeds"), drawn(axes, "interval")
    assert list(line.get_xdata()) == [-1.0, -4.0, -7.0]
    truth = paired_difference(*(dict(enumerate(RUNS[label])) for label in ("no g", "VLF")))
    assert list(interval.get_xdata()) == [truth.low, truth.high]
    assert "Difference to VLF (points)" in axes.get_xlabel()


def test_one_seed_is_one_point_without_an_interval(maker):
    outcomes = [maker.train({"variant": "VLF"}, 4, 80.0)]
    results = Results(maker.study({"variant": ["VLF"]}), outcomes, maker.root)

    drawing = draw(results)

    (axes,) = drawing.figure.axes
    assert drawn(axes, "interval") == []
    assert "one seed: no interval" in drawing.caption


def test_in_a_single_column_the_panels_stand_above_each_other(results):
    report = ReportConfig(baseline=results.study.report.baseline, style="single")
    narrow = Results(
        dataclasses.replace(results.study, report=report), results.outcomes, results.root
    )

    figure = draw(narrow).figure

    first, second = (axes.get_subplotspec() for axes in figure.axes)
    assert (first.rowspan.start, second.rowspan.start) == (0, 1)
    assert figure.get_figwidth() == 3.3
