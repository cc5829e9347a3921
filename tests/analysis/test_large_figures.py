"""Figures of more cells than can be told apart: what is drawn can be read, the rest is counted."""

import itertools

import pytest

from analysis.figures import FIGURES
from analysis.figures.style import freeze_layout, house_style
from analysis.results.results import Results
from vlf.config import load_object

VARIANTS = ("VLF", "TSN")
SEEDS = tuple(range(13))
RATES = tuple(one / 10_000 for one in range(1, 14))


def results_of(maker, rates, seeds=SEEDS):
    """One run of every cell of a grid; `data.seed` and `train.lr` are its numbers."""
    outcomes = []
    for label, seed, rate in itertools.product(VARIANTS, seeds, rates):
        levels = {"variant": label, "data.seed": str(seed), "train.lr": str(rate)}
        numbers = {"data.seed": float(seed), "train.lr": rate}
        outcomes.append(maker.train(levels, 0, 50.0 + seed, numbers=numbers))
    study = maker.study({"variant": VARIANTS, "data.seed": seeds, "train.lr": rates})
    return Results(study, outcomes, maker.root)


def draw(name, results):
    with house_style():
        drawing = load_object(FIGURES[name])(results)
        freeze_layout(drawing.figure)
    return drawing


@pytest.mark.parametrize("axis", ["xaxis", "yaxis"])
def test_names_of_levels_do_not_cover_each_other(maker, axis):
    axes = draw("heatmap", results_of(maker, RATES)).figure.axes[0]

    boxes = [text.get_window_extent() for text in getattr(axes, axis).get_ticklabels()]
    assert len(boxes) > 2
    for one, other in itertools.pairwise(boxes):
        assert not one.overlaps(other)


def test_squares_without_room_for_numbers_have_none_and_the_caption_says_where_they_are(maker):
    small, large = (draw("heatmap", results_of(maker, RATES[:n], SEEDS[:n])) for n in (3, 13))

    assert [text.get_text() for text in small.figure.axes[0].texts[:2]] == ["50.0", "50.0"]
    assert "main table" not in small.caption
    assert not large.figure.axes[0].texts
    assert "The numbers stand in the main table." in large.caption


def test_numbers_stay_inside_of_their_squares(maker):
    axes = draw("heatmap", results_of(maker, RATES[:4], SEEDS[:4])).figure.axes[0]

    width, height = axes.get_window_extent().size / 4
    assert axes.texts
    for text in axes.texts:
        box = text.get_window_extent()
        assert box.width < width
        assert box.height < height


def test_of_too_many_series_those_at_the_baseline_s_levels_are_drawn(maker):
    drawing = draw("scaling", results_of(maker, RATES, SEEDS[:10]))  # 20 series

    labels = [one.get_label() for one in drawing.figure.axes[0].containers]
    assert labels == ["VLF, seed 0", "TSN, seed 0"]
    assert "2 of 20 series, those at seed 0; the main table has all" in drawing.caption


def test_of_few_series_all_are_drawn(maker):
    drawing = draw("scaling", results_of(maker, RATES, SEEDS[:6]))

    assert len(drawing.figure.axes[0].containers) == 12
    assert "series" not in drawing.caption


def test_of_too_many_cells_those_that_differ_in_colour_alone_are_shown(maker):
    results = results_of(maker, RATES[:7], SEEDS[:7])
    labels = ["VLF, seed 0, lr 0.0001", "TSN, seed 0, lr 0.0001"]

    seeds, confusion = draw("seeds", results), draw("confusion", results)

    rows = [text.get_text() for text in seeds.figure.axes[0].get_yticklabels()]
    titles = [axes.get_title() for axes in confusion.figure.axes]
    assert rows == labels
    assert [title.replace("\n", " ") for title in titles if title] == labels
    for drawing in (seeds, confusion):
        assert drawing.caption.endswith(" 2 of 98 cells, those at seed 0, lr 0.0001.")


def test_of_one_factor_the_first_cells_are_shown(maker):
    labels = [f"v{number}" for number in range(50)]
    runs = [maker.train({"variant": label}, 0, 50.0) for label in labels]

    drawing = draw("seeds", Results(maker.study({"variant": labels}), runs, maker.root))

    rows = [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
    assert rows == labels[:40]
    assert drawing.caption.endswith("The first 40 of 50 cells.")
