import numpy as np
import torch

from vlf.data.transforms import crop_clip, resize_frames, short_side


def numbered(height, width, frames=2):
    """Frames whose red tells the row and whose green tells the column."""
    clip = np.zeros((frames, height, width, 3), np.uint8)
    clip[..., 0] = np.arange(height)[:, None]
    clip[..., 1] = np.arange(width)
    return clip


def test_the_short_side_is_brought_to_the_wanted_one_and_the_shape_is_kept():
    assert resize_frames(numbered(40, 80), 20).shape == (2, 3, 20, 40)
    assert resize_frames(numbered(90, 30), 20).shape == (2, 3, 60, 20)
    assert resize_frames(numbered(10, 15), 20).shape == (2, 3, 20, 30)


def test_frames_that_fit_are_left_alone():
    frames = numbered(20, 30)
    assert np.array_equal(resize_frames(frames, 20).permute(0, 2, 3, 1).numpy(), frames)


def test_shrinking_averages_what_it_leaves_out():
    stripes = np.zeros((1, 32, 32, 3), np.uint8)
    stripes[:, :, ::2] = 200
    small = resize_frames(stripes, 8).float()
    assert (small[..., 1:-1] - 100).abs().max() < 15


def test_a_test_crop_is_the_centre():
    clip = resize_frames(numbered(24, 40), 24)
    crop = crop_clip(clip, 20, None)
    assert crop.shape == (2, 3, 20, 20)
    assert crop[0, 0, 0, 0] == 2  # rows 2 to 21 of 24
    assert crop[0, 1, 0, 0] == 10  # columns 10 to 29 of 40


def test_a_training_crop_reaches_every_place_and_is_the_same_in_all_frames():
    clip = resize_frames(numbered(22, 23), 22)
    places = set()
    for seed in range(200):
        crop = crop_clip(clip, 20, np.random.default_rng(seed))
        assert torch.equal(crop[0], crop[1])
        places.add((int(crop[0, 0, 0, 0]), int(crop[0, 1, 0, 0])))
    assert places == {(row, column) for row in range(3) for column in range(4)}


def test_the_margin_is_about_that_of_256_to_224():
    assert short_side(224) == 258
    assert short_side(32) == 37
