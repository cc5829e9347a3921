"""Memory that a model needs to exist and to answer."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.measure.metrics.latency import forward
from study.measure.metrics.subject import Reading, Subject
from study.records.record import Measurement
from study.spec.settings import CostConfig

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
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

    def work(subject: Subject, clip: Tensor) -> None:
        with torch.inference_mode():
            forward(subject.model, clip, protocol.precision)

    subject, found = peak_growth(build, batch_size, work, lambda: touch_libraries(protocol))
    if isinstance(found, str):
        return Reading(notes=(f"peak memory not measured: {found}",))
    conditions: dict[str, str | int | float] = {
        "batch_size": batch_size,
        "clip": subject.clip_label,
        "precision": protocol.precision,
    }
    return Reading((Measurement("peak_memory", "MiB", "lower", (found,), None, conditions),))


def peak_growth(
    build: Callable[[], Subject],
    batch_size: int,
    work: Callable[[Subject, Tensor], None],
    touch: Callable[[], None],
) -> tuple[Subject, float | str]:
    """The subject, and MiB that building it and working on a batch add at most; or why not known.

    Args:
        build: Makes the subject.
        batch_size: Of the clips that `work` is given.
        work: What memory is asked for.
        touch: Makes what any work of this kind needs resident before.
    """
    touch()
    before = resident_mib()
    _forget_peak()
    start = peak_resident_mib()
    subject = build()
    clip = torch.randn((batch_size, *subject.clip.shape[1:])).to(subject.clip.device)
    work(subject, clip)
    if clip.device.type == "cuda":
        torch.cuda.synchronize()
        return subject, torch.cuda.max_memory_allocated() / 2**20
    after = peak_resident_mib()
    if before is None or start is None or after is None:
        return subject, "/proc/self/status cannot be read here"
    if after <= start and start > before:
        return subject, "imports took more than the model, and the system kept that"
    if after <= before:
        return subject, "the process was not fresh, it had room for the model"
    return subject, after - before


def touch_libraries(protocol: CostConfig) -> None:
    """Call a small model of the usual layers once, on CPU, so that their code is resident."""
    with torch.inference_mode():
        forward(small_model(), torch.randn(2, 3, 8, 8), protocol.precision)


def small_model() -> nn.Module:
    """The usual layers, small: (B, 3, 8, 8) -> (B, 16, 16)."""
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
    return nn.Sequential(*layers).eval()


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


def available_mib() -> float | None:
    """Memory that this process may still take, by the system and by its control group, in MiB."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = MEMINFO.read_text().splitlines()
        found += [int(x.split()[1]) / KIB_PER_MIB for x in lines if x.startswith("MemAvailable:")]
    with contextlib.suppress(OSError, ValueError):
        limit, used = (
            int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current")
        )
        found.append((limit - used) / 2**20)
    return min(found, default=None)
