import numpy as np
import pytest

from analysis.figures.confusion_difference import draw_confusion_difference
from analysis.figures.style import house_style
from analysis.results.results import Results

LABELS = np.array([0, 0, 0, 0, 1, 1])


def outcome(maker, label, seed, answers):
    return maker.answered(label, seed, answers, LABELS, ("up", "down"))


def draw(maker, *outcomes):
    study = maker.study({"variant": ["VLF", "TSN"]})
    with house_style():
        return draw_confusion_difference(Results(study, outcomes, maker.root))


def test_a_panel_is_the_cell_less_the_baseline_averaged_over_shared_seeds(maker):
    drawing = draw(
        maker,
        outcome(maker, "VLF", 0, [0, 0, 0, 0, 1, 1]),
        outcome(maker, "VLF", 1, [0, 0, 0, 1, 1, 1]),
        outcome(maker, "VLF", 2, [1, 1, 1, 1, 0, 0]),  # of a seed that the cell has not
        outcome(maker, "TSN", 0, [0, 0, 1, 1, 1, 0]),
        outcome(maker, "TSN", 1, [0, 0, 0, 1, 1, 0]),
    )

    axes = drawing.figure.axes[0]
    # seed 0: up -50, +50, down +50, -50; seed 1: 0, 0, +50, -50
    assert np.asarray(axes.images[0].get_array()) == pytest.approx(
        np.array([[-25, 25], [50, -50.0]])
    )
    assert axes.get_title() == "TSN"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["up", "down"]
    # Deviations over 2 seeds: 35.4, 35.4, 0, 0; root mean square 25, over sqrt(2): 18
    assert "about 18 points" in drawing.caption


def test_large_entries_carry_their_sign_for_those_who_see_grey(maker):
    drawing = draw(
        maker,
        outcome(maker, "VLF", 0, [0, 0, 0, 0, 1, 1]),
        outcome(maker, "TSN", 0, [0, 0, 1, 1, 1, 0]),
    )

    axes = drawing.figure.axes[0]
    signs = {text.get_position(): text.get_text() for text in axes.texts}
    minus = "\N{MINUS SIGN}"
    assert signs == {(0, 0): minus, (1, 0): "+", (0, 1): "+", (1, 1): minus}
    assert "One seed" in drawing.caption


def test_without_the_baseline_s_predictions_there_is_no_figure(maker):
    assert draw(maker, outcome(maker, "TSN", 0, [0, 0, 1, 1, 1, 0])) is None
