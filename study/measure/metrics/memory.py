"""Memory that a model needs to exist, to answer and to be trained."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.measure.metrics.latency import forward, synchronize
from study.measure.metrics.modes import precision_of
from study.measure.metrics.subject import Reading, Subject, first_line
from study.records.record import measured
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
    at = subject.conditions(batch_size, protocol.precision)
    return Reading((measured("peak_memory", (found,), None, at),))


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
    # 5 sets the peak to the current value (proc(5)). A system may forbid it: the peak then is that
    # of the process so far, which is checked against below.
    with contextlib.suppress(OSError):
        CLEAR_REFS.write_text("5")
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
    first = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()
    second = nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.Flatten(2), nn.LayerNorm(16)
    last = nn.Linear(16, 32), nn.GELU(), _Attention(), nn.Linear(32, 16)
    return nn.Sequential(*first, *second, *last).eval()


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


STEP_COST = 3  # forward passes that a step is taken for
BETAS, EPS, RATE = (0.9, 0.999), 1e-8, 1e-6


def measure_training_memory(
    build: Callable[[], Subject], batch_size: int, protocol: CostConfig
) -> Reading:
    """Peak memory of building a model and of a training step at a batch size, in MiB.

    In it: weights, clips, what backward keeps of the forward pass, gradients, and the two moments
    of AdamW. Taken as `measure_peak_memory` takes that of inference, and with its limits. A step
    that would take longer than `protocol.budget_s`, by the time of a forward pass, is not run; a
    model that cannot be trained at this batch size has a note.
    """

    def work(subject: Subject, clip: Tensor) -> None:
        start = _seconds(clip, protocol)
        with torch.inference_mode():
            forward(subject.model, clip, protocol.precision)
        synchronize(clip.device.type)
        took_s = _seconds(clip, protocol) - start
        if STEP_COST * took_s > protocol.budget_s:
            raise _TooLongError(
                f"a step would take {STEP_COST * took_s:.3g} s, more than the budget of "
                f"{protocol.budget_s:g} s"
            )
        take_step(subject.model, clip, protocol.precision)

    def touch() -> None:
        take_step(small_model(), torch.randn(2, 3, 8, 8), protocol.precision)

    try:
        subject, found = peak_growth(build, batch_size, work, touch)
    except _TooLongError as error:
        return _note(batch_size, str(error))
    except (RuntimeError, ValueError, NotImplementedError) as error:
        return _note(batch_size, f"{type(error).__name__}: {first_line(error)}")
    if isinstance(found, str):
        return _note(batch_size, found)
    at = subject.conditions(batch_size, protocol.precision)
    return Reading((measured("training_memory", (found,), None, at),))


class _TooLongError(RuntimeError):
    """A step would not fit into the time budget."""


def _seconds(clip: Tensor, protocol: CostConfig) -> float:
    """A clock; on CPU one that neighbours do not move, that decide on no number."""
    return process_time() / protocol.threads if clip.device.type == "cpu" else perf_counter()


def take_step(model: nn.Module, clip: Tensor, precision: str) -> None:
    """A first step of AdamW (arXiv:1711.05101) without decay towards class 0, in training mode.

    The moments are written before it, so that they are resident while gradients are made, as they
    are in every later step. By hand, in place: torch's optimisers import its compiler when they
    first step, which takes more memory than a small model.
    """
    model.train()
    target = torch.zeros(len(clip), dtype=torch.long, device=clip.device)
    learned = [p for p in model.parameters() if p.requires_grad]
    moments = [(torch.empty_like(p).fill_(0.0), torch.empty_like(p).fill_(0.0)) for p in learned]
    with precision_of(clip.device.type, precision):
        scores = model(clip)
    loss = functional.cross_entropy(scores.float().flatten(1), target)
    loss.backward()  # type: ignore[no-untyped-call]
    for parameter, (first, second) in zip(learned, moments, strict=True):
        if parameter.grad is not None:
            _update(parameter, first, second, parameter.grad)


@torch.no_grad()
def _update(parameter: Tensor, first: Tensor, second: Tensor, gradient: Tensor) -> None:
    first.lerp_(gradient, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    scale = (1 - BETAS[1]) ** 0.5 / (1 - BETAS[0])  # the means of one gradient, freed of their bias
    root = gradient.copy_(second).sqrt_().add_(EPS * (1 - BETAS[1]) ** 0.5)  # in its memory
    parameter.addcdiv_(first, root, value=-RATE * scale)


def _note(batch_size: int, why: str) -> Reading:
    return Reading(notes=(f"training memory at batch {batch_size} not measured: {why}",))
