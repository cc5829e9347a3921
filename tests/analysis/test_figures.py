import itertools

import numpy as np
import pytest

from analysis.figures import FIGURES
from analysis.figures.confusion import confusion_matrix, draw_matrices
from analysis.figures.labels import label_points
from analysis.figures.pareto import pareto_front
from analysis.figures.save import FORMATS, save_figure
from analysis.figures.style import LAYOUT_DIGITS, freeze_layout, house_style, looks, new_figure
from analysis.results.results import Results
from vlf.config import load_object

VLF_FRAMES = {"variant": ["VLF", "VTN-like", "TimeSformer-like"], "data.frames": [2, 4, 8, 16]}
DEPTHS = {"model.spatial_depth": [0, 1, 2], "model.spatiotemporal_depth": [1, 2, 4]}


def draw(name, results):
    with house_style():
        return load_object(FIGURES[name])(results)


@pytest.fixture
def depths(maker):
    return Results(maker.study(DEPTHS), maker.depths(), maker.root)


@pytest.fixture
def frames(maker):
    return Results(maker.study(VLF_FRAMES), maker.frames(), maker.root)


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def lines_of(axes):
    return {
        line.get_label(): line
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }


def test_the_pareto_front_keeps_what_nothing_beats_in_both():
    costs, accuracies = [1.0, 2.0, 3.0, 4.0, 2.0], [50.0, 70.0, 60.0, 80.0, 70.0]

    assert pareto_front(costs, accuracies) == [0, 1, 3]


def test_a_confusion_matrix_is_percent_of_each_true_class():
    found = confusion_matrix(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 3)

    assert found[:2] == pytest.approx(np.array([[200 / 3, 100 / 3, 0], [0, 100, 0]]))
    assert np.isnan(found[2]).all()  # a class that was never shown


def test_accuracy_against_macs_shows_each_cell_where_its_numbers_are(seven):
    axes = draw("accuracy_macs", seven).figure.axes[0]

    points = {(bar.lines[0].get_xdata()[0], bar.lines[0].get_ydata()[0]) for bar in axes.containers}
    assert points == {
        (seven.count(variant, "macs"), seven.accuracy(variant).value) for variant in seven.variants
    }
    assert sorted(texts_of(axes)) == sorted(variant.label for variant in seven.variants)
    assert "clip" in axes.get_xlabel()
    assert axes.get_ylabel() == "Top-1 (%)"


def test_intervals_in_the_figure_are_those_of_the_table(seven):
    axes = draw("accuracy_latency", seven).figure.axes[0]

    spans = set()
    for bar in axes.containers:
        for collection in bar.lines[2]:
            (x0, y0), (x1, y1) = collection.get_segments()[0]
            if x0 == x1:
                spans.add((round(y0, 6), round(y1, 6)))
    accuracies = [seven.accuracy(variant) for variant in seven.variants]
    assert spans == {(round(one.low, 6), round(one.high, 6)) for one in accuracies}


@pytest.mark.parametrize("name", ["accuracy_macs", "accuracy_latency"])
def test_names_beside_points_do_not_cover_each_other_or_leave_the_figure(seven, name):
    figure = draw(name, seven).figure
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]

    assert len(boxes) == 7
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]
    width, height = figure.canvas.get_width_height()
    assert all(b.x0 >= 0 and b.x1 <= width and b.y0 >= 0 and b.y1 <= height for b in boxes)


def test_names_of_points_in_one_place_are_pushed_apart():
    with house_style():
        figure = new_figure(3.3, 2.7)
        axes = figure.add_subplot()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        freeze_layout(figure)
        points = [(0.5 + 0.002 * i, 0.5) for i in range(8)]

        label_points(axes, points, [f"variant {i}" for i in range(8)], ["k"] * 8)

        boxes = [text.get_window_extent() for text in axes.texts]
    assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.overlaps(b)]


def test_a_variant_looks_the_same_in_every_figure(frames):
    styles = looks(frames)

    for name in ("scaling", "training_curves"):
        drawn = lines_of(draw(name, frames).figure.axes[0])
        for label in VLF_FRAMES["variant"]:
            if name == "scaling":
                container = next(
                    c
                    for c in draw(name, frames).figure.axes[0].containers
                    if c.get_label() == label
                )
                line = container.lines[0]
            else:
                line = drawn[label]
            assert line.get_color() == styles[label].color
            assert line.get_marker() == styles[label].marker


def test_looks_differ_in_more_than_colour(maker):
    names = [f"v{i}" for i in range(20)]
    study = maker.study({"variant": names})
    outcomes = [maker.cost({"variant": name}, 10, 1e6, 1.0) for name in names]

    found = looks(Results(study, outcomes, maker.root))

    assert len(set(map(repr, found.values()))) == 20
    assert len({(look.marker, repr(look.line)) for look in found.values()}) == 20


def test_scaling_draws_each_series_over_the_number(frames):
    axes = draw("scaling", frames).figure.axes

    assert [one.get_ylabel() for one in axes] == [
        "Top-1 (%)",
        "Latency (ms, batch 1)",
        "MACs per clip",
    ]
    vlf = next(c for c in axes[2].containers if c.get_label() == "VLF")
    assert list(vlf.lines[0].get_xdata()) == [2, 4, 8, 16]
    assert list(vlf.lines[0].get_ydata()) == pytest.approx([61.2e6 * k / 8 for k in (2, 4, 8, 16)])


def test_a_study_with_one_numeric_factor_scales_over_it(maker):
    levels = [{"data.frames": str(k)} for k in (2, 4)]
    outcomes = [
        maker.train(one, 0, 50.0 + i, numbers={"data.frames": 2.0 * (i + 1)})
        for i, one in enumerate(levels)
    ]
    results = Results(maker.study({"data.frames": [2, 4]}), outcomes, maker.root)

    axes = draw("scaling", results).figure.axes[0]

    assert [list(c.lines[0].get_ydata()) for c in axes.containers] == [[50.0, 51.0]]


def test_the_heat_map_has_each_mean_in_its_place(depths):
    axes = draw("heatmap", depths).figure.axes[0]

    values = np.asarray(axes.collections[0].get_array()).reshape(3, 3)
    for variant in depths.variants:
        row = [0, 1, 2].index(int(variant.numbers["model.spatial_depth"]))
        column = [1, 2, 4].index(int(variant.numbers["model.spatiotemporal_depth"]))
        assert values[row, column] == pytest.approx(depths.accuracy(variant).value)


def test_stacked_parts_end_at_the_total(seven):
    axes = draw("cost_parts", seven).figure.axes[0]

    ends = {}
    for bar in axes.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        ends[row] = max(ends.get(row, 0), bar.get_x() + bar.get_width())
    totals = [seven.count(variant, "macs") / 1e6 for variant in seven.variants]
    assert [ends[row] for row in range(7)] == pytest.approx(totals)


def test_training_curves_are_the_mean_and_the_range_over_seeds(seven):
    axes = draw("training_curves", seven).figure.axes[0]

    kept = [arrays["val_top1"] for arrays in seven.arrays(seven.variants[0], "curves")]
    first = axes.get_lines()[0]
    assert first.get_ydata() == pytest.approx(np.mean(kept, axis=0))
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((np.min(kept), np.max(kept)))


def test_confusion_is_averaged_over_seeds_and_names_the_classes(seven):
    figure = draw("confusion", seven).figure

    first = figure.axes[0]
    assert first.get_title() == "VLF"
    assert [label.get_text() for label in first.get_yticklabels()][:2] == ["right", "left"]
    diagonal = np.diag(first.images[0].get_array()).mean()
    kept = seven.arrays(seven.variants[0], "predictions")
    truth = np.mean([(one["logits"].argmax(1) == one["labels"]).mean() for one in kept])
    assert diagonal == pytest.approx(100 * truth)


@pytest.mark.parametrize("panels", [3, 4, 5, 7, 8, 11])
def test_names_of_classes_leave_room_for_titles_when_the_last_row_of_panels_is_not_full(
    seven, panels
):
    names = ["turn counter-clockwise"] * 10
    with house_style():
        drawn = [("VLF", np.eye(10), names)] * panels
        figure, grid, _ = draw_matrices(seven, drawn, "Share", "Blues", (0, 1))
        freeze_layout(figure)
        figure.draw_without_rendering()  # squares and titles get their places when they are drawn

    tops = [axes.title.get_window_extent().y1 for axes in grid[:panels]]
    assert max(tops) <= figure.bbox.y1


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_without_data_is_left_out(maker, seven_study, name):
    failed = [maker.train({"variant": "VLF"}, 0, 0, status="failed", reason="killed")]

    assert draw(name, Results(seven_study, failed, maker.root)) is None


@pytest.mark.parametrize("name", ["accuracy_latency", "heatmap", "scaling"])
def test_a_dollar_sign_in_a_label_is_drawn_as_it_is(maker, tmp_path, name):
    label = "a$b$_x"
    study = maker.study({"variant": [label], **DEPTHS})
    outcomes = []
    for outcome in maker.depths(seeds=(0,)):
        levels = {"variant": label, **outcome.levels}
        made = {**outcome.__dict__, "levels": levels, "cell": f"variant={label}, {outcome.cell}"}
        outcomes.append(type(outcome)(**made))

    saved = save_figure(name, FIGURES[name], Results(study, outcomes, maker.root), tmp_path)

    assert saved is not None


def test_figures_are_the_same_bytes_every_time_and_embed_their_fonts(seven, tmp_path):
    first = save_figure("accuracy_macs", FIGURES["accuracy_macs"], seven, tmp_path / "a")
    second = save_figure("accuracy_macs", FIGURES["accuracy_macs"], seven, tmp_path / "b")

    assert [path.suffix[1:] for path in first.paths] == list(FORMATS)
    assert [p.read_bytes() for p in first.paths] == [p.read_bytes() for p in second.paths]
    pdf = first.paths[0].read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


@pytest.mark.parametrize("name", ["accuracy_macs", "confusion", "cost_parts"])
def test_a_place_has_no_more_digits_than_every_run_of_the_solver_agrees_on(seven, name):
    figure = draw(name, seven).figure
    freeze_layout(figure)

    for axes in figure.axes:
        bounds = axes.get_position(original=True).bounds
        assert np.allclose(bounds, np.round(bounds, LAYOUT_DIGITS), rtol=0, atol=1e-15)


def test_a_caption_of_one_seed_promises_no_interval(maker, seven_study):
    one_seed = Results(seven_study, maker.seven(seeds=(0,)), maker.root)

    drawing = draw("accuracy_macs", one_seed)

    assert "(one seed: no interval)" in drawing.caption
    assert all(not bar.lines[2] for bar in drawing.figure.axes[0].containers)


def test_a_title_that_is_too_long_for_its_panel_is_wrapped(frames):
    titles = [axes.get_title() for axes in draw("confusion", frames).figure.axes]

    assert "TimeSformer-like,\nframes 16" in titles
