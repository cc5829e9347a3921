import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from torch import nn

from study.measure.metrics import memory
from study.measure.metrics.memory import measure_peak_memory
from study.measure.metrics.subject import Subject
from study.spec.settings import CostConfig

MIB = 2**20
SLACK = 1  # the kernel keeps its counts of pages by thread, and sums them up late
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Filling(nn.Module):
    """Fills so many MiB in its forward call and gives them back."""

    def __init__(self, mib):
        super().__init__()
        self.mib = mib

    def forward(self, x):
        return torch.ones(self.mib * MIB // 4).sum()


def built(mib):
    return Subject("cell", Filling(mib), torch.zeros(1, 2, 3, 4, 4))


def measured(mib, earlier=0):
    """The reading of a fresh process, after so many MiB were held in it and given back.

    Fresh, because a process that ran other tests may have memory left that it would use again.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as fresh:
        return fresh.submit(_measure, mib, earlier).result()


def _measure(mib, earlier):
    if earlier:
        torch.ones(earlier * MIB // 4).sum()
    return measure_peak_memory(lambda: built(mib), 1, CostConfig())


@LINUX
def test_memory_that_is_held_for_a_moment_only_is_seen():
    reading = measured(200)

    (measurement,) = reading.measurements
    assert (measurement.metric, measurement.unit) == ("peak_memory", "MiB")
    assert measurement.conditions["batch_size"] == 1
    assert 200 - SLACK <= measurement.samples[0] < 260


@LINUX
def test_an_earlier_peak_of_the_process_is_forgotten():
    (measurement,) = measured(100, earlier=300).measurements

    assert 100 - SLACK <= measurement.samples[0] < 160


@LINUX
def test_no_growth_at_all_is_a_note_and_not_0_mib(monkeypatch):
    monkeypatch.setattr(memory, "peak_resident_mib", lambda: 100.0)
    monkeypatch.setattr(memory, "resident_mib", lambda: 100.0)

    reading = measure_peak_memory(lambda: built(1), 1, CostConfig())

    assert reading.measurements == ()
    assert "was not fresh" in reading.notes[0]


def test_where_it_cannot_be_read_there_is_a_note_and_no_number(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "missing")

    reading = measure_peak_memory(lambda: built(1), 1, CostConfig())

    assert reading.measurements == ()
    assert reading.notes[0].startswith("peak memory not measured")


@LINUX
def test_a_peak_that_imports_may_have_made_is_not_taken_for_the_models(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "no" / "such")
    torch.ones(300 * MIB // 4).sum()

    reading = measure_peak_memory(lambda: built(1), 1, CostConfig())

    assert reading.measurements == ()
    assert "imports took more" in reading.notes[0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_allocated_tensors_are_counted():
    class Cuda(Filling):
        def forward(self, x):
            return torch.ones(self.mib * MIB // 4, device=x.device).sum()

    clip = torch.zeros(1, 2, 3, 4, 4, device="cuda")

    reading = measure_peak_memory(lambda: Subject("cell", Cuda(200), clip), 1, CostConfig())

    assert 200 <= reading.measurements[0].samples[0] < 210
