"""torchvision's video models, as their builders make them, with weights at random.

Shapes: B clips, T frames, D features, K classes, S side of a frame.
"""

import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

import torchvision
from torch import Tensor, nn
from torchvision.models.video import S3D

from vlf.config import ConfigError, DataConfig, TorchvisionConfig, nearest
from vlf.models.peers.shared import Parts, Peer

CLASSIFIERS = ("fc", "head", "classifier")  # what a model's last layers go by


class TorchvisionPeer(Peer):
    """A video model of torchvision.

    Raises:
        ConfigError: If there is no such model, or it cannot take these clips.
    """

    def __init__(self, config: TorchvisionConfig, data: DataConfig) -> None:
        name = config.architecture
        known = torchvision.models.list_models(module=torchvision.models.video)
        if name not in known:
            hint = f"{nearest(name, known)} (allowed: {', '.join(known)})"
            message = f'torchvision has no video model "{name}"{hint}'
            raise ConfigError("model.architecture", message)
        super().__init__(name, partial(_build, name, data), data)


class ChannelsFirst(nn.Module):
    """A model that takes channels before frames: (B, T, 3, S, S) -> what `net` gives."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, clip: Tensor) -> Tensor:
        """Call it with (B, 3, T, S, S)."""
        features: Tensor = self.net(clip.transpose(1, 2))
        return features


class MeanOverPlaces(nn.Module):
    """S3D's last step, which is no layer of its own: (B, K, T, H, W) -> (B, K)."""

    def forward(self, x: Tensor) -> Tensor:
        """Mean over time and space."""
        return x.mean(dim=(2, 3, 4))


def _build(name: str, data: DataConfig) -> Parts:
    net: Any = _builder(name, data)(weights=None, num_classes=data.classes)
    if isinstance(net, S3D):  # classifies every place, then averages
        head = nn.Sequential(*net.classifier, MeanOverPlaces())
        return ChannelsFirst(nn.Sequential(net.features, net.avgpool)), head
    (last,) = (child for child in CLASSIFIERS if hasattr(net, child))
    head = getattr(net, last)
    setattr(net, last, nn.Identity())
    return ChannelsFirst(net), head


def _builder(name: str, data: DataConfig) -> Callable[..., nn.Module]:
    """The library's function for a model; for MViT less its one shape of clip.

    MViT learns positions for a shape that its class is told. The builders say 16 frames of 224
    pixels, whatever they are asked, to a function beside them; here it hears the shape of `data`.
    """
    builder: Any = torchvision.models.get_model_builder(name)
    bare = inspect.unwrap(builder)
    make = bare.__globals__.get("_mvit")
    if not name.startswith("mvit") or make is None:
        return builder  # type: ignore[no-any-return]

    def resized(**options: Any) -> nn.Module:
        shape = {"spatial_size": (data.size, data.size), "temporal_size": data.frames}
        net: nn.Module = make(**{**options, **shape})
        return net

    copy = FunctionType(bare.__code__, {**bare.__globals__, "_mvit": resized})
    copy.__kwdefaults__ = bare.__kwdefaults__
    return copy
