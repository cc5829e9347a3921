import numpy as np
import pytest
from scipy import stats

from vlf.data.datasets.scenes import (
    CLASSES,
    DISTRACTOR,
    LABELS,
    MIRROR,
    PAIR,
    draw_scenes,
    label_of,
)

COUNT = 4000  # 400 scenes a class


def values_at(scenes, times):
    """What a frame shows, one column a variable: (N, T, V)."""
    ends = np.broadcast_to(
        np.stack([scenes.bearing, scenes.anchor], -1)[:, None], (*times.shape, 2)
    )
    parts = [
        scenes.pair.at(times),
        scenes.distractor.at(times),
        scenes.camera_at(times),
        ends,
    ]
    return np.concatenate(parts, axis=2)


def seen_motion(pair):
    """The variable with the greatest change from first to last frame, and its direction."""
    change = pair[:, -1] - pair[:, 0]
    most = np.abs(change).argmax(axis=1)
    return [(PAIR[v], int(np.sign(c[v]))) for v, c in zip(most, change, strict=True)]


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(0, "train", np.arange(COUNT))


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_every_variable_of_a_frame_is_distributed_alike_in_all_classes(scenes, frames):
    frame = np.random.default_rng(frames).integers(0, frames, COUNT)
    values = values_at(scenes, scenes.times(frames))[np.arange(COUNT), frame]
    labels = label_of(np.arange(COUNT))
    p = [
        stats.ks_2samp(column[labels == k], column[labels != k]).pvalue
        for column in values.T
        for k in range(len(CLASSES))
    ]
    assert min(p) * len(p) > 0.01  # Bonferroni over all variables and classes


def test_the_variables_of_a_frame_hang_together_no_more_in_one_class_than_in_another(scenes):
    frame = np.random.default_rng(0).integers(0, 8, COUNT)
    values = values_at(scenes, scenes.times(8))[np.arange(COUNT), frame]
    # Also the distances from the middle, where a dependence without a direction would show.
    both = np.concatenate([values, np.abs(values - values.mean(0))], axis=1)
    labels, pairs = label_of(np.arange(COUNT)), np.triu_indices(both.shape[1], 1)
    p = [stats.spearmanr(both[labels == k]).pvalue[pairs] for k in range(len(CLASSES))]
    within = both.shape[1] // 2  # a column and its own distance may depend on each other
    own = pairs[1] - pairs[0] == within
    assert min(q[~own].min() for q in p) * len(p) * (~own).sum() > 0.01


def test_the_greatest_change_of_the_pair_is_the_label(scenes):
    pair = scenes.pair.at(scenes.times(8))
    assert seen_motion(pair) == [LABELS[k][1:] for k in label_of(np.arange(COUNT))]


def test_reversed_in_time_every_clip_shows_its_mirrored_class(scenes):
    pair = scenes.pair.at(scenes.times(8))[:, ::-1]
    assert seen_motion(pair) == [LABELS[MIRROR[k]][1:] for k in label_of(np.arange(COUNT))]


def test_opposite_words_are_mirrors():
    assert {(CLASSES[k], CLASSES[m]) for k, m in enumerate(MIRROR) if k < m} == {
        ("move right", "move left"),
        ("move up", "move down"),
        ("grow", "shrink"),
        ("go toward", "go away"),
        ("turn clockwise", "turn counter-clockwise"),
    }
    assert [MIRROR[m] for m in MIRROR] == list(range(len(CLASSES)))


def test_more_frames_are_more_moments_of_one_course(scenes):
    few, many = scenes.times(4), scenes.times(16)
    assert np.allclose(np.diff(few), 1 / 4)
    assert np.allclose(np.diff(many), 1 / 16)
    assert few.min() >= 0
    assert few.max() < 1
    # Between two neighbours in time nothing moves further than it moves in that time.
    near = np.abs(many[:, None, :] - few[:, :, None]).argmin(2)
    there = np.take_along_axis(values_at(scenes, many), near[..., None], axis=1)
    assert np.abs(there - values_at(scenes, few)).max() < 2 * 0.8 / 16


def test_the_distractor_has_a_motion_of_its_own_whatever_the_label(scenes):
    moves = scenes.distractor.drift != 0
    assert (moves.sum(axis=1) == 1).all()
    table = np.zeros((len(CLASSES), len(DISTRACTOR)))
    np.add.at(table, (label_of(np.arange(COUNT)), moves.argmax(axis=1)), 1)
    assert stats.chi2_contingency(table).pvalue > 0.01


def test_a_scene_depends_on_seed_split_and_its_own_number_alone():
    index = np.arange(30)
    scenes = draw_scenes(3, "val", index)
    alone = draw_scenes(3, "val", index[17:18])
    assert np.array_equal(scenes.pair.start[17:18], alone.pair.start)
    for other in (draw_scenes(4, "val", index), draw_scenes(3, "test", index)):
        assert not np.isin(other.pair.start, scenes.pair.start).any()
