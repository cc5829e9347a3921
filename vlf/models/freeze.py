"""Keep a backbone, its first stages or its norms as they start: no gradients, no statistics."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vlf.config import ConfigError
from vlf.models.backbones import TimmVectors, Tiny

Freeze = Literal["none", "f"] | int
TINY_LAYERS = 3  # of a stage: convolution, norm, ReLU


def find_backbone(model: nn.Module) -> tuple[str, nn.Module]:
    """The backbone inside of a model's f and its dotted name; what is behind it is not in it.

    Raises:
        ConfigError: If there is none.
    """
    for name, module in model.named_modules():
        if isinstance(module, Tiny | TimmVectors):
            return name, module
    raise ConfigError("train.freeze", "the model has no backbone to freeze; say none")


def weights_digest(module: nn.Module) -> str:
    """sha256 of all tensors of a module, with their names and shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def freeze(model: nn.Module, how: Freeze) -> list[nn.Module]:
    """Take the gradients from what is frozen.

    Args:
        model: With a backbone, unless `how` is "none".
        how: As `train.freeze`.

    Returns:
        What must be in eval mode whenever the model is trained (`hold`).

    Raises:
        ConfigError: If the backbone has not so many stages.
    """
    if how == "none":
        return []
    _, backbone = find_backbone(model)
    if how == "f":
        backbone.requires_grad_(False)
        return [backbone]
    first = _first_layers(backbone, how)
    found = set(first)
    for module in first:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)
    # timm's norms have children of their own; what holds a later stage, too, is left out.
    return [module for module in first if all(one in found for one in module.modules())]


def hold(frozen: list[nn.Module]) -> None:
    """Put what is frozen into eval mode, after `model.train()`: its BatchNorm does not move."""
    for module in frozen:
        module.eval()


def norms_to_keep(model: nn.Module) -> Sequence[nn.Module]:
    """Norms that partial BatchNorm keeps (TSN, Wang et al. 2016, arXiv:1608.00859).

    Every one of f's backbone but the first; that of a projection behind it is new.

    Raises:
        ConfigError: If the backbone has no BatchNorm.
    """
    backbones = (m for m in model.modules() if isinstance(m, Tiny | TimmVectors))
    norms = [m for backbone in backbones for m in backbone.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        raise ConfigError("train.partial_bn", "the backbone has no BatchNorm to keep")
    return norms[1:]


def _first_layers(backbone: nn.Module, stages: int) -> list[nn.Module]:
    """All modules up to the end of a stage, in the order in which the network registers them."""
    if isinstance(backbone, Tiny):
        ends = [str(end - 1) for end in range(TINY_LAYERS, len(backbone) + 1, TINY_LAYERS)]
        net: nn.Module = backbone
    else:
        wrapped: Any = backbone.net
        info = getattr(wrapped.feature_info, "info", wrapped.feature_info)
        net = getattr(wrapped, "model", wrapped)
        names = {name for name, _ in net.named_modules()}
        ends = [one["module"] for one in info if one["module"] in names]
    if stages > len(ends):
        most = f"1 to {len(ends)}" if ends else "no number for this backbone"
        raise ConfigError("train.freeze", f"must be none, f or {most}, got {stages}")
    modules = list(net.named_modules())
    end = ends[stages - 1]
    last = max(
        at for at, (name, _) in enumerate(modules) if name == end or name.startswith(f"{end}.")
    )
    return [module for _, module in modules[: last + 1]]
