import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from vlf.config import MotionConfig
from vlf.data.datasets import motion
from vlf.data.datasets.motion import CLASSES, Motion, draw
from vlf.data.datasets.scenes import RING, RING_WIDTH, cover_dart, cover_ring, way_from
from vlf.data.seeds import derive, rng

SMALL = MotionConfig(train_clips=60, val_clips=20, test_clips=30)


def dart_cover(clip):
    """How blue each pixel is beyond red and green, where it is much: (T, S, S)."""
    red, green, blue = clip.float().unbind(1)
    return ((blue - torch.maximum(red, green)) / 255 - 0.2).clamp(min=0)


def centre(cover):
    """Mean column and row of a cover: (T, S, S) -> (T, 2)."""
    places = torch.arange(cover.shape[-1], dtype=torch.float32)
    mass = cover.sum((1, 2))
    return torch.stack([cover.sum(1) @ places, cover.sum(2) @ places], dim=1) / mass[:, None]


def changes(name, measure, count=40):
    """Last minus first frame of `measure`, over clips of one class."""
    index = CLASSES.index(name) + len(CLASSES) * np.arange(count)
    clips = draw(MotionConfig(size=64), "train", index)
    measured = [measure(dart_cover(clip)) for clip in clips]
    return np.array([float(m[-1] - m[0]) for m in measured])


def test_two_openings_give_identical_clips_and_balanced_labels():
    first, second = Motion(SMALL, "train"), Motion(SMALL, "train")
    assert len(first) == 60
    assert torch.bincount(first.labels).tolist() == [6] * 10
    for index in range(len(first)):
        assert torch.equal(first.load_views(index), second.load_views(index))
    clip = first.load_views(0)
    assert clip.dtype == torch.uint8
    assert clip.shape == (1, 8, 3, 32, 32)


def test_a_larger_split_begins_with_the_clips_of_a_smaller_one():
    many = Motion(SMALL, "train")
    few = Motion(SMALL.model_copy(update={"limit": 7}), "train")
    assert len(few) == 7
    for index in range(7):
        assert torch.equal(few.load_views(index), many.load_views(index))


def test_splits_and_seeds_share_no_clip():
    other_seed = SMALL.model_copy(update={"seed": 1})
    opened = [Motion(SMALL, split) for split in ("train", "val", "test")]
    opened.append(Motion(other_seed, "test"))
    clips = [clips.load_views(i).numpy().tobytes() for clips in opened for i in range(20)]
    assert len(set(clips)) == len(clips)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [("move right", 0, 1), ("move left", 0, -1), ("move down", 1, 1), ("move up", 1, -1)],
)
def test_the_dart_moves_as_the_class_says(name, axis, sign):
    moved = sign * changes(name, lambda cover: centre(cover)[:, axis])
    assert np.median(moved) > 12  # of 64 pixels
    assert (moved > 0).mean() > 0.9


@pytest.mark.parametrize(("name", "sign"), [("grow", 1), ("shrink", -1)])
def test_the_dart_grows_and_shrinks_as_the_class_says(name, sign):
    grown = sign * changes(name, lambda cover: cover.sum((1, 2)))
    assert (grown > 0).mean() > 0.9


def test_a_dart_points_right_then_down_as_it_turns_clockwise():
    for turns, (column, row) in {0.0: (1, 0), 0.25: (0, 1), 0.5: (-1, 0), 0.75: (0, -1)}.items():
        way = way_from(np.array([[[0.5, 0.5]]]), 64)
        cover = cover_dart(way, np.array([[0.3]]), np.array([[turns]]), 64)[0, 0]
        rows, columns = np.nonzero(cover > 0.5)
        way = np.stack([columns - 31.5, rows - 31.5], axis=1)
        tip = way[np.hypot(*way.T).argmax()] / 64
        assert tip @ (column, row) > 0.2
        assert abs(tip @ (row, column)) < 0.06


def test_an_edge_between_two_pixels_is_drawn_as_their_share():
    for place in ((0.5, 0.5), (0.513, 0.481), (0.507, 0.492)):
        cover = cover_ring(way_from(np.array([[place]]), 32), 32)[0, 0]
        middle, half = RING * 32, RING_WIDTH * 32
        area = np.pi * ((middle + half) ** 2 - (middle - half) ** 2)
        assert cover.sum() == pytest.approx(area, rel=0.02)
        columns = cover.sum(0) @ (np.arange(32) + 0.5) / cover.sum() / 32
        assert columns == pytest.approx(place[0], abs=0.002)


def ridge_accuracy(features, labels, train):
    """Test accuracy of a linear classifier with the best of a few penalties."""
    x = features - features[:train].mean(0)
    x = np.concatenate([x / x[:train].std(0).clip(1e-6), np.ones((len(x), 1))], axis=1)
    targets = np.eye(len(CLASSES))[labels]
    gram, moment = x[:train].T @ x[:train], x[:train].T @ targets[:train]
    answers = [
        (x[train:] @ np.linalg.solve(gram + penalty * np.eye(len(gram)), moment)).argmax(1)
        for penalty in (100.0, 1000.0, 10000.0)
    ]
    return max((answer == labels[train:]).mean() for answer in answers)


def test_pixels_of_single_frames_tell_nothing_that_their_order_does_not():
    count, train = 3000, 2000
    blocks = [draw(MotionConfig(), "train", index) for index in np.split(np.arange(count), 10)]
    pooled = [F.avg_pool2d(block.flatten(0, 1).float(), 4) for block in blocks]
    small = torch.cat(pooled).unflatten(0, (count, 8))
    labels = np.arange(count) % len(CLASSES)
    picked = np.random.default_rng(0).integers(0, 8, count)
    frame = small[torch.arange(count), torch.from_numpy(picked)].flatten(1).numpy()
    mean = small.mean(1).flatten(1).numpy()
    change = (small[:, 4:].mean(1) - small[:, :4].mean(1)).flatten(1).numpy()
    # 1000 test clips at chance: 100 right, and more than 131 in one of a thousand tries.
    at_chance = stats.binom.ppf(0.999, count - train, 1 / len(CLASSES)) / (count - train)
    assert ridge_accuracy(frame, labels, train) <= at_chance
    assert ridge_accuracy(mean, labels, train) <= at_chance
    # The same classifier on the same pixels finds the label in their change.
    assert ridge_accuracy(change, labels, train) > 0.3


def test_more_pixels_show_the_same_scene():
    coarse, fine = (draw(MotionConfig(size=size), "test", np.arange(20)) for size in (32, 64))
    pooled = F.avg_pool2d(fine.float().flatten(0, 1), 2)
    error = (pooled - coarse.float().flatten(0, 1)).abs().mean()
    other = (pooled - coarse.roll(1, 0).float().flatten(0, 1)).abs().mean()
    assert error < 10
    assert other > 2 * error


def test_a_training_clip_is_the_clip_moved_by_at_most_two_pixels():
    clips = Motion(SMALL, "train")
    whole = clips.load_views(5)[0]
    shifts = set()
    for draw_number in range(12):
        moved = clips.load(5, rng("clip", draw_number))
        assert torch.equal(moved, clips.load(5, rng("clip", draw_number)))
        inside = whole[..., 2:-2, 2:-2]
        found = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if torch.equal(moved[..., down : down + 28, right : right + 28], inside)
        ]
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) > 5


def test_a_split_too_large_to_keep_is_drawn_when_asked_for(monkeypatch):
    kept = Motion(SMALL, "val")
    monkeypatch.setattr(motion, "KEEP_BYTES", 0)
    drawn = Motion(SMALL, "val")
    for index in (0, 7, 19):
        assert torch.equal(kept.load_views(index), drawn.load_views(index))
        assert torch.equal(kept.load(index, rng(index)), drawn.load(index, rng(index)))


def test_seeds_keep_apart_what_is_named_differently():
    names = [(), ("a",), ("b",), ("a", 1), ("a", "1"), ("ab", "c"), ("a", "bc"), (1, "a")]
    seeds = [derive(*name) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    # By hand: the first 8 bytes of sha256("('a', 1)"), one bit dropped.
    assert derive("a", 1) == 0x1C8EAA2DB4B89AA7
