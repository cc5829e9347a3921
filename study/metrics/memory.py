"""Memory that a model needs to exist and to answer."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.metrics.latency import forward
from study.metrics.subject import Reading, Subject
from study.record import Measurement
from study.settings import CostConfig

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
KIB_PER_MIB = 1024


def measure_peak_memory(
    build: Callable[[], Subject], batch_size: int, protocol: CostConfig
) -> Reading:
    """Peak memory of building a model and one forward call at a batch size, in MiB.

    On CPU: the highest resident set while both happen, minus the resident set before; in it are
    weights, buffers, the clips, activations, and what the allocator and the kernels keep besides.
    On CUDA: the highest sum of allocated tensors, without the context and the allocator's reserve.
    The pages of PyTorch's own libraries that any model touches are touched before, by a small one.
    To be called in a fresh process in which all imports have been done and nothing has run: memory
    freed earlier would be used again, and not be seen. Where it cannot be read, a note says so.
    """
    touch_libraries(protocol.precision)
    before = resident_mib()
    _forget_peak()
    start = peak_resident_mib()
    subject = build()
    clip = torch.randn((batch_size, *subject.clip.shape[1:])).to(subject.clip.device)
    with torch.inference_mode():
        forward(subject.model, clip, protocol.precision)
    if clip.device.type == "cuda":
        torch.cuda.synchronize()
        return _reading(torch.cuda.max_memory_allocated() / 2**20, subject, batch_size, protocol)
    after = peak_resident_mib()
    if before is None or start is None or after is None:
        return Reading(notes=("peak memory not measured: /proc/self/status cannot be read here",))
    if after <= start and start > before:
        note = (
            "peak memory not measured: imports took more than the model, and the system kept that"
        )
        return Reading(notes=(note,))
    if after <= before:
        note = "peak memory not measured: the process was not fresh, it had room for the model"
        return Reading(notes=(note,))
    return _reading(after - before, subject, batch_size, protocol)


def touch_libraries(precision: str) -> None:
    """Build and call a small model of the usual layers, on CPU, so that their code is resident."""
    layers = (
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1),
        nn.Flatten(2),
        nn.LayerNorm(16),
        nn.Linear(16, 32),
        nn.GELU(),
        _Attention(),
        nn.Linear(32, 16),
    )
    with torch.inference_mode():
        forward(nn.Sequential(*layers).eval(), torch.randn(2, 3, 8, 8), precision)


class _Attention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:  # (B, N, D) -> (B, N, D)
        return functional.scaled_dot_product_attention(x, x, x)


def resident_mib() -> float | None:
    """Resident set of this process now, in MiB; None where the system does not say."""
    return _status_mib("VmRSS:")


def peak_resident_mib() -> float | None:
    """Highest resident set of this process so far, in MiB; None where the system does not say."""
    return _status_mib("VmHWM:")


def _status_mib(field: str) -> float | None:
    with contextlib.suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / KIB_PER_MIB
    return None


def _forget_peak() -> None:
    # 5 sets the peak to the current value (proc(5)). A system may forbid it: the peak then is that
    # of the process so far, which `measure_peak_memory` checks against.
    with contextlib.suppress(OSError):
        CLEAR_REFS.write_text("5")


def _reading(mib: float, subject: Subject, batch_size: int, protocol: CostConfig) -> Reading:
    conditions: dict[str, str | int | float] = {
        "batch_size": batch_size,
        "clip": subject.clip_label,
        "precision": protocol.precision,
    }
    return Reading((Measurement("peak_memory", "MiB", "lower", (mib,), None, conditions),))
