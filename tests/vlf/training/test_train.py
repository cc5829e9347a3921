import math

import pytest
import torch
from training import CPU, fit

from vlf.checkpoint import read_checkpoint, write_checkpoint
from vlf.config import RunConfig
from vlf.data import open_clips
from vlf.evaluate import Predictions, evaluate
from vlf.models import build_model
from vlf.recipe import build_optimizer, learning_rate
from vlf.train import DivergedError, StoppedError


def small_run(**train):
    data = {"name": "motion", "frames": 4, "size": 32, "limit": 24}
    model = {"name": "vlf", "width": 16, "heads": 2, "spatiotemporal_depth": 1, "dropout": 0.1}
    train = {"epochs": 3, "batch_size": 8, "lr": 1e-3, **train}
    return RunConfig.model_validate({"data": data, "model": model, "train": train})


def weights(trained):
    return {name: value.clone() for name, value in trained.model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class KilledError(Exception):
    """Raised by a test in the middle of a run."""


def stop_after(epoch):
    def on_epoch(done, epochs):
        if done == epoch:
            raise KilledError

    return on_epoch


def test_two_runs_with_one_seed_have_identical_weights_and_another_seed_has_not(tmp_path):
    first = weights(fit(small_run(), tmp_path / "a"))

    assert same(first, weights(fit(small_run(), tmp_path / "b")))
    assert not same(first, weights(fit(small_run(), tmp_path / "c", seed=1)))


@pytest.mark.parametrize("train", [{}, {"select": "best"}, {"optimizer": "sgd", "lr": 0.05}])
def test_a_run_stopped_after_any_epoch_goes_on_to_the_same_numbers(tmp_path, train):
    config = small_run(**train)
    whole = fit(config, tmp_path / "whole")
    for epoch in (1, 2):
        with pytest.raises(KilledError):
            fit(config, tmp_path / f"stopped{epoch}", on_epoch=stop_after(epoch))

        done = []
        resumed = fit(
            config,
            tmp_path / f"resumed{epoch}",
            resume_from=tmp_path / f"stopped{epoch}" / "checkpoint.pt",
            on_epoch=lambda at, of, done=done: done.append(at),
        )

        assert done == list(range(epoch + 1, 4))  # what was done is not done again
        assert same(weights(whole), weights(resumed))
        for name in ("train_loss", "train_top1", "val_loss", "val_top1", "lr"):
            assert whole.curves[name] == resumed.curves[name]
        assert whole.epoch == resumed.epoch


@pytest.mark.parametrize("train", [{}, {"select": "best"}])
@pytest.mark.parametrize("steps", [1, 2, 3, 6])  # asked twice in an epoch of three steps
def test_a_run_stopped_after_any_step_goes_on_to_the_same_numbers(tmp_path, train, steps):
    config = small_run(**train)
    whole = fit(config, tmp_path / "whole")
    asked = iter(range(100))
    with pytest.raises(StoppedError, match="stopped in epoch"):
        fit(config, tmp_path / "stopped", should_stop=lambda: next(asked) == steps - 1)

    resumed = fit(config, tmp_path / "resumed", resume_from=tmp_path / "stopped" / "checkpoint.pt")

    assert same(weights(whole), weights(resumed))
    for name in ("epoch", "train_loss", "train_top1", "val_loss", "val_top1", "lr"):
        assert whole.curves[name] == resumed.curves[name]


def flip_a_bit(content):
    return content[:500] + bytes([content[500] ^ 1]) + content[501:]


@pytest.mark.parametrize("damage", [lambda b: b[:100], flip_a_bit, lambda b: b""])
def test_a_damaged_checkpoint_counts_as_none(tmp_path, damage):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"epoch": 3, "model": {"w": torch.ones(4)}})
    assert read_checkpoint(path)["epoch"] == 3

    path.write_bytes(damage(path.read_bytes()))

    assert read_checkpoint(path) is None


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"epoch": Payload()})

    assert read_checkpoint(path) is None
    assert not (tmp_path / "ran").exists()


def test_a_run_that_diverges_says_so(tmp_path):
    config = small_run(optimizer="sgd", lr=100.0, momentum=0.99, clip_norm=0, warmup_epochs=0)

    with pytest.raises(DivergedError, match=r"loss is (nan|inf) in epoch .* below 100"):
        fit(config, tmp_path)


def test_training_lowers_the_loss_on_what_it_sees(tmp_path):
    trained = fit(small_run(epochs=40, lr=5e-3, schedule="constant"), tmp_path)

    losses = trained.curves["train_loss"]
    assert losses[0] == pytest.approx(math.log(10), rel=0.05)  # ten classes, no idea yet
    assert losses[-1] < 0.5 * losses[0]
    assert trained.curves["train_top1"][-1] > 60


def test_select_best_reports_the_epoch_that_was_best_on_validation(tmp_path):
    config = small_run(epochs=6, select="best")
    trained = fit(config, tmp_path)

    val_top1 = trained.curves["val_top1"]
    assert val_top1[trained.epoch - 1] == max(val_top1)
    answers = evaluate(trained.model, open_clips(config.data, "val"), CPU, "fp32")
    assert answers.top(1) == max(val_top1)


def test_top_k_counts_labels_among_the_highest_scores():
    scores = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    answers = Predictions(scores, torch.tensor([0, 1, 2, 1]), ("a", "b", "c"), views=1)

    assert answers.top(1) == 50.0
    assert answers.top(2) == 75.0
    assert answers.loss() == pytest.approx(-sum(map(math.log, (0.5, 0.2, 0.1, 0.5))) / 4)


def test_the_rate_warms_up_linearly_then_follows_a_cosine_to_zero():
    train = small_run(epochs=10, lr=1.0, warmup_epochs=1.0).train

    rates = [learning_rate(train, step, steps_per_epoch=4) for step in range(40)]

    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[4 + 18] == pytest.approx(0.5)  # half way of 36 steps
    assert rates[39] == pytest.approx(0.5 * (1 + math.cos(math.pi * 35 / 36)))


def test_the_step_schedule_falls_tenfold_at_each_milestone():
    train = small_run(epochs=10, lr=1.0, warmup_epochs=0.0, schedule="step").train

    rates = [learning_rate(train, step, steps_per_epoch=1) for step in range(10)]

    assert rates == pytest.approx([1.0] * 6 + [0.1] * 3 + [0.01])


def test_weight_decay_spares_biases_norms_and_embeddings(tmp_path):
    config = small_run()
    model = build_model(config.model, config.data)
    decayed, spared = build_optimizer(model, config.train).param_groups

    layers = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
    }
    assert {id(p) for p in decayed["params"]} == layers
    assert spared["weight_decay"] == 0.0
    assert len(decayed["params"]) + len(spared["params"]) == len(list(model.parameters()))
