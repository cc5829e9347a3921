"""Clips answered in a second."""

from collections.abc import Sequence

from study.measure.metrics.subject import Reading
from study.records.record import Measurement


def derive_throughput(measurements: Sequence[Measurement]) -> Reading:
    """Clips a second, one sample for every latency sample: batch size / latency.

    What is inside and outside the number is as for latency: one call after the other, no overlap of
    calls and no loading of data.
    """
    return Reading(
        tuple(
            Measurement(
                metric="throughput",
                unit="clips/s",
                better="higher",
                samples=tuple(_clips_per_second(timing, ms) for ms in timing.samples),
                conditions=timing.conditions,
                rounds=timing.rounds,
            )
            for timing in measurements
            if timing.metric == "latency"
        )
    )


def _clips_per_second(timing: Measurement, ms: float) -> float:
    return float(timing.conditions["batch_size"]) / ms * 1e3
