"""The ways in which a model can be run: as it is, in another memory format, compiled, exported.

A new one is a function and a line in `MODES`, and a name in `CostConfig.modes`.
"""

import contextlib
import copy
import io
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from study.settings import CostConfig

Forward = Callable[[Tensor], Any]


def prepare(model: nn.Module, clip: Tensor, mode: str, protocol: CostConfig) -> Forward:
    """A forward call in a mode; what has to be done once (compiling, exporting) is done here.

    Args:
        model: In eval mode; it stays as it is.
        clip: (B, T, 3, H, W), of the shape and on the device that calls will have.
        mode: Of `MODES`.
        protocol: Threads, and the precision of all modes but bf16 and fp16.

    Raises:
        Exception: Whatever a compiler or exporter raises for this model.
    """
    return MODES[mode](model, clip, protocol)


def logit_difference(forward: Forward, model: nn.Module, clip: Tensor) -> float:
    """Largest difference from the logits of the model as it is, over their largest magnitude."""
    truth = model(clip).float()
    answer = torch.as_tensor(forward(clip)).to(truth.device).float()
    return float((answer - truth).abs().max() / truth.abs().max().clamp_min(1e-12))


def precision_of(device: str, precision: str) -> AbstractContextManager[Any]:
    """Autocast to "bf16" or "fp16"; nothing for "fp32"."""
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device, types[precision]) if precision in types else nullcontext()


def _eager(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    return _cast(model, clip, protocol.precision)


def _cast(run: Forward, clip: Tensor, precision: str) -> Forward:
    device = clip.device.type

    def forward(x: Tensor) -> Any:
        with precision_of(device, precision):
            return run(x)

    return forward


def _bf16(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    return _cast(model, clip, "bf16")


def _fp16(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    return _cast(model, clip, "fp16")


def _medium(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    """On CPU this sends linear layers through oneDNN, which on some processors is faster."""

    def forward(x: Tensor) -> Any:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")
        try:
            return model(x)
        finally:
            torch.set_float32_matmul_precision(before)

    return _cast(forward, clip, protocol.precision)


def _channels_last(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    """Weights of convolutions in channels-last order, which their results then follow."""
    model = copy.deepcopy(model)
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            weight = module.weight.data
            module.weight.data = weight.contiguous(memory_format=formats[weight.ndim])
    return _cast(model, clip, protocol.precision)


def _compile(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    forward = _cast(torch.compile(model, dynamic=False), clip, protocol.precision)
    forward(clip)  # compiles
    return forward


def _freeze(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    """Compiled with the weights as constants: BatchNorm folded, weights packed where that pays."""
    import torch._inductor.config as inductor

    model = copy.deepcopy(model)  # another compilation of the same module would be taken for it
    forward = _cast(torch.compile(model, dynamic=False), clip, protocol.precision)
    with inductor.patch(freezing=True):
        forward(clip)
    return forward


def _onnx(model: nn.Module, clip: Tensor, protocol: CostConfig) -> Forward:
    """Exported, and run by ONNX Runtime on the CPU; calls take and give tensors of the CPU."""
    if clip.device.type != "cpu" or protocol.precision != "fp32":
        raise RuntimeError("ONNX Runtime is measured on the CPU in fp32 alone")
    try:
        import onnxruntime
    except ImportError:
        raise RuntimeError("onnxruntime is missing; pip install '.[onnx]'") from None
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = f"{folder}/model.onnx"
        torch.onnx.export(
            model, (clip,), path, dynamo=True, external_data=False
        )  # it prints its steps
        content = Path(path).read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = protocol.threads, 1
    spin = "1" if protocol.wait_policy == "active" else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spin)
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(content, options, providers=providers)
    (name,) = [one.name for one in session.get_inputs()]

    def forward(x: Tensor) -> Any:
        return session.run(None, {name: x.numpy()})[0]

    return forward


MODES: dict[str, Callable[[nn.Module, Tensor, CostConfig], Forward]] = {
    "eager": _eager,
    "channels_last": _channels_last,
    "medium": _medium,
    "bf16": _bf16,
    "fp16": _fp16,
    "compile": _compile,
    "freeze": _freeze,
    "onnx": _onnx,
}
