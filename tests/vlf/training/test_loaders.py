"""Clips loaded ahead make the numbers of clips loaded when they are needed."""

import threading

import numpy as np
import pytest
import torch
from training import CPU, fit

from vlf.config import ConfigError, RunConfig
from vlf.data import open_clips
from vlf.data.preparation.write_video import write_video
from vlf.evaluate import evaluate
from vlf.parallel import Group
from vlf.run import Run
from vlf.train import StoppedError

CURVES = ("train_loss", "train_top1", "val_loss", "val_top1", "lr")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Nine noisy videos of different lengths."""
    folder = tmp_path_factory.mktemp("videos")
    draws = np.random.default_rng(0)
    lines = []
    for number in range(9):
        frames = draws.integers(0, 255, (8 + number, 24, 28, 3)).astype(np.uint8)
        write_video(folder / f"{number}.mp4", frames, chroma=False)
        lines.append(f"{number}.mp4 {number % 3}\n")
    for split in ("train", "val", "test"):
        (folder / f"{split}.txt").write_text("".join(lines))
    return folder


VARIED = {
    "sampling": "dense",
    "stride": 2,
    "views": 2,
    "crops": 3,
    "crop": "multi_scale",
    "jitter": [0.2, 0.2, 0.2, 0.1],
    "flip": 0.5,
    "flip_swaps": [[0, 1]],
    "rand_augment": 2,
}


def small_run(root, data=None, **train):
    data = {"name": "video_list", "root": str(root), "num_classes": 3, "frames": 2, "size": 16} | (
        data or {}
    )
    model = {"name": "vlf", "width": 16, "heads": 2, "spatiotemporal_depth": 1, "dropout": 0.1}
    train = {"epochs": 3, "batch_size": 2, "lr": 1e-3, **train}
    return RunConfig.model_validate({"data": data, "model": model, "train": train})


def assert_same(one, other):
    for name in CURVES:
        assert one.curves[name] == other.curves[name]
    for name, value in one.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], value)


@pytest.fixture(scope="module")
def alone(root, tmp_path_factory):
    return fit(small_run(root), tmp_path_factory.mktemp("alone"))


@pytest.mark.parametrize("loaders", [1, 2, 5])
def test_any_number_of_loaders_makes_the_same_numbers(root, tmp_path, alone, loaders):
    before = threading.active_count()
    assert_same(fit(small_run(root), tmp_path, loaders=loaders), alone)
    assert threading.active_count() == before


@pytest.mark.parametrize("train", [{}, {"mixup": 0.4, "cutmix": 1.0}])
def test_variations_and_mixed_batches_are_the_same_too_when_it_was_stopped(root, tmp_path, train):
    config = small_run(root, VARIED, epochs=2, **train)
    whole = fit(config, tmp_path / "whole")
    asked = iter(range(100))
    with pytest.raises(StoppedError):
        fit(config, tmp_path / "a", loaders=3, should_stop=lambda: next(asked) == 2)
    resumed = fit(config, tmp_path / "b", resume_from=tmp_path / "a" / "checkpoint.pt", loaders=2)
    assert_same(resumed, whole)
    plain = fit(small_run(root, epochs=2), tmp_path / "plain")
    assert plain.curves["train_loss"] != whole.curves["train_loss"]


def test_a_mirrored_clip_is_trained_on_with_its_swapped_label(root):
    config = small_run(root, {"flip": 1.0, "flip_swaps": [[0, 1]]})
    plain, flipped = (Run(one, 0, CPU, Group(), 0) for one in (small_run(root), config))
    for (clips, labels), (mirrored, swapped) in zip(
        *([(b.clips, b.labels) for b in run._batches(0)] for run in (plain, flipped)), strict=True
    ):
        assert torch.equal(mirrored, clips.flip(-1))
        assert swapped.tolist() == [{0: 1, 1: 0, 2: 2}[label] for label in labels.tolist()]


def test_mixed_labels_weigh_the_loss_by_their_shares(root):
    run = Run(small_run(root, mixup=1.0, batch_size=9), 0, CPU, Group(), 0)
    (batch,) = run._batches(0)
    clips, shares = run._mix(batch)
    with torch.no_grad():
        run.model.eval()
        logs = run.model(clips).log_softmax(1)
        assert ((shares > 0.01) & (shares < 0.99)).any()
        expected = -(shares * logs).sum(1).mean()
    loss, _ = run._step(clips, shares, 1.0)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_the_test_split_gets_the_same_scores(root, alone):
    clips = open_clips(small_run(root).data, "test")
    scores = [evaluate(alone.model, clips, CPU, "fp32", loaders).scores for loaders in (0, 3)]
    assert torch.equal(*scores)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_stopped_inside_an_epoch_it_goes_on_with_other_loaders(root, tmp_path, alone, steps):
    before = threading.active_count()
    asked = iter(range(100))
    with pytest.raises(StoppedError, match="stopped in epoch"):
        fit(
            small_run(root),
            tmp_path / "stopped",
            loaders=3,
            should_stop=lambda: next(asked) == steps - 1,
        )
    assert threading.active_count() == before
    resumed = fit(
        small_run(root),
        tmp_path / "resumed",
        resume_from=tmp_path / "stopped" / "checkpoint.pt",
        loaders=1,
    )
    assert_same(resumed, alone)


@pytest.mark.slow
def test_processes_that_share_a_batch_have_loaders_each(root, tmp_path):
    config = small_run(root, processes=2, epochs=1)
    with_them = fit(config, tmp_path / "with", loaders=2)
    assert_same(with_them, fit(config, tmp_path / "without"))


def test_a_video_that_a_loader_cannot_decode_ends_the_run_with_its_line(root, tmp_path):
    before = threading.active_count()
    (root / "torn.mp4").write_bytes((root / "3.mp4").read_bytes()[:300])
    (root / "torn.txt").write_text("0.mp4 0\n1.mp4 1\ntorn.mp4 2\n")
    config = small_run(root)
    config = config.model_copy(
        update={"data": config.data.model_copy(update={"train": "torn.txt"})}
    )
    with pytest.raises(ConfigError, match=r'torn\.txt:3: ".*torn\.mp4" cannot be decoded'):
        fit(config, tmp_path, loaders=2)
    assert threading.active_count() == before
