"""Size of a model."""

from torch import nn

from study.metrics.subject import Reading, Subject, measure_parts, part_of, parts_of


def measure_parameters(subject: Subject) -> Reading:
    """Learnable values in total and by part, unit "1"; buffers and frozen tensors are not in it."""
    return Reading(measure_parts("parameters", "1", count_parameters(subject.model), {}))


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
