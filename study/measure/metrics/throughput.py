"""Clips per second: from the latency, and measured while the batch grows."""

from collections.abc import Callable, Sequence
from time import perf_counter

import torch
from torch import Tensor

from study.measure.metrics.latency import forward, synchronize
from study.measure.metrics.memory import available_mib, peak_growth, touch_libraries
from study.measure.metrics.subject import Reading, Subject
from study.records.record import Measurement, measured
from study.spec.settings import CostConfig


def derive_throughput(measurements: Sequence[Measurement]) -> Reading:
    """Clips a second, one sample for every latency sample: batch size / latency.

    What is inside and outside the number is as for latency: one call after the other, no overlap of
    calls and no loading of data.
    """
    found = []
    for timing in measurements:
        if timing.metric == "latency":
            batch = float(timing.conditions["batch_size"])
            rates = [batch / ms * 1e3 for ms in timing.samples]
            found.append(measured("throughput", rates, None, timing.conditions, timing.rounds))
    return Reading(tuple(found))


CALLS = 3
MEMORY_SHARE = 0.5  # of what is available, that a batch may take on CPU


def sweep_sizes(protocol: CostConfig) -> Sequence[int]:
    """1, 2, 4, ... up to `protocol.sweep_to`; none where it is None."""
    last = protocol.sweep_to or 0
    return [2**power for power in range(last.bit_length()) if 2**power <= last]


def measure_at_batch(
    build: Callable[[], Subject], batch_size: int, protocol: CostConfig
) -> Reading:
    """Clips a second at one batch size, of up to 3 calls after a first one, and the peak memory.

    Metrics "sweep_throughput" (clips/s) and "sweep_memory" (MiB, as `measure_peak_memory`). Not
    paired with other cells, unlike "throughput": each size is in a fresh process, so that one which
    exhausts the memory ends no other.
    """
    seconds: list[float] = []

    def work(subject: Subject, clip: Tensor) -> None:
        device = clip.device.type
        with torch.inference_mode():
            forward(subject.model, clip, protocol.precision)
            for _ in range(CALLS):
                synchronize(device)
                start = perf_counter()
                forward(subject.model, clip, protocol.precision)
                synchronize(device)
                seconds.append(perf_counter() - start)
                if sum(seconds) > protocol.budget_s:
                    break

    subject, found = peak_growth(build, batch_size, work, lambda: touch_libraries(protocol))
    at = subject.conditions(batch_size, protocol.precision)
    rates = [batch_size / one for one in seconds]
    rate = measured("sweep_throughput", rates, None, at, range(len(rates)))
    if isinstance(found, str):
        return Reading((rate,), (f"memory at batch {batch_size} of the sweep: {found}",))
    return Reading((rate, measured("sweep_memory", (found,), None, at)))


def why_stop(reading: Reading, protocol: CostConfig, device: str) -> str:
    """Reason not to try a batch of twice the size, or "".

    On CPU because it would take more than half of the memory that is available: the system would
    end any process, not only ours. On CUDA memory is no reason: there the failure is found by
    trying. Anywhere because the calls would take longer than `protocol.budget_s`.
    """
    values = {m.metric: (m.samples, m.conditions["batch_size"]) for m in reading.measurements}
    rates, batch = values["sweep_throughput"]
    seconds = 2 * (CALLS + 1) * int(batch) / min(rates)
    if seconds > protocol.budget_s:
        return f"{seconds:.3g} s would be more than the budget of {protocol.budget_s:g} s"
    if device != "cpu":
        return ""
    available = available_mib()
    if "sweep_memory" not in values or available is None:
        return "how much memory it takes cannot be told here"
    expected = 2 * values["sweep_memory"][0][0]
    cap = MEMORY_SHARE * available
    if expected > cap:
        return f"{expected:.0f} MiB would be more than the cap of {cap:.0f} MiB"
    return ""
