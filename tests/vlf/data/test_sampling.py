import numpy as np
import pytest

from vlf.config import VideoListConfig
from vlf.data.sampling import draw_indices, fixed_indices, segment_indices, view_indices


def test_a_test_clip_takes_the_centre_of_each_segment():
    assert segment_indices(16, 4, None).tolist() == [2, 6, 10, 14]
    assert segment_indices(10, 4, None).tolist() == [1, 3, 6, 8]
    assert segment_indices(8, 8, None).tolist() == list(range(8))


def test_a_training_clip_takes_any_frame_of_each_segment():
    drawn = np.stack([segment_indices(12, 3, np.random.default_rng(i)) for i in range(300)])
    assert [sorted(set(column)) for column in drawn.T] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]


def test_a_short_video_shows_frames_more_than_once_and_in_order():
    assert segment_indices(3, 6, None).tolist() == [0, 0, 1, 1, 2, 2]
    for seed in range(50):
        drawn = segment_indices(3, 8, np.random.default_rng(seed))
        assert (np.diff(drawn) >= 0).all()
        assert drawn.min() >= 0
        assert drawn.max() <= 2
    assert segment_indices(1, 4, None).tolist() == [0, 0, 0, 0]


def test_views_are_equally_spaced_shifts_of_the_segments():
    assert view_indices(16, 2, 4).tolist() == [[1, 9], [3, 11], [5, 13], [7, 15]]


def test_a_single_view_is_the_centre_of_the_segments():
    for length in (1, 5, 8, 30):
        assert view_indices(length, 8, 1).tolist() == [segment_indices(length, 8, None).tolist()]


def test_a_video_without_frames_is_refused():
    with pytest.raises(ValueError, match="at least one frame, got 0"):
        segment_indices(0, 8, None)


def how(**changes):
    return VideoListConfig(root="videos", num_classes=2, **{"frames": 4, "size": 32, **changes})


def test_segments_are_what_is_drawn_unless_it_is_said_otherwise():
    for seed in range(20):
        drawn = draw_indices(30, how(), np.random.default_rng(seed))
        assert drawn.tolist() == segment_indices(30, 4, np.random.default_rng(seed)).tolist()
    assert fixed_indices(30, how(views=3)).tolist() == view_indices(30, 4, 3).tolist()


def test_uniform_frames_are_equally_far_apart_at_any_offset():
    uniform = how(sampling="uniform")
    drawn = {tuple(draw_indices(24, uniform, np.random.default_rng(i)).tolist()) for i in range(99)}
    assert drawn == {(k, k + 6, k + 12, k + 18) for k in range(6)}
    assert fixed_indices(24, uniform).tolist() == [[3, 9, 15, 21]]


def test_dense_frames_are_a_stride_apart_and_begin_anywhere_that_leaves_room():
    dense = how(sampling="dense", stride=3)
    drawn = {tuple(draw_indices(14, dense, np.random.default_rng(i)).tolist()) for i in range(99)}
    assert drawn == {(k, k + 3, k + 6, k + 9) for k in range(5)}


def test_dense_views_go_from_the_beginning_to_the_end_and_one_is_the_middle():
    assert fixed_indices(14, how(sampling="dense", stride=3)).tolist() == [[2, 5, 8, 11]]
    views = fixed_indices(14, how(sampling="dense", stride=3, views=3)).tolist()
    assert views == [[0, 3, 6, 9], [2, 5, 8, 11], [4, 7, 10, 13]]


def test_a_video_that_is_shorter_than_a_dense_clip_shows_its_last_frame_again():
    dense = how(sampling="dense", stride=4, views=2)
    assert draw_indices(6, dense, np.random.default_rng(0)).tolist() == [0, 4, 5, 5]
    assert fixed_indices(6, dense).tolist() == [[0, 4, 5, 5]] * 2
    with pytest.raises(ValueError, match="at least one frame, got 0"):
        draw_indices(0, dense, np.random.default_rng(0))


def test_a_stride_that_would_be_ignored_is_refused():
    with pytest.raises(ValueError, match="stride: is of sampling: dense, not of segments"):
        how(stride=2)
