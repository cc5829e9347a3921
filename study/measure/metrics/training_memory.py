"""Memory that a training step needs, beside that of an answer."""

from collections.abc import Callable
from time import perf_counter, process_time

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.measure.metrics.latency import forward, synchronize
from study.measure.metrics.memory import peak_growth, small_model
from study.measure.metrics.modes import precision_of
from study.measure.metrics.subject import Reading, Subject
from study.records.record import Measurement
from study.spec.settings import CostConfig

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
        first = next(iter(str(error).splitlines()), "no message")
        return _note(batch_size, f"{type(error).__name__}: {first[:200]}")
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
