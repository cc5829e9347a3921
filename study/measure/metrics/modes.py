"""The ways in which a model can be run: as it is, in another memory format, compiled, exported.

Each shows that the model runs in it, or raises: a time of eager calls under another name would look
right. What shows it is in docs/measurement.md.
A new one is a function and a line in `MODES`, and a name in `CostConfig.modes`.
"""

import contextlib
import copy
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from study.measure.metrics.compiled import CompiledModel
from study.measure.metrics.operators import FORMATS, run_operators
from study.spec.settings import CostConfig

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

Forward = Callable[[Tensor], Any]


@dataclass(frozen=True)
class Prepared:
    """A model in a mode that was seen to run in it.

    Attributes:
        run: A forward call.
        notes: What a reader of its time must see.
        why_not: After further calls: why some of them did not run in the mode, or "".
    """

    run: Forward
    notes: tuple[str, ...] = ()
    why_not: Callable[[], str] = lambda: ""


def prepare(model: nn.Module, clip: Tensor, mode: str, protocol: CostConfig) -> Prepared:
    """A forward call in a mode; what has to be done once (compiling, exporting) is done here.

    Args:
        model: In eval mode; it stays as it is.
        clip: (B, T, 3, H, W), of the shape and on the device that calls will have.
        mode: Of `MODES`.
        protocol: Threads, and the precision of all modes but bf16 and fp16.

    Raises:
        RuntimeError: If nothing shows that the model runs in the mode.
        Exception: Whatever a compiler or exporter raises for this model.
    """
    prepared = MODES[mode](model, clip, protocol)
    if mode in ("bf16", "fp16") or protocol.precision == "fp32":
        return prepared
    return replace(prepared, notes=(*prepared.notes, *_cast_notes(model, clip, protocol.precision)))


def logit_difference(forward: Forward, model: Forward, clip: Tensor) -> float:
    """Largest difference from the logits of the model as it is, over their largest magnitude.

    Raises:
        RuntimeError: If logits are not finite, or of another shape.
    """
    truth = model(clip).float()
    check_finite(truth, "logits in eager mode")
    answer = torch.as_tensor(forward(clip)).to(truth.device).float()
    if answer.shape != truth.shape:
        raise RuntimeError(f"logits of shape {tuple(answer.shape)}, not {tuple(truth.shape)}")
    check_finite(answer, "logits")
    return float((answer - truth).abs().max() / truth.abs().max().clamp_min(1e-12))


def check_finite(answer: Any, what: str) -> None:
    """Raise unless every value of an answer is a number.

    Raises:
        RuntimeError: With how many are not.
    """
    if torch.is_tensor(answer) and (bad := int((~torch.isfinite(answer)).sum())):
        raise RuntimeError(f"NaN or infinite in {bad} of {answer.numel()} {what}")


def precision_of(device: str, precision: str) -> AbstractContextManager[Any]:
    """Autocast to "bf16" or "fp16"; nothing for "fp32"."""
    return torch.autocast(device, TYPES[precision]) if precision in TYPES else nullcontext()


@contextlib.contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Let products of fp32 compute in "medium" (bf16) or "high" (TF32) where the device can."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _cast(run: Forward, clip: Tensor, precision: str) -> Forward:
    device = clip.device.type

    def forward(x: Tensor) -> Any:
        with precision_of(device, precision):
            return run(x)

    return forward


def _autocast(precision: str, model: nn.Module, clip: Tensor, protocol: CostConfig) -> Prepared:
    return Prepared(_cast(model, clip, precision), _cast_notes(model, clip, precision))


def _cast_notes(model: nn.Module, clip: Tensor, precision: str) -> tuple[str, ...]:
    """A note where a part of the products alone is cast; an error where none is."""
    products = run_operators(lambda: _cast(model, clip, precision)(clip)).products
    cast = sum(product.dtype == TYPES[precision] for product in products)
    if not cast:
        raise RuntimeError(f"no product runs in {precision}: autocast changes nothing")
    if cast == len(products):
        return ()
    return (f"{cast} of {len(products)} products run in {precision}, the others do not",)


def _medium(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Prepared:
    """On CPU this sends linear layers through oneDNN, which on some processors is faster."""

    def forward(x: Tensor) -> Any:
        with matmul_precision("medium"):
            return model(x)

    run, as_it_is = (_cast(one, clip, protocol.precision) for one in (forward, model))
    if logit_difference(run, as_it_is, clip) <= logit_difference(as_it_is, as_it_is, clip):
        raise RuntimeError("logits are those of eager mode to the last bit: nothing shows a change")
    return Prepared(run)


def _channels_last(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Prepared:
    """Weights of convolutions in channels-last order, which their results then follow."""
    changed = copy.deepcopy(model)
    for module in changed.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            weight = module.weight.data
            module.weight.data = weight.contiguous(memory_format=FORMATS[weight.ndim])
    run = _cast(changed, clip, protocol.precision)
    if run_operators(lambda: run(clip)).channels_last <= (
        run_operators(lambda: _cast(model, clip, protocol.precision)(clip)).channels_last
    ):
        raise RuntimeError("no convolution gives another memory order than in eager mode")
    return Prepared(run)


def _compile(
    model: nn.Module, clip: Tensor, protocol: CostConfig, freezing: bool = False
) -> Prepared:
    compiled = CompiledModel(
        model, lambda run: _cast(run, clip, protocol.precision)(clip), freezing
    )
    run = _cast(compiled, clip, protocol.precision)
    return Prepared(run, compiled.notes(), compiled.why_not)


def _freeze(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Prepared:
    """Compiled with the weights as constants: BatchNorm folded, weights packed where that pays."""
    return _compile(copy.deepcopy(model), clip, protocol, freezing=True)


def _onnx(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Prepared:
    """Exported, and run by ONNX Runtime on the CPU; calls take and give tensors of the CPU."""
    if clip.device.type != "cpu" or protocol.precision != "fp32":
        raise RuntimeError("ONNX Runtime is measured on the CPU in fp32 alone")
    try:
        import onnxruntime
    except ImportError:
        raise RuntimeError("onnxruntime is missing; pip install '.[onnx]'") from None
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = f"{folder}/model.onnx"
        # It prints its steps.
        torch.onnx.export(model, (clip,), path, dynamo=True, external_data=False)
        content = Path(path).read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = protocol.threads, 1
    spin = "1" if protocol.wait_policy == "active" else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spin)
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(content, options, providers=providers)
    session.disable_fallback()
    if session.get_providers() != providers:
        raise RuntimeError(f"ONNX Runtime took {', '.join(session.get_providers())}")
    (name,) = [one.name for one in session.get_inputs()]

    def forward(x: Tensor) -> Any:
        return session.run(None, {name: x.numpy()})[0]

    return Prepared(forward)


MODES: dict[str, Callable[[nn.Module, Tensor, CostConfig], Prepared]] = {
    "eager": lambda model, clip, protocol: Prepared(_cast(model, clip, protocol.precision)),
    "channels_last": _channels_last,
    "medium": _medium,
    **{precision: partial(_autocast, precision) for precision in TYPES},
    "compile": _compile,
    "freeze": _freeze,
    "onnx": _onnx,
}
