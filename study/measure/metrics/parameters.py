"""Size of a model."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call

from study.measure.metrics.subject import (
    Reading,
    Subject,
    measure_parts,
    named_tensors,
    part_of,
    parts_of,
)


def measure_parameters(subject: Subject) -> Reading:
    """Learnable values in total and by part, unit "1"; buffers and frozen tensors are not in it.

    Those that no clip reaches are in it, and a note says how many they are.
    """
    measurements = measure_parts("parameters", count_parameters(subject.model), {})
    idle = count_unreached(subject.model, subject.clip.shape)
    notes = (f"parameters: {idle:,} of them take no part in a forward pass",) if idle else ()
    return Reading(measurements, notes)


def count_unreached(model: nn.Module, shape: Sequence[int]) -> int:
    """Learnable values that the scores of a clip (B, T, 3, H, W) do not depend on.

    By gradients on the meta device; 0 for a model that cannot be traced there.
    """
    model.eval()
    on_meta = {name: tensor.to("meta") for name, tensor in named_tensors(model).items()}
    learned = [name for name, p in model.named_parameters() if p.requires_grad]
    values = [on_meta[name].requires_grad_() for name in learned]
    clip = torch.empty(tuple(shape), device="meta", requires_grad=True)
    try:
        with torch.enable_grad():
            scores = functional_call(model, on_meta, (clip,))
            _, *gradients = torch.autograd.grad(scores.sum(), (clip, *values), allow_unused=True)
    except Exception:  # as in metrics/macs.py a model may refuse in any way; then no remark
        return 0
    return sum(v.numel() for v, g in zip(values, gradients, strict=True) if g is None)


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Part -> learnable values; the sum over the parts is the model's total.

    A tensor shared by several modules counts once, in the part that names it first.
    """
    counts = dict.fromkeys((*parts_of(model), "other"), 0)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            counts[part_of(name, model)] += parameter.numel()
    if not counts["other"] and len(counts) > 1:
        del counts["other"]
    return counts
