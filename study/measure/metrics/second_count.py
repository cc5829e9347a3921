"""The second, independent count of MACs: fvcore's, over a traced graph.

fvcore's "flops" are MACs. Its table has no fused attention, and its formula for products ignores
broadcasting and vectors; the handlers here fill that in. What it counts for normalisation and
resizing is kept apart, because it is no multiply-accumulate of a layer with weights. fvcore reads
the graph that torch's own tracer records; it replaces nothing in torch.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from study.measure.metrics.macs import count_macs, without_fast_path
from study.measure.metrics.subject import Conditions, Reading, Subject
from study.records.record import measured

TOLERANCE = 1e-3
# Names under which fvcore reports operators that are MACs; its other names are extras.
PRODUCTS = frozenset(
    {"conv", "addmm", "bmm", "baddbmm", "mm", "linear", "matmul", "einsum", "mv", "dot"}
    | {"scaled_dot_product_attention"}
)


@dataclass(frozen=True)
class SecondCount:
    """Counts of fvcore for one clip.

    Attributes:
        macs: Of products, convolutions and attention.
        extras: Operations of normalisation, pooling and resizing, by fvcore's formulas.
        activations: Values that convolutions, products and attention give out (the scores of
            attention among them), as in RegNet (arXiv:2003.13678).
    """

    macs: int
    extras: int
    activations: int


def measure_second_count(subject: Subject) -> Reading:
    """Counts of fvcore for one clip: MACs (unit "MAC"), extras and activations (unit "1").

    Where its MACs are off from those of `measure_macs` by more than 0.1 %, or cannot be had, a note
    says so.
    """
    macs, _ = count_macs(subject.model, subject.clip.shape)
    try:
        second = recount(subject.model, subject.clip)
    except Exception as error:  # a tracer may fail in any way; the first count stands, and says so
        why = str(error).splitlines()[0] if str(error) else "no message"
        name = type(error).__name__
        return Reading(notes=(f"MACs not confirmed: fvcore could not trace it ({name}: {why})",))
    values = {
        "fvcore_macs": second.macs,
        "fvcore_extras": second.extras,
        "activations": second.activations,
    }
    conditions: Conditions = {"clip": subject.clip_label, "views": 1}
    measurements = tuple(
        measured(metric, (value,), conditions=conditions) for metric, value in values.items()
    )
    return Reading(measurements, disagreement(sum(macs.values()), second.macs))


def disagreement(macs: int, second: int) -> tuple[str, ...]:
    """A note if the two counts differ by more than 0.1 %, else none."""
    if abs(second - macs) <= TOLERANCE * max(second, macs):
        return ()
    return (f"MACs not confirmed: {macs} here, {second} by fvcore",)


def recount(model: nn.Module, clip: Tensor) -> SecondCount:
    """Count by tracing `model(clip)` on the tensors that they are on.

    Raises:
        Exception: Whatever tracing raises.
    """
    with without_fast_path(), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch deprecates the tracer that fvcore stands on
        # Imported here: the plan counts once only, and must not wait for this.
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

        by_operator = _sums(FlopCountAnalysis(model, clip), _HANDLERS)
        activations = _sums(ActivationCountAnalysis(model, clip), _ACTIVATION_HANDLERS)
    products = sum(value for name, value in by_operator.items() if name in PRODUCTS)
    extras = sum(by_operator.values()) - products
    return SecondCount(round(products), round(extras), round(sum(activations.values())))


def _sums(analysis: Any, handlers: Mapping[str, Any]) -> Mapping[str, float]:
    """Operator -> sum over a traced graph, by fvcore's table and ours over it."""
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none").set_op_handle(**handlers)
    found: Mapping[str, float] = analysis.by_operator()
    return found


def _shape(value: Any) -> list[int]:
    return list(value.type().sizes())


def _attention_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    *_, queries, width = _shape(inputs[0])
    keys = _shape(inputs[1])[-2]
    *batch, _, value_width = _shape(outputs[0])
    return prod(batch) * queries * keys * (width + value_width)


def _product_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    return prod(_shape(outputs[0])) * _shape(inputs[0])[-1]


_HANDLERS = {
    "aten::scaled_dot_product_attention": _attention_macs,
    **dict.fromkeys(("aten::matmul", "aten::mv", "aten::dot"), _product_macs),
    "aten::baddbmm": lambda inputs, outputs: _product_macs(inputs[1:], outputs),
}


def _attention_activations(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    *batch, queries, _ = _shape(inputs[0])
    return prod(batch) * queries * _shape(inputs[1])[-2] + prod(_shape(outputs[0]))


_ACTIVATION_HANDLERS = {
    "aten::scaled_dot_product_attention": _attention_activations,
    **dict.fromkeys(
        ("aten::baddbmm", "aten::mm", "aten::mv", "aten::dot"),
        lambda inputs, outputs: prod(_shape(outputs[0])),
    ),
}
