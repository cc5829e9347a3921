"""RAPL by a folder made by hand; no number is taken from this machine."""

import sys

import pytest
import torch
from torch import nn

from study.measure.metrics import energy
from study.measure.metrics.energy import Meter, find_meter, joules_a_clip, measure_energy
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

CLIP = torch.zeros(1, 2, 3, 4, 4)


class Burning(nn.Module):
    """Uses 3 J and half a second a call."""

    def __init__(self, machine):
        super().__init__()
        self.machine = machine

    def forward(self, x):
        self.machine.joules = (self.machine.joules + 3.0) % self.machine.wrap
        self.machine.now += 0.5
        return x


class Machine:
    joules, now, wrap = 0.0, 0.0, 1e9

    def meter(self):
        return Meter("fake", lambda: self.joules, self.wrap)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(energy, "perf_counter", lambda: machine.now)
    return machine


def test_energy_is_the_meters_difference_over_all_clips_of_the_window(machine):
    subject = Subject("cell", Burning(machine), CLIP)

    assert joules_a_clip(subject, 4, CostConfig(), machine.meter()) == pytest.approx(3 / 4)
    assert machine.now == 0.5 + energy.WINDOW_S  # one call before it


def test_a_counter_that_starts_again_is_read_right(machine):
    machine.wrap, machine.joules = 20.0, 10.0  # 12 J go by: 13 to 5
    subject = Subject("cell", Burning(machine), CLIP)

    assert joules_a_clip(subject, 1, CostConfig(), machine.meter()) == pytest.approx(3.0)


def rapl(folder, **domains):
    for name, (kind, microjoules) in domains.items():
        domain = folder / name.replace("_", ":")
        domain.mkdir()
        (domain / "name").write_text(f"{kind}\n")
        (domain / "energy_uj").write_text(f"{microjoules}\n")
        (domain / "max_energy_range_uj").write_text("262143000000\n")


def test_rapl_sums_packages_and_memory_and_no_part_of_a_package(monkeypatch, tmp_path):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    folder = {
        "intel-rapl_0": ("package-0", 5_000_000),
        "intel-rapl_0_0": ("core", 4_000_000),
        "intel-rapl_0_1": ("dram", 1_500_000),
        "intel-rapl_1": ("package-1", 2_000_000),
    }
    rapl(tmp_path, **folder)

    meter = find_meter("cpu")

    assert (meter.name, meter.joules()) == ("rapl", pytest.approx(8.5))
    assert meter.wrap == 0.0  # which of them started again could not be told


def test_one_package_alone_says_where_it_starts_again(monkeypatch, tmp_path):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    rapl(tmp_path, **{"intel-rapl_0": ("package-0", 5_000_000)})

    assert find_meter("cpu").wrap == pytest.approx(262143.0)


def measured(machine=None):
    model = Burning(machine) if machine else nn.Identity()
    return measure_energy([Subject("cell", model, CLIP)], CostConfig(), Watch())["cell"]


def test_without_a_counter_it_is_not_measured_and_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)

    reading = measured()

    assert reading.measurements == ()
    assert reading.notes == (f"energy not measured: {tmp_path} has no RAPL counter",)


def test_a_counter_that_stands_still_is_no_energy_of_0(monkeypatch, tmp_path, machine):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    rapl(tmp_path, **{"intel-rapl_0": ("package-0", 5_000_000)})

    reading = measured(machine)

    assert reading.measurements == ()
    assert reading.notes == ("energy not measured: the counter of rapl stood still or wrapped",)


def test_three_rounds_give_three_samples_of_the_first_batch_size(monkeypatch, machine):
    monkeypatch.setattr(energy, "find_meter", lambda device: machine.meter())

    (measurement,) = measured(machine).measurements

    assert (measurement.metric, measurement.unit) == ("energy", "J")
    assert measurement.samples == pytest.approx((3.0,) * 3)
    assert measurement.conditions["meter"] == "fake"


def test_a_gpu_without_the_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)

    with pytest.raises(RuntimeError, match="pip install nvidia-ml-py"):
        find_meter("cuda")
