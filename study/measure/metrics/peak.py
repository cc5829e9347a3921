"""Peak rate of the machine: large matrix products, by arithmetic."""

from collections.abc import Sequence
from contextlib import nullcontext
from time import perf_counter

import torch

from study.measure.metrics.latency import synchronize
from study.measure.metrics.modes import TYPES as CAST_TYPES
from study.measure.metrics.modes import matmul_precision
from study.measure.metrics.subject import Conditions, Reading, Subject, Watch, first_line
from study.records.record import measured
from study.spec.settings import CostConfig

SIDES = {"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)}
TIME_S = 0.25  # at each side
MIN_CALLS = 3
TYPES = {"fp32": torch.float32, "tf32": torch.float32, **CAST_TYPES}


def measure_peak(
    subjects: Sequence[Subject], protocol: CostConfig, watch: Watch
) -> dict[str, Reading]:
    """Rate of square matrix products in this process, in GMAC/s; the same for all subjects.

    One sample a call, of several sides; the highest is the machine's peak at these threads, since
    a neighbour can only slow a product. It bounds what a model could reach: memory traffic, small
    shapes and all that is no product keep it below. Metrics "peak_rate_fp32", "peak_rate_bf16",
    ...: of the precisions that the subjects are run in, and on CUDA of TF32 where convolutions may
    use it. What this device or torch cannot multiply is a note.
    """
    if not subjects:
        return {}
    watch.stage("measuring the machine's own peak")
    device = subjects[0].clip.device.type
    modes = [mode for mode in protocol.modes if mode in ("bf16", "fp16")]
    arithmetics: list[str] = list(dict.fromkeys([protocol.precision, *modes]))
    if device == "cuda" and "fp32" in arithmetics and torch.backends.cudnn.allow_tf32:
        arithmetics.append("tf32")
    joined = Reading.join(_measure(arithmetic, device, protocol) for arithmetic in arithmetics)
    return {subject.name: joined for subject in subjects}


def _measure(arithmetic: str, device: str, protocol: CostConfig) -> Reading:
    measurements = []
    how = matmul_precision("high") if arithmetic == "tf32" else nullcontext()
    try:
        with torch.inference_mode(), how:
            for side in SIDES[device]:
                rates = time_products(side, TYPES[arithmetic], device)
                at: Conditions = {"side": side, "threads": protocol.threads}
                name = f"peak_rate_{arithmetic}"
                measurements.append(measured(name, rates, conditions=at))
    except (RuntimeError, MemoryError) as error:
        why = first_line(error, type(error).__name__)
        return Reading(notes=(f"machine's peak in {arithmetic} not measured: {why}",))
    return Reading(tuple(measurements))


def time_products(side: int, dtype: torch.dtype, device: str) -> list[float]:
    """GMAC/s of each of some products of (side, side) matrices; the first, a warm-up, is dropped.

    Values are random: a processor may be faster at zeros.
    """
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(side, side, generator=generator).to(device, dtype) for _ in range(2))
    out = torch.empty_like(a)
    torch.mm(a, b, out=out)
    rates: list[float] = []
    started = perf_counter()
    while len(rates) < MIN_CALLS or perf_counter() - started < TIME_S:
        synchronize(device)
        start = perf_counter()
        torch.mm(a, b, out=out)
        synchronize(device)
        rates.append(side**3 / (perf_counter() - start) / 1e9)
    return rates
