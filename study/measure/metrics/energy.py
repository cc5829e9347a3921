"""Energy of an answer, where the machine has a meter that we may read."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch

from study.measure.metrics.latency import ORDER_SEED, clips_of, forward, synchronize
from study.measure.metrics.subject import Reading, Subject, Watch
from study.records.record import measured
from study.spec.settings import CostConfig

POWERCAP = Path("/sys/class/powercap")
ROUNDS = 3
WINDOW_S = 2.0  # a counter of a GPU moves every 20 to 100 ms


class Meter(NamedTuple):
    """A counter of energy.

    Attributes:
        name: "nvml" or "rapl".
        joules: Reads it; only differences mean anything.
        wrap: Joules after which it starts again from 0.
    """

    name: str
    joules: Callable[[], float]
    wrap: float = 0.0


def measure_energy(
    subjects: Sequence[Subject], protocol: CostConfig, watch: Watch
) -> dict[str, Reading]:
    """Energy of one clip at the first batch size in eager calls, in J, while calls fill 2 s.

    In it: all that the meter sees in that time, idle power and neighbours too: of a GPU its board
    (NVML), of a CPU its packages and the memory where it has a counter (RAPL), and not the rest of
    the machine. Three rounds in random order. Where no meter can be read, or one does not move, a
    note says why, and there is no number.
    """
    if not subjects:
        return {}
    try:
        meter = find_meter(subjects[0].clip.device.type)
    except (OSError, RuntimeError, ImportError, ValueError, AttributeError) as error:
        note = f"energy not measured: {error}"
        return {subject.name: Reading(notes=(note,)) for subject in subjects}
    samples: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    order = random.Random(ORDER_SEED)
    batch = protocol.batch_sizes[0]
    with torch.inference_mode():
        for round_ in range(ROUNDS):
            watch.stage(f"measuring energy, round {round_ + 1} of {ROUNDS}")
            for subject in order.sample(list(subjects), len(subjects)):
                watch.at(subject.name)
                samples[subject.name].append(joules_a_clip(subject, batch, protocol, meter))
    return {s.name: _reading(s, samples[s.name], meter, protocol) for s in subjects}


def joules_a_clip(subject: Subject, batch: int, protocol: CostConfig, meter: Meter) -> float:
    """The meter's difference over calls that fill the window, by the clips in them."""
    clips, calls = clips_of(subject, batch), 0
    device = clips.device.type
    forward(subject.model, clips, protocol.precision)
    synchronize(device)
    start, before = perf_counter(), meter.joules()
    while calls == 0 or perf_counter() - start < WINDOW_S:
        forward(subject.model, clips, protocol.precision)
        synchronize(device)
        calls += 1
    used = meter.joules() - before
    return (used + meter.wrap if used < 0 else used) / (calls * batch)


def find_meter(device: str) -> Meter:
    """The meter of a device.

    Raises:
        RuntimeError: In words, if there is none that can be read; so do OSError and ImportError.
    """
    return _nvml() if device == "cuda" else _rapl()


def _rapl() -> Meter:
    """Packages and memory of the powercap interface (Linux kernel, power/powercap/powercap.rst)."""
    domains = sorted(POWERCAP.glob("intel-rapl:*"))  # AMD's have this name, too
    kept = [d for d in domains if _text(d / "name").startswith(("package", "dram"))]
    if not kept:
        raise RuntimeError(f"{POWERCAP} has no RAPL counter")
    files = [domain / "energy_uj" for domain in kept]
    for file in files:
        int(_text(file))  # mostly for root alone
    # Of several counters each would wrap by itself: then a difference below 0 cannot be mended.
    wrap = int(_text(kept[0] / "max_energy_range_uj")) / 1e6 if len(kept) == 1 else 0.0
    return Meter("rapl", lambda: sum(int(_text(file)) for file in files) / 1e6, wrap)


def _nvml() -> Meter:
    try:
        import pynvml
    except ImportError:
        raise RuntimeError("pynvml is missing; pip install nvidia-ml-py") from None
    try:
        pynvml.nvmlInit()
        properties: Any = torch.cuda.get_device_properties(0)
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{properties.uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        raise RuntimeError(f"NVML: {error}") from None

    def joules() -> float:
        millijoules: int = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        return millijoules / 1e3

    return Meter("nvml", joules)


def _reading(
    subject: Subject, samples: Sequence[float], meter: Meter, protocol: CostConfig
) -> Reading:
    if min(samples) <= 0:
        return Reading(
            notes=(f"energy not measured: the counter of {meter.name} stood still or wrapped",)
        )
    more = {"mode": "eager", "meter": meter.name}
    at = subject.conditions(protocol.batch_sizes[0], protocol.precision, **more)
    return Reading((measured("energy", samples, None, at, range(len(samples))),))


def _text(path: Path) -> str:
    return path.read_text("utf-8").strip()
