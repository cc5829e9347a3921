"""Nothing of a figure is cut: every text lies inside of it, whatever cells are called."""

import dataclasses
import itertools

import pytest
from matplotlib.text import Text

from analysis.figures import FIGURES
from analysis.figures.style import DPI, freeze_layout, house_style
from analysis.results.results import Results
from vlf.config import load_object

LONG = "a variant whose name its author has written out in full, with reasons, and then some more"
HOSTILE = [
    LONG,
    "$x_1$ & 100 %",
    "two\nlines",
    "w" * 70,
    "视频✨变体视频变体视频变体视频变体",
    "\\frac{1}{2}^_~#",
]
SWEEP = {
    "train.lr": ["5e-4", "1e-3", "2e-3", "4e-3"],
    "train.optimizer": ["adamw", "sgd"],
    "train.weight_decay": ["0", "0.05"],
}


def numbers_of(levels):
    found = {}
    for name, level in levels.items():
        try:
            found[name] = float(level)
        except ValueError:
            continue
    return found


def study_of(maker, factors, cells, one_model=False, **changes):
    outcomes, cost = [], None
    for number, levels in enumerate(cells):
        numbers = numbers_of(levels)
        for seed in (0, 1):
            top1 = 40.0 + 3 * (number % 17) + seed * (1 + number % 3)
            outcomes.append(maker.train(levels, seed, top1, numbers=numbers))
        if cost is None or not one_model:
            made = maker.cost(levels, 1e5 + 1e3 * number, 1e7 + 1e6 * number, 2 + number / 7)
        cost = made if cost is None else cost
        shared = cost.record if one_model else made.record
        fields = {**made.__dict__, "cell": maker_name(levels), "levels": levels}
        outcomes.append(type(made)(**{**fields, "numbers": numbers, "record": shared}))
    return Results(maker.study(factors, **changes), outcomes, maker.root)


def maker_name(levels):
    return ", ".join(f"{name}={label}" for name, label in levels.items())


def sweep(maker, one_model=True):
    base = {"train.lr": "5e-4", "train.optimizer": "adamw", "train.weight_decay": "0"}
    cells = [base] + [
        {**base, name: label} for name, labels in SWEEP.items() for label in labels[1:]
    ]
    return study_of(maker, SWEEP, cells, one_model, design="one_at_a_time")


def crossed(maker, labels, sizes):
    factors = {"variant": labels, "data.frames": sizes}
    cells = [{"variant": a, "data.frames": str(b)} for a, b in itertools.product(labels, sizes)]
    return study_of(maker, factors, cells)


STUDIES = {
    "seven": lambda maker, seven: seven,
    "sweep": lambda maker, seven: sweep(maker),
    "sweep of models": lambda maker, seven: sweep(maker, one_model=False),
    "hostile": lambda maker, seven: study_of(
        maker, {"variant": HOSTILE}, [{"variant": one} for one in HOSTILE]
    ),
    "hostile, crossed": lambda maker, seven: crossed(maker, HOSTILE[:4], [2, 4, 8]),
    "sixty": lambda maker, seven: study_of(
        maker,
        {"variant": [f"variant number {i}" for i in range(60)]},
        [{"variant": f"variant number {i}"} for i in range(60)],
    ),
    "many sizes": lambda maker, seven: crossed(maker, ["VLF"], list(range(1, 41))),
}


def texts_outside(figure, monkeypatch):
    """Texts, as they are drawn, with by how many pixels they reach beyond the figure."""
    drawn, usual = [], Text.draw

    def draw(text, renderer):
        usual(text, renderer)
        if text.get_visible() and text.get_text().strip():
            drawn.append((text.get_text(), text.get_window_extent(renderer)))

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", draw)
        figure.canvas.draw()
    assert drawn
    whole = figure.bbox
    for text, box in drawn:
        over = max(whole.x0 - box.x0, box.x1 - whole.x1, whole.y0 - box.y0, box.y1 - whole.y1)
        if over > 2:
            yield text, round(over)


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("sweep", "auto"),
        ("hostile", "auto"),
        *(
            pytest.param(name, style, marks=pytest.mark.slow)
            for name in STUDIES
            for style in ("auto", "single")
            if (name, style) not in (("sweep", "auto"), ("hostile", "auto"))
        ),
    ],
)
def test_every_text_of_every_figure_lies_inside_of_it(maker, seven, name, style, monkeypatch):
    results = STUDIES[name](maker, seven)
    results.study.report.__dict__["style"] = style

    outside = []
    drawn = 0
    for figure, entry in FIGURES.items():
        with house_style():
            drawing = load_object(entry)(results)
            if drawing is None:
                continue
            drawn += 1
            drawing.figure.set_dpi(DPI)
            freeze_layout(drawing.figure)
            outside += [(figure, *found) for found in texts_outside(drawing.figure, monkeypatch)]
    assert drawn >= 3
    assert outside == []


def test_a_sweep_shows_accuracy_over_each_number_and_no_cost_that_all_cells_share(maker):
    results = sweep(maker)

    with house_style():
        drawn = {name: load_object(entry)(results) for name, entry in FIGURES.items()}
    costs = ("accuracy_macs", "accuracy_latency", "accuracy_parameters", "accuracy_memory")
    assert not any(drawn[name] for name in (*costs, "cost_parts", "heatmap"))
    rate, decay = drawn["scaling"].figure.axes
    assert (rate.get_xlabel(), decay.get_xlabel()) == ("Lr", "Weight decay")
    assert rate.get_xscale() == "log"
    assert [one.get_text() for one in rate.get_xticklabels()] == SWEEP["train.lr"]
    line = next(one for one in rate.containers if one.get_label() == "baseline")
    assert line.lines[0].get_xdata().tolist() == [5e-4, 1e-3, 2e-3, 4e-3]
    labels = [one.get_text() for one in drawn["seeds"].figure.axes[0].get_yticklabels()]
    assert set(labels) == {
        "baseline", "lr 1e-3", "lr 2e-3", "lr 4e-3", "optimizer sgd", "weight decay 0.05",
    }  # fmt: skip


def test_cells_that_differ_in_training_alone_share_a_bar_of_their_cost(maker):
    cells = [
        {"variant": variant, "train.lr": lr} for variant in ("VLF", "TSN") for lr in ("0.1", "0.2")
    ]
    results = study_of(maker, {"variant": ["VLF", "TSN"], "train.lr": ["0.1", "0.2"]}, cells)
    records = {v: next(o.record for o in results.outcomes if o.kind == "cost" and v in o.cell)
               for v in ("VLF", "TSN")}  # fmt: skip
    outcomes = [
        dataclasses.replace(one, record=records[one.levels["variant"]])
        if one.kind == "cost"
        else one
        for one in results.outcomes
    ]
    shared = Results(results.study, outcomes, maker.root)

    with house_style():
        bars = load_object(FIGURES["cost_parts"])(shared).figure.axes[0]
        scaling = load_object(FIGURES["scaling"])(shared).figure
    assert [one.get_text() for one in bars.get_yticklabels()] == ["VLF", "TSN"]
    # The learning rate changes no cost: top-1 alone is shown over it.
    assert [axes.get_ylabel() for axes in scaling.axes] == ["Top-1 (%)"]
