import numpy as np
import pytest

from vlf.data.sampling import segment_indices, view_indices


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
