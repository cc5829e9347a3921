"""Data-parallel training, with real processes that speak over gloo."""

import multiprocessing
import os
import signal

import pytest
import torch
from training import fit

from vlf.config import RunConfig
from vlf.data.seeds import derive
from vlf.models import build_model
from vlf.parallel import ProcessesError
from vlf.train import DivergedError, StoppedError

CURVES = ("train_loss", "train_top1", "val_loss", "val_top1", "lr")


def small_run(model=None, **train):
    data = {"name": "motion", "frames": 4, "size": 32, "limit": 25}
    if model is None:
        model = {"name": "timesformer", "patch": 8, "width": 16, "heads": 2, "depth": 1}
    train = {"epochs": 2, "batch_size": 8, "processes": 2, **train}
    return RunConfig.model_validate({"data": data, "model": model, "train": train})


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_make_the_steps_of_one_with_the_whole_batch(tmp_path, processes):
    # 25 clips in batches of 8: the last batch has one clip, fewer than there are processes.
    # SGD, since Adam turns the rounding of a gradient near 0 into a step of full size.
    recipe = {"optimizer": "sgd", "lr": 0.05}
    alone = fit(small_run(processes=1, **recipe), tmp_path / "alone")
    epochs = []

    together = fit(
        small_run(processes=processes, **recipe),
        tmp_path / "together",
        on_epoch=lambda done, of: epochs.append((done, of)),
    )

    assert epochs == [(1, 2), (2, 2)]
    for name in CURVES:
        assert together.curves[name] == pytest.approx(alone.curves[name], rel=1e-4)
    for name, value in alone.model.state_dict().items():
        torch.testing.assert_close(together.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_stopped_inside_an_epoch_it_goes_on_to_the_same_numbers(tmp_path):
    model = {"name": "vlf", "width": 16, "heads": 2, "spatiotemporal_depth": 1, "dropout": 0.1}
    config = small_run(model, epochs=30, batch_size=2)  # long enough to be stopped on the way
    whole = fit(config, tmp_path / "whole")
    begun = []
    with pytest.raises(StoppedError, match="stopped in epoch"):
        fit(
            config,
            tmp_path / "stopped",
            on_epoch=lambda done, of: begun.append(done),
            should_stop=lambda: bool(begun),
        )

    resumed = fit(config, tmp_path / "resumed", resume_from=tmp_path / "stopped" / "checkpoint.pt")

    for name in CURVES:
        assert whole.curves[name] == resumed.curves[name]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)


def test_what_one_of_them_raises_is_raised_here(tmp_path):
    config = small_run(
        optimizer="sgd", lr=100.0, momentum=0.99, clip_norm=0, warmup_epochs=0, epochs=20
    )

    with pytest.raises(DivergedError, match="below 100"):
        fit(config, tmp_path)

    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_ends_them_all_in_one_line(tmp_path):
    def kill_one(done, epochs):
        child = max(multiprocessing.active_children(), key=lambda process: process.pid)
        os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(ProcessesError, match=r"^process \d terminated with signal SIGKILL"):
        fit(small_run(epochs=500), tmp_path, on_epoch=kill_one)

    assert not multiprocessing.active_children()


def test_parameters_that_no_clip_reaches_are_left_as_they_were(tmp_path):
    small = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "patch_size": 8}
    predictor = {"pred_hidden_size": 12, "pred_num_hidden_layers": 1, "num_pooler_layers": 1}
    name = "VJEPA2ForVideoClassification"  # its predictor takes no part in classifying
    model = {"name": "transformers", "architecture": name, "settings": small | predictor}
    config = small_run(model, epochs=1, weight_decay=0.1)

    trained = fit(config, tmp_path).model.state_dict()

    torch.manual_seed(derive("weights", 0))
    start = build_model(config.model, config.data).state_dict()
    same = {key for key in start if torch.equal(start[key], trained[key])}
    assert any(".predictor." in key for key in same)
    assert {key for key in start if ".predictor." in key} <= same
    assert not {key for key in start if key.startswith("head.")} & same
