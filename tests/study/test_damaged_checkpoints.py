"""A job goes on from the newest checkpoint that is whole, and names those that are not."""

import os

import pytest
import torch

from study.executors.task import Task
from study.records.store import Key, Store
from study.run.train import run_job
from vlf.config import MotionConfig, RunConfig, TrainConfig, TSNConfig
from vlf.train import StoppedError, train_model

CONFIG = RunConfig(
    data=MotionConfig(frames=2, size=32, train_clips=32, val_clips=10, test_clips=16),
    model=TSNConfig(),
    train=TrainConfig(epochs=2, batch_size=8),
)
KEY = Key("train", "a" * 64, "f" * 64, CONFIG.model_dump(mode="json"))


def task(root, attempt="now"):
    return Task("tsn", KEY, CONFIG, 0, "cpu", root, attempt, 1.0)


def answers(record):
    (top1,) = [one.samples for one in record.measurements if one.metric == "top1"]
    return top1, record.artifacts["predictions"].sha256


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return answers(run_job(task(tmp_path_factory.mktemp("undisturbed")), lambda event: None))


def leave_checkpoint(root, attempt, steps):
    """What an attempt leaves that was stopped after so many steps."""
    path = Store(root).attempt_folder(KEY, attempt) / "checkpoint.pt"
    left = iter([False] * (steps - 1) + [True])
    with pytest.raises(StoppedError):
        train_model(CONFIG, 0, torch.device("cpu"), checkpoint=path, should_stop=lambda: next(left))
    os.utime(path, (steps, steps))  # the later attempt came further
    return path


def flip_a_bit(path):
    changed = path.stat().st_mtime
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, (changed, changed))


def cut(path):
    changed = path.stat().st_mtime
    path.write_bytes(path.read_bytes()[:1000])
    os.utime(path, (changed, changed))


@pytest.mark.parametrize("damage", [flip_a_bit, cut])
def test_the_next_checkpoint_is_taken_where_the_newest_is_damaged(tmp_path, undisturbed, damage):
    leave_checkpoint(tmp_path, "older", 1)
    damage(leave_checkpoint(tmp_path, "newer", 2))

    record = run_job(task(tmp_path), lambda event: None)

    assert record.notes == (
        "2 earlier attempt(s) left a checkpoint",
        "the checkpoint of attempt newer was damaged",
    )
    assert answers(record) == undisturbed


def test_a_run_begins_anew_where_every_checkpoint_is_damaged(tmp_path, undisturbed):
    cut(leave_checkpoint(tmp_path, "only", 1))

    record = run_job(task(tmp_path), lambda event: None)

    assert "the checkpoint of attempt only was damaged" in record.notes
    assert answers(record) == undisturbed
