import numpy as np
import pytest
from outcomes import with_record

from analysis.figures.attention import draw_attention
from analysis.figures.clips import draw_clips
from analysis.figures.style import house_style
from analysis.results.results import Results

CLASSES = ("up", "down", "still")
FRAMES = np.random.default_rng(1).integers(0, 256, (2, 4, 8, 8, 3), dtype=np.uint8)
INDEX = np.array([3, 1])
LABELS = np.array([0, 1, 2, 2])  # of the test split


def outcome(maker, label, seed, answers, places=0, frames=FRAMES):
    """A run that kept clips 3 and 1; with `places` a side it also kept attention of two blocks."""
    kept = {"index": INDEX, "labels": LABELS[INDEX], "frames": frames}
    if places:
        rng = np.random.default_rng(seed)
        received = rng.random((2, 2, 4, places, places)).astype(np.float32)
        kept["received"] = received / received.sum(axis=(2, 3, 4), keepdims=True)
        between = rng.random((2, 2, 4, 4)).astype(np.float32)
        kept["between"] = between / between.sum(axis=3, keepdims=True)
    made = maker.answered(label, seed, answers, LABELS, CLASSES)
    examples = maker.save(f"{label}-{seed}-examples.npz", kept)
    return with_record(made, artifacts={**made.record.artifacts, "examples": examples})


def results_of(maker, *outcomes):
    labels = dict.fromkeys(one.levels["variant"] for one in outcomes)
    return Results(maker.study({"variant": list(labels)}), outcomes, maker.root)


def draw(function, results):
    with house_style():
        return function(results)


def texts_of(axes):
    return [line for text in axes.texts for line in text.get_text().split("\n")]


def test_a_strip_is_the_clip_s_own_frames_side_by_side(maker):
    figure = draw(draw_clips, results_of(maker, outcome(maker, "VLF", 0, [0, 1, 2, 2]))).figure

    strips = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    for clip, strip in zip(FRAMES, strips, strict=True):
        for time, frame in enumerate(clip):
            left = time * (8 + 2)
            assert np.array_equal(strip[:, left : left + 8], frame)
    numbers = [text.get_text() for text in figure.axes[1].get_xticklabels()]
    assert numbers == ["1", "2", "3", "4"]


def test_each_cell_s_answers_stand_beside_the_clip_s_class(maker):
    results = results_of(
        maker,
        outcome(maker, "VLF", 0, [0, 1, 2, 2]),
        outcome(maker, "VLF", 1, [0, 0, 2, 2]),
        outcome(maker, "TSN", 0, [0, 2, 2, 1]),
    )

    axes = draw(draw_clips, results).figure.axes

    assert texts_of(axes[0]) == ["still"]  # clip 3
    assert texts_of(axes[2]) == ["VLF: ✓ still (2)", "TSN: ✗ down"]
    assert texts_of(axes[3]) == ["down"]  # clip 1
    assert texts_of(axes[5]) == ["VLF: ✓ down (1), ✗ up (1)", "TSN: ✗ still"]


def test_cells_with_other_clips_are_left_out_and_counted(maker):
    results = results_of(
        maker,
        outcome(maker, "VLF", 0, [0, 1, 2, 2]),
        outcome(maker, "TSN", 0, [0, 1, 2, 2], frames=FRAMES[:, :2]),
    )

    drawing = draw(draw_clips, results)

    assert texts_of(drawing.figure.axes[2]) == ["VLF: ✓ still"]
    assert "1 of 2 cells" in drawing.caption


def test_of_several_sets_of_clips_that_of_most_cells_is_shown(maker):
    results = results_of(
        maker,
        outcome(maker, "VLF", 0, [0, 1, 2, 2], frames=FRAMES[:, :2]),
        outcome(maker, "no g", 0, [0, 1, 2, 2]),
        outcome(maker, "TSN", 0, [0, 1, 2, 2]),
    )

    axes = draw(draw_clips, results).figure.axes

    assert texts_of(axes[2]) == ["no g: ✓ still", "TSN: ✓ still"]


def test_maps_show_the_last_block_s_attention_over_its_even_share(maker):
    made = outcome(maker, "VLF", 0, [0, 1, 2, 2], places=2)
    results = results_of(maker, made, outcome(maker, "TSN", 0, [0, 1, 2, 2]))

    figure = draw(draw_attention, results).figure

    (kept,) = results.arrays(results.variants[0], "examples")
    rows = [axes for axes in figure.axes if len(axes.images) == 4]
    assert len(rows) == 2  # one cell, two clips
    for clip, axes in enumerate(rows):
        for time, image in enumerate(axes.images):
            truth = kept["received"][clip, -1, time] * (4 * 2 * 2)
            assert np.asarray(image.get_array()) == pytest.approx(truth, rel=1e-5)
            left, right, bottom, top = image.get_extent()
            assert (left, right) == (time * 10 - 0.5, time * 10 + 7.5)  # under its frame
            assert (bottom, top) == (7.5, -0.5)
    labels = [text for axes in figure.axes for text in texts_of(axes)]
    assert labels == ["still", "to frame", "VLF", "down", "to frame", "VLF"]


def test_the_matrix_is_from_frame_to_frame(maker):
    results = results_of(maker, outcome(maker, "VLF", 0, [0, 1, 2, 2], places=1))

    figure = draw(draw_attention, results).figure

    (kept,) = results.arrays(results.variants[0], "examples")
    matrices = [a.images[0].get_array() for a in figure.axes if len(a.images) == 1]
    square = [one for one in matrices if one.shape == (4, 4)]
    assert np.asarray(square[1]) == pytest.approx(kept["between"][1, -1] * 4)


@pytest.mark.parametrize("function", [draw_clips, draw_attention])
def test_records_that_kept_nothing_give_no_figure(maker, function):
    made = maker.train({"variant": "VLF"}, 0, 80.0)

    assert draw(function, results_of(maker, made)) is None


def test_frames_without_attention_give_no_map(maker):
    assert draw(draw_attention, results_of(maker, outcome(maker, "TSN", 0, [0, 1, 2, 2]))) is None


def test_of_a_long_clip_the_first_and_last_frame_are_among_those_shown(maker):
    frames = np.random.default_rng(2).integers(0, 256, (2, 20, 4, 4, 3), dtype=np.uint8)
    results = results_of(maker, outcome(maker, "VLF", 0, [0, 1, 2, 2], frames=frames))

    drawing = draw(draw_clips, results)

    numbers = [text.get_text() for text in drawing.figure.axes[1].get_xticklabels()]
    assert (numbers[0], numbers[-1], len(numbers)) == ("1", "20", 8)
    assert "8 of 20 frames" in drawing.caption
