import numpy as np
import torch

from vlf.data.transforms import crop_clip, crop_scaled, crop_views, resize_frames, short_side


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


def corners(clip):
    return [(int(one[0, 0, 0, 0]), int(one[0, 1, 0, 0])) for one in clip]


def test_test_crops_lie_along_the_long_side_or_in_the_corners():
    wide = resize_frames(numbered(24, 40), 24)
    assert corners(crop_views(wide, 20, 1)) == [(2, 10)]
    assert corners(crop_views(wide, 20, 3)) == [(2, 0), (2, 10), (2, 20)]
    assert corners(crop_views(wide, 20, 5)) == [(0, 0), (0, 20), (4, 0), (4, 20), (2, 10)]
    high = resize_frames(numbered(40, 24), 24)
    assert corners(crop_views(high, 20, 3)) == [(0, 2), (10, 2), (20, 2)]
    assert torch.equal(crop_views(wide, 20, 1)[0], crop_clip(wide, 20, None))


def test_multi_scale_crops_have_tsns_places_and_shapes():
    clip = resize_frames(numbered(40, 60), 40)
    found = set()
    for seed in range(600):
        crop = crop_scaled(clip, 32, (1.0, 0.75), np.random.default_rng(seed))
        assert crop.shape == (2, 3, 32, 32)
        assert torch.equal(crop[0], crop[1])
        rows, columns = crop[0, 0, :, 0].float(), crop[0, 1, 0].float()
        # Away from its edges, a scaled ramp is as steep as the crop is large.
        height, width = (float(ramp[28] - ramp[4]) / 24 * 32 for ramp in (rows, columns))
        found.add((round(height / 10), round(width / 10), int(rows[0]) // 2, int(columns[0]) // 2))
    assert {(height, width) for height, width, *_ in found} == {(4, 4), (4, 3), (3, 4), (3, 3)}
    # The largest crop has room along the width alone: 20 pixels, in quarters.
    assert {column for height, width, _, column in found if (height, width) == (4, 4)} == {
        0, 2, 5, 7, 10,
    }  # fmt: skip


def test_a_multi_scale_crop_of_the_wanted_size_is_cut_and_not_scaled():
    clip = resize_frames(numbered(32, 48), 32)
    crop = crop_scaled(clip, 32, (1.0,), np.random.default_rng(1))
    left = int(crop[0, 1, 0, 0])
    assert torch.equal(crop, clip[:, :, :, left : left + 32])
