"""What the embedded clips are for: the label is in the order of frames. Trains real models."""

import numpy as np
import pytest
import torch

from vlf.config import RunConfig
from vlf.data import open_clips
from vlf.data.datasets.motion import MIRROR
from vlf.evaluate import evaluate
from vlf.train import train_model

CPU = torch.device("cpu")


class Reversed:
    """The test clips, last frame first."""

    def __init__(self, clips):
        self.clips, self.labels = clips, clips.labels
        self.classes, self.heads, self.views = clips.classes, clips.heads, clips.views

    def __len__(self):
        return len(self.clips)

    def load_views(self, index):
        return self.clips.load_views(index).flip(1)


def train(model, folder, epochs=8):
    data = {"name": "motion", "train_clips": 1600, "val_clips": 10, "test_clips": 500}
    recipe = {"epochs": epochs, "lr": 3e-3}
    config = RunConfig.model_validate({"data": data, "model": model, "train": recipe})
    trained = train_model(config, 0, CPU, checkpoint=folder / "checkpoint.pt")
    return trained.model, open_clips(config.data, "test")


@pytest.mark.slow
def test_a_trained_vlf_takes_reversed_clips_for_their_mirrored_classes(tmp_path):
    model, test = train({"name": "vlf"}, tmp_path)

    forward = evaluate(model, test, CPU, "fp32")
    backward = evaluate(model, Reversed(test), CPU, "fp32")

    mirrored = torch.from_numpy(np.array(MIRROR))[backward.labels]
    said = backward.scores.argmax(dim=1)
    assert forward.top(1) > 40
    assert float((said == mirrored).double().mean() * 100) > 0.8 * forward.top(1)
    assert backward.top(1) < 0.5 * forward.top(1)


@pytest.mark.slow
def test_a_trained_tsn_stays_at_chance(tmp_path):
    model, test = train({"name": "tsn"}, tmp_path)

    assert 6 < evaluate(model, test, CPU, "fp32").top(1) < 15  # chance is 10, of 500 clips
