import pytest
import torch
from torch import nn

from study.measure.metrics import throughput
from study.measure.metrics.subject import Reading, Subject
from study.measure.metrics.throughput import measure_at_batch, sweep_sizes, why_stop
from study.records.record import Measurement
from study.spec.settings import CostConfig


def test_batches_double_up_to_the_last_and_by_default_there_are_none():
    assert sweep_sizes(CostConfig()) == []
    assert sweep_sizes(CostConfig(sweep_to=1)) == [1]
    assert sweep_sizes(CostConfig(sweep_to=8)) == [1, 2, 4, 8]
    assert sweep_sizes(CostConfig(sweep_to=9)) == [1, 2, 4, 8]


class Counting(nn.Module):
    """Lets the clock go on by 50 ms a clip."""

    now = 0.0

    def forward(self, x):
        Counting.now += 0.05 * len(x)
        return x.flatten(1)


def test_every_call_after_the_first_is_a_sample_of_clips_a_second(monkeypatch):
    monkeypatch.setattr(throughput, "perf_counter", lambda: Counting.now)

    def build():
        return Subject("cell", Counting(), torch.zeros(1, 2, 3, 4, 4))

    rate = measure_at_batch(build, 4, CostConfig()).measurements[0]
    assert (rate.metric, rate.unit, rate.better) == ("sweep_throughput", "clips/s", "higher")
    assert rate.conditions["batch_size"] == 4
    assert rate.samples == pytest.approx((20.0,) * 3)

    short = measure_at_batch(build, 4, CostConfig(budget_s=0.3)).measurements[0]
    assert len(short.samples) == 2  # the second call of 0.2 s is over the budget


def reading(rate, mib=None, batch=8):
    at = {"batch_size": batch}
    rates = Measurement("sweep_throughput", "clips/s", "higher", (rate,), conditions=at)
    if mib is None:
        return Reading((rates,))
    return Reading((rates, Measurement("sweep_memory", "MiB", "lower", (mib,), conditions=at)))


@pytest.mark.parametrize(
    ("mib", "device", "why"),
    [
        (499.0, "cpu", ""),
        (501.0, "cpu", "1002 MiB would be more than the cap of 1000 MiB"),
        (None, "cpu", "how much memory it takes cannot be told here"),
        (501.0, "cuda", ""),  # found by trying
        (None, "cuda", ""),
    ],
)
def test_on_cpu_twice_the_memory_must_fit_into_half_of_what_is_available(
    monkeypatch, mib, device, why
):
    monkeypatch.setattr(throughput, "available_mib", lambda: 2000.0)

    assert why_stop(reading(800.0, mib), CostConfig(), device) == why


def test_twice_the_time_must_fit_into_the_budget(monkeypatch):
    monkeypatch.setattr(throughput, "available_mib", lambda: 2000.0)
    # 4 calls of 16 clips at 8 clips a second
    assert why_stop(reading(8.0, 1.0), CostConfig(budget_s=8.1), "cuda") == ""
    assert why_stop(reading(8.0, 1.0), CostConfig(budget_s=7.9), "cuda") == (
        "8 s would be more than the budget of 7.9 s"
    )
