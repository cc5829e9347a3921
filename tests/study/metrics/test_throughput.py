import pytest

from study.measure.metrics.throughput import derive_throughput
from study.records.record import Measurement


def test_throughput_is_clips_per_second_of_each_latency_sample():
    latency = Measurement(
        "latency", "ms", "lower", (10.0, 20.0), None, {"batch_size": 8}, rounds=(0, 1)
    )
    parameters = Measurement("parameters", "1", "lower", (5.0,))

    (throughput,) = derive_throughput([parameters, latency]).measurements

    assert throughput.samples == pytest.approx([800.0, 400.0])
    assert (throughput.unit, throughput.better) == ("clips/s", "higher")
    assert throughput.rounds == (0, 1)
    assert throughput.conditions == {"batch_size": 8}
