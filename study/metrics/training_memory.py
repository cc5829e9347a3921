"""Memory that a training step needs, beside that of an answer."""

from collections.abc import Callable
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.metrics.latency import forward, synchronize
from study.metrics.memory import peak_growth, small_model
from study.metrics.modes import precision_of
from study.metrics.subject import Reading, Subject
from study.record import Measurement
from study.settings import CostConfig

STEPS = 2  # the moments exist from the second on
STEP_COST = 3  # forward passes that a step is taken for
BETAS, EPS, RATE = (0.9, 0.999), 1e-8, 1e-6


def measure_training_memory(
    build: Callable[[], Subject], batch_size: int, protocol: CostConfig
) -> Reading:
    """Peak memory of building a model and of two training steps at a batch size, in MiB.

    In it: weights, clips, what backward keeps of the forward pass, gradients, and the two moments
    of AdamW. Taken as `measure_peak_memory` takes that of inference, and with its limits. Two
    steps that would take longer than `protocol.budget_s`, by the time of a forward pass, are not
    run; a model that cannot be trained at this batch size has a note.
    """
    took_ms = 0.0

    def work(subject: Subject, clip: Tensor) -> None:
        nonlocal took_ms
        start = perf_counter()
        with torch.inference_mode():
            forward(subject.model, clip, protocol.precision)
        synchronize(clip.device.type)
        took_ms = (perf_counter() - start) * 1e3
        if STEPS * STEP_COST * took_ms > protocol.budget_s * 1e3:
            seconds = took_ms / 1e3
            raise _TooLongError(f"a forward pass takes {seconds:.3g} s, the budget is too small")
        take_steps(subject.model, clip, protocol.precision)

    def touch() -> None:
        take_steps(small_model(), torch.randn(2, 3, 8, 8), protocol.precision)

    try:
        subject, found = peak_growth(build, batch_size, work, touch)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        first = next(iter(str(error).splitlines()), "no message")
        return _note(batch_size, f"{type(error).__name__.lstrip('_')}: {first[:200]}")
    if isinstance(found, str):
        return _note(batch_size, found)
    conditions: dict[str, str | int | float] = {
        "batch_size": batch_size,
        "clip": subject.clip_label,
        "precision": protocol.precision,
    }
    return Reading((Measurement("training_memory", "MiB", "lower", (found,), None, conditions),))


class _TooLongError(RuntimeError):
    """A step would not fit into the time budget."""


def take_steps(model: nn.Module, clip: Tensor, precision: str) -> None:
    """Two steps of AdamW (arXiv:1711.05101) without decay towards class 0, in training mode.

    By hand, in place: torch's optimisers import its compiler when they first step, which takes
    more memory than a small model.
    """
    model.train()
    target = torch.zeros(len(clip), dtype=torch.long, device=clip.device)
    learned = [p for p in model.parameters() if p.requires_grad]
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in learned]
    for step in range(1, STEPS + 1):
        with precision_of(clip.device.type, precision):
            scores = model(clip)
        loss = functional.cross_entropy(scores.float().flatten(1), target)
        loss.backward()  # type: ignore[no-untyped-call]
        for parameter, (first, second) in zip(learned, moments, strict=True):
            if parameter.grad is not None:
                _update(parameter, first, second, step)
                parameter.grad = None


@torch.no_grad()
def _update(parameter: Tensor, first: Tensor, second: Tensor, step: int) -> None:
    gradient = parameter.grad
    assert gradient is not None
    first.lerp_(gradient, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    scale = (1 - BETAS[1] ** step) ** 0.5 / (1 - BETAS[0] ** step)
    parameter.addcdiv_(first, second.sqrt().add_(EPS), value=-RATE * scale)


def _note(batch_size: int, why: str) -> Reading:
    return Reading(notes=(f"training memory at batch {batch_size} not measured: {why}",))
