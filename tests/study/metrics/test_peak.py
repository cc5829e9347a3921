import pytest
import torch
from torch import nn

from study.measure.metrics import peak
from study.measure.metrics.peak import measure_peak, time_products
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

SUBJECTS = [Subject(name, nn.Identity(), torch.zeros(1, 2, 3, 4, 4)) for name in ("a", "b")]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(peak, "SIDES", {"cpu": (16, 32)})
    monkeypatch.setattr(peak, "TIME_S", 0.0)


def test_a_rate_is_the_cube_of_the_side_over_the_time_of_one_product(monkeypatch):
    now = 0.0

    def clock():
        nonlocal now
        now += 0.5
        return now

    monkeypatch.setattr(peak, "perf_counter", clock)

    rates = time_products(100, torch.float32, "cpu")

    assert rates == pytest.approx([100**3 / 0.5 / 1e9] * 3)


def test_every_precision_that_is_run_has_a_peak_that_all_subjects_share():
    found = measure_peak(SUBJECTS, CostConfig(modes=["eager", "bf16", "compile"]), Watch())

    assert found["a"] == found["b"]
    names = [(m.metric, m.conditions["side"]) for m in found["a"].measurements]
    assert names == [(f"peak_rate_{kind}", side) for kind in ("fp32", "bf16") for side in (16, 32)]
    assert all(min(m.samples) > 0 for m in found["a"].measurements)


def test_what_cannot_be_multiplied_is_a_note_and_no_number(monkeypatch):
    monkeypatch.setitem(peak.TYPES, "bf16", torch.quint8)

    reading = measure_peak(SUBJECTS, CostConfig(precision="bf16"), Watch())["a"]

    assert reading.measurements == ()
    assert reading.notes[0].startswith("machine's peak in bf16 not measured: ")


def test_without_subjects_nothing_is_measured():
    assert measure_peak([], CostConfig(), Watch()) == {}
