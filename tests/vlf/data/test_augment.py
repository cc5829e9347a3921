import math

import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as pixels

from vlf.config import ConfigError, MotionConfig, VideoListConfig
from vlf.data.augment import SIGNED, UNSIGNED, Augment, jitter, mix_clips
from vlf.data.preparation.split_check import check_data

CLASSES = ("push left", "push right", "hold", "lift")


def config(**changes):
    return VideoListConfig(
        **{"root": "videos", "num_classes": 4, "frames": 3, "size": 16, **changes}
    )


def clip(seed=0, size=24):
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, 3, size, size), dtype=torch.uint8, generator=draws)


def farthest(one, other):
    return int((one.int() - other.int()).abs().max())


def rng(seed=0):
    return np.random.default_rng(seed)


def test_without_options_a_clip_is_left_as_it_is_and_nothing_is_drawn():
    given, draws = clip(), rng()
    for data in (config(), MotionConfig()):
        same, label = Augment(data, CLASSES)(given, 2, draws)
        assert torch.equal(same, given)
        assert label == 2
    assert draws.random() == rng().random()


def test_a_flip_mirrors_every_frame_and_swaps_the_labels_of_its_pairs():
    augment = Augment(config(flip=1.0, flip_swaps=[["push left", 1]]), CLASSES)
    given = clip()
    for label, swapped in [(0, 1), (1, 0), (2, 2), (3, 3)]:
        mirrored, now = augment(given, label, rng())
        assert now == swapped
        for x in range(24):
            assert torch.equal(mirrored[..., x], given[..., 23 - x])


def test_a_flip_happens_as_often_as_asked_and_always_with_its_label():
    augment = Augment(config(flip=0.3, flip_swaps=[[0, 1]]), CLASSES)
    given = clip()
    flipped = 0
    for seed in range(400):
        after, label = augment(given, 0, rng(seed))
        assert torch.equal(after, given.flip(-1) if label else given)
        flipped += label
    assert 90 < flipped < 150


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([["push lft", "push right"]], r"must name a class name, or 0 to 3, got 'push lft'"),
        ([[0, 4]], "must name a class name, or 0 to 3, got 4"),
        ([[0, 1], ["push right", 2]], '"push right" is in more than one pair'),
    ],
)
def test_wrong_pairs_are_told(pairs, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Augment(config(flip=0.5, flip_swaps=pairs), CLASSES)
    assert caught.value.key == "data.flip_swaps"


def test_wrong_pairs_are_told_before_anything_runs(tmp_path):
    (tmp_path / "a.mp4").touch()
    for name in ("train.txt", "test.txt"):
        (tmp_path / name).write_text("a.mp4 0\n")
    data = config(root=str(tmp_path), val="", flip=0.5, flip_swaps=[["push", "pull"]])
    with pytest.raises(ConfigError, match="must name a class name, or 0 to 3, got 'push'"):
        check_data(data)


def test_flipping_must_say_which_labels_it_swaps():
    with pytest.raises(ValueError, match=r"flip_swaps: must name the pairs .* or be \[\]"):
        config(flip=0.5)
    assert config(flip=0.5, flip_swaps=[]).flip_swaps == ()


def test_colour_is_changed_alike_in_all_frames_and_within_its_bounds():
    grey = torch.full((2, 3, 4, 4), 100, dtype=torch.uint8)
    means = []
    for seed in range(200):
        changed = jitter(grey, (0.4, 0.0, 0.0, 0.0), rng(seed))
        assert torch.equal(changed[0], changed[1])
        means.append(float(changed.float().mean()))
    assert 60 <= min(means) < 65
    assert 135 < max(means) <= 140


def test_jitter_in_its_drawn_order_is_what_torchvision_makes_of_the_same_factors():
    most, given = (0.4, 0.3, 0.2, 0.1), clip()
    draws = rng(5)
    amounts, order = draws.uniform(-1, 1, 4) * most, draws.permutation(4).tolist()
    names = ("brightness", "contrast", "saturation", "hue")
    expected = given
    for kind in order:
        factor = float(amounts[kind] + (kind != 3))
        fixed = v2.ColorJitter(**{names[kind]: (factor, factor)})
        expected = fixed(expected)
    assert farthest(jitter(given, most, rng(5)), expected) <= 2


THEIRS_SIGNED = (
    "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness",
)  # fmt: skip
THEIRS_UNSIGNED = ("Identity", "Posterize", "Solarize", "AutoContrast", "Equalize")


@pytest.mark.parametrize("magnitude", [0, 9, 17, 30])
@pytest.mark.parametrize("sign", [1, -1])
def test_every_operation_is_that_of_torchvisions_randaugment(magnitude, sign):
    theirs, given = v2.RandAugment(magnitude=magnitude), clip(size=32)
    space = theirs._AUGMENTATION_SPACE
    assert set(space) == {*THEIRS_SIGNED, *THEIRS_UNSIGNED}
    pairs = (*SIGNED, *UNSIGNED), (*THEIRS_SIGNED, *THEIRS_UNSIGNED)
    for operation, name in zip(*pairs, strict=True):
        magnitudes, signed = space[name]
        assert signed == (operation in SIGNED)
        values = magnitudes(31, 32, 32)
        value = float(values[magnitude]) if values is not None else 0.0
        if signed and sign < 0:
            value = -value
        expected = theirs._apply_image_or_video_transform(
            given, name, value, interpolation=v2.InterpolationMode.NEAREST, fill={}
        )
        ours = operation(given, (sign if signed else 1) * magnitude / 30)
        assert farthest(ours, expected) <= 1, name  # their magnitudes are float32


def test_randaugment_draws_every_operation_and_nothing_from_torch():
    augment = Augment(config(rand_augment=1, rand_magnitude=30), CLASSES)
    given, state = clip(), torch.get_rng_state()
    made = {augment(given, 0, rng(seed))[0].numpy().tobytes() for seed in range(300)}
    # 9 operations of two directions, 5 of one; random pixels are as AutoContrast leaves them.
    assert 20 <= len(made) <= 23
    assert torch.equal(torch.get_rng_state(), state)


def test_mixup_blends_each_clip_with_the_one_before_it_as_torchvision_does():
    clips, labels = torch.randn(4, 2, 3, 8, 8), torch.tensor([0, 1, 2, 2])
    mixed, shares = mix_clips(clips, labels, 4, 0.8, 0.0, rng(3))
    own = rng(3).beta(0.8, 0.8)
    params = {"labels": labels, "batch_size": 4, "num_classes": 4, "lam": own}
    theirs = v2.MixUp(num_classes=4)
    torch.testing.assert_close(mixed, theirs.transform(tv_tensors.Video(clips), params))
    torch.testing.assert_close(shares, theirs.transform(labels, params))
    assert shares[0].tolist() == pytest.approx([own, 0, 1 - own, 0])
    assert shares[3].tolist() == pytest.approx([0, 0, 1, 0])


def test_cutmix_shares_labels_by_the_area_that_was_put_in():
    zeros_and_ones = torch.arange(2.0)[:, None, None, None, None].expand(2, 3, 3, 10, 20)
    for seed in range(50):
        mixed, shares = mix_clips(zeros_and_ones, torch.tensor([0, 1]), 2, 0.0, 1.0, rng(seed))
        put_in = float(mixed[0].mean())  # of the one, into the zero
        assert shares[0].tolist() == pytest.approx([1 - put_in, put_in], abs=1e-6)
        assert shares[1].tolist() == pytest.approx([put_in, 1 - put_in], abs=1e-6)
        assert torch.equal(mixed[0, 0, 0], mixed[0, 2, 2])  # the same box everywhere
        rows, columns = (mixed[0, 0, 0] > 0).any(1), (mixed[0, 0, 0] > 0).any(0)
        assert float(mixed[0, 0, 0].sum()) == float(rows.sum() * columns.sum())  # and a box


def test_with_both_a_batch_draws_one_of_them():
    clips = torch.randn(2, 1, 3, 8, 8)
    kinds = set()
    for seed in range(40):
        mixed, _ = mix_clips(clips, torch.tensor([0, 1]), 2, 1.0, 1.0, rng(seed))
        kinds.add(bool(torch.isin(mixed, clips).all()))
    assert kinds == {True, False}


def test_shears_are_about_the_corner_and_as_wide_as_the_search_had_them():
    given = torch.zeros(1, 1, 41, 41, dtype=torch.uint8)
    given[..., 20] = 255
    sheared = SIGNED[0](given, 1.0)
    top, bottom = (int(sheared[0, 0, row].argmax()) for row in (0, 40))
    assert abs((top - bottom) / 40) == pytest.approx(0.3, abs=0.05)
    assert math.isclose(pixels.rotate(given, 0).float().mean(), given.float().mean())
