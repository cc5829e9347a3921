import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from torch import nn

from study.measure.metrics.memory import measure_peak_memory, measure_training_memory, take_step
from study.measure.metrics.subject import Subject
from study.spec.settings import CostConfig

MIB = 2**20
SIDE = 5120  # a square float32 matrix of it is 100 MiB
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Wide(nn.Module):
    """(B, 2, 3, 4, 4) -> (B, 1): 100 MiB of weights, of which a clip's scores need the sum."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(SIDE, SIDE))

    def forward(self, x):
        return (x.flatten(1).mean(1) + self.weight.sum()).unsqueeze(1).repeat(1, 2)


class OneByOne(nn.Module):
    """Cannot be trained with one clip."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(96)

    def forward(self, x):
        return self.norm(x.flatten(1))


def build(kind):
    return Subject("cell", kind(), torch.zeros(1, 2, 3, 4, 4))


def _measure(measure, kind, budget_s):
    return measure(lambda: build(kind), 1, CostConfig(budget_s=budget_s))


def measured(measure):
    """The reading of a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as fresh:
        return fresh.submit(_measure, measure, Wide, 60.0).result()


@LINUX
def test_a_step_holds_gradients_and_both_moments_besides_the_weights():
    (answer,) = measured(measure_peak_memory).measurements
    (step,) = measured(measure_training_memory).measurements

    assert (step.metric, step.unit) == ("training_memory", "MiB")
    assert step.conditions["batch_size"] == 1
    assert 99 < answer.samples[0] < 130
    assert 399 < step.samples[0] < 460  # weights, their gradient, two moments


def test_a_model_that_cannot_be_trained_at_this_batch_has_a_note_and_no_number():
    reading = _measure(measure_training_memory, OneByOne, 60.0)

    assert reading.measurements == ()
    assert reading.notes[0].startswith("training memory at batch 1 not measured: ValueError: ")


def test_a_step_that_the_budget_does_not_hold_is_not_run():
    reading = _measure(measure_training_memory, Wide, 1e-6)

    assert reading.measurements == ()
    assert "more than the budget of 1e-06 s" in reading.notes[0]


def test_the_step_is_the_first_of_adamw():
    torch.manual_seed(0)
    clip = torch.randn(4, 2, 3, 4, 4)
    ours = nn.Sequential(nn.Flatten(), nn.Linear(96, 5))
    theirs = nn.Sequential(nn.Flatten(), nn.Linear(96, 5))
    theirs.load_state_dict(ours.state_dict())

    take_step(ours, clip, "fp32")

    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-6, weight_decay=0.0)
    loss = nn.functional.cross_entropy(theirs(clip), torch.zeros(4, dtype=torch.long))
    loss.backward()
    optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-8)
