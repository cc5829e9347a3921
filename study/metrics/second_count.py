"""The second, independent count of MACs: fvcore's, over a traced graph.

fvcore's "flops" are MACs. Its table has no fused attention, and its formula for products ignores
broadcasting and vectors; the handlers here fill that in. What it counts for normalisation and
resizing is kept apart, because it is no multiply-accumulate of a layer with weights.
"""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

TOLERANCE = 1e-3
# Names under which fvcore reports operators that are MACs; its other names are extras.
PRODUCTS = frozenset(
    {"conv", "addmm", "bmm", "baddbmm", "mm", "linear", "matmul", "einsum", "mv", "dot"}
    | {"scaled_dot_product_attention"}
)


@dataclass(frozen=True)
class SecondCount:
    """What fvcore says of one clip.

    Attributes:
        macs: Of products, convolutions and attention.
        extras: Operations of normalisation, pooling and resizing, by fvcore's formulas.
    """

    macs: int
    extras: int


def disagreement(model: nn.Module, clip: Tensor, macs: int) -> tuple[str, ...]:
    """A note if fvcore's count is off by more than 0.1 %, or cannot be had; else none."""
    try:
        second = recount(model, clip)
    except Exception as error:  # a tracer may fail in any way; the first count stands, and says so
        why = str(error).splitlines()[0] if str(error) else "no message"
        return (f"MACs not confirmed: fvcore could not trace it ({type(error).__name__}: {why})",)
    if abs(second.macs - macs) <= TOLERANCE * max(second.macs, macs):
        return ()
    return (f"MACs not confirmed: {macs} here, {second.macs} by fvcore",)


def recount(model: nn.Module, clip: Tensor) -> SecondCount:
    """Count by tracing `model(clip)` on the tensors that they are on.

    Raises:
        Exception: Whatever tracing raises.
    """
    with _quiet():
        # Imported here: the plan counts once only, and must not wait for this.
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model, clip)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.tracer_warnings("none").set_op_handle(**_HANDLERS)
        by_operator = analysis.by_operator()
    products = sum(value for name, value in by_operator.items() if name in PRODUCTS)
    return SecondCount(round(products), round(sum(by_operator.values()) - products))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # torch deprecates the tracer that fvcore stands on
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


def _shape(value: Any) -> list[int]:
    return list(value.type().sizes())


def _attention_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    *_, queries, width = _shape(inputs[0])
    keys = _shape(inputs[1])[-2]
    *batch, _, value_width = _shape(outputs[0])
    return prod(batch) * queries * keys * (width + value_width)


def _product_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    return prod(_shape(outputs[0])) * _shape(inputs[0])[-1]


def _added_product_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    return prod(_shape(outputs[0])) * _shape(inputs[1])[-1]


_HANDLERS = {
    "aten::scaled_dot_product_attention": _attention_macs,
    "aten::matmul": _product_macs,
    "aten::mv": _product_macs,
    "aten::dot": _product_macs,
    "aten::baddbmm": _added_product_macs,
}
