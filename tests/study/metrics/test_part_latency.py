import itertools

import pytest
import torch
from modules import Clock
from torch import nn

from study.measure.metrics import part_latency
from study.measure.metrics.part_latency import measure_part_latency, time_parts
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

CLIP = torch.zeros(1, 2, 3, 4, 4)


class Ticking(nn.Module):
    """Lets the clock go on by so many ms."""

    def __init__(self, clock, ms):
        super().__init__()
        self.clock, self.ms = clock, ms

    def forward(self, x):
        self.clock.now += self.ms / 1e3
        return x


class Model(nn.Module):
    """g is called once for each frame, h is a child that no call enters, 5 ms are in no part."""

    def __init__(self, clock):
        super().__init__()
        self.f, self.g, self.head = Ticking(clock, 30), Ticking(clock, 10), Ticking(clock, 1)
        self.h = nn.Identity()
        self.clock = clock

    def forward(self, x):
        x = self.f(x)
        for _ in range(x.shape[1]):
            x = self.g(x)
        self.clock.now += 0.005
        return self.head(x)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(part_latency, "perf_counter", clock)
    return clock


def test_a_part_has_all_the_time_of_its_calls_and_the_whole_has_the_rest_too(clock):
    model = Model(clock)

    found = time_parts(lambda: model(CLIP), model)

    assert found == pytest.approx({"": 56.0, "f": 30.0, "g": 20.0, "head": 1.0})


def test_no_hook_is_left_behind(clock):
    model = Model(clock)

    time_parts(lambda: model(CLIP), model)

    hooks = ([*m._forward_hooks, *m._forward_pre_hooks] for m in model.modules())
    assert list(itertools.chain(*hooks)) == []


def measured(clock, **protocol):
    subject = Subject("cell", Model(clock).eval(), CLIP)
    return measure_part_latency([subject], CostConfig(**protocol), Watch())


def test_every_round_gives_each_part_a_sample_at_the_first_batch_size(clock):
    measurements = measured(clock, batch_sizes=[4, 1])["cell"].measurements

    assert [m.part for m in measurements] == [None, "f", "g", "head"]
    for one in measurements:
        assert (one.metric, one.unit, one.rounds) == ("part_latency", "ms", tuple(range(10)))
        assert one.conditions["batch_size"] == 4
        assert one.conditions["mode"] == "eager"


def test_what_takes_long_has_fewer_rounds_and_at_least_three(clock):
    # A quarter of the budget holds 4 turns of 2 calls of 56 ms, or less than one.
    assert len(measured(clock, budget_s=4 * 4.5 * 0.112)["cell"].measurements[0].samples) == 4
    assert len(measured(clock, budget_s=0.01)["cell"].measurements[0].samples) == 3


def test_without_an_eager_mode_or_without_parts_nothing_is_measured(clock):
    assert measured(clock, modes=["compile"]) == {}
    bare = Subject("bare", nn.Flatten(), CLIP)
    assert measure_part_latency([bare], CostConfig(), Watch()) == {}
