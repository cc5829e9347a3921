"""The catalogue of metrics, and that every measurement takes its facts from it."""

import re
from pathlib import Path

import pytest

from study.records.metric_names import METRIC_INFO, info_of
from study.records.record import measured

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("metric", "entry"),
    [("peak_rate_bf16", "peak_rate"), ("action_top5", "top5"), ("verb_top1", "verb_top1")],
)
def test_a_family_of_metrics_has_one_entry(metric, entry):
    assert info_of(metric) == METRIC_INFO[entry]


@pytest.mark.parametrize("metric", ["idle_energy", "_top1", "latency_", "energi", "top2", ""])
def test_a_metric_without_an_entry_is_an_error(metric):
    with pytest.raises(KeyError):
        measured(metric, (1.0,))


def test_a_measurement_has_the_unit_and_the_direction_of_its_entry():
    throughput = measured("throughput", [10, 12], None, {"batch_size": 8}, [0, 1])

    assert (throughput.unit, throughput.better) == ("clips/s", "higher")
    assert (throughput.samples, throughput.rounds) == ((10.0, 12.0), (0, 1))


def test_no_metric_states_a_unit_or_a_direction_of_its_own():
    files = [path for path in (ROOT / "study").rglob("*.py") if path.name != "record.py"]
    assert [path.name for path in files if re.search(r"\bMeasurement\(", path.read_text())] == []
