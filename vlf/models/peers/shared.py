"""Base of models of other libraries, which are compared as our own are.

A peer's classifier is `head`, all its other layers are `f`: whether they look at space, time or
both at once differs from peer to peer, and a cut that we chose would be no one's.

Shapes: B clips, T frames, D features, K classes, S side of a frame.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig
from vlf.models.backbones import on_meta
from vlf.models.blocks import check_clip
from vlf.weights.convert import one_line

Parts = tuple[nn.Module, nn.Module]  # f and head


class Peer(nn.Module):
    """Another library's model, cut before its classifier.

    Clips come normalised as for all models (`vlf.evaluate.normalize`), whatever mean and deviation
    the peer's published weights were made with.

    Args:
        name: As the library calls it.
        build: Makes f and head on the device of the context. It is called on meta first, so that
            what cannot be built or cannot take such clips is told before memory is taken.
        data: Of its clips.

    Raises:
        ConfigError: If the peer cannot be built for these clips.
    """

    def __init__(self, name: str, build: Callable[[], Parts], data: DataConfig) -> None:
        super().__init__()
        self.frames, self.size = data.frames, data.size
        with torch.device("meta"):
            self._try(name, build, data)
        if not on_meta():
            self.f, self.head = build()

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, S, S) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        logits: Tensor = self.head(self.f(clip))
        return logits.flatten(1)

    def _try(self, name: str, build: Callable[[], Parts], data: DataConfig) -> None:
        clips = f"clips of {data.frames} frames of {data.size}x{data.size}"
        try:
            self.f, self.head = build()
            with torch.no_grad():
                shape = self.eval()(torch.zeros(2, data.frames, 3, data.size, data.size)).shape
        except ConfigError:
            raise
        except Exception as error:  # whatever a peer's own code raises
            message = f'"{name}" cannot take {clips}: {one_line(error)}'
            raise ConfigError("model.architecture", message) from error
        self.train()
        if shape != (2, data.classes):
            message = f'"{name}" gives no logits for {clips}, but a tensor of {tuple(shape)}'
            raise ConfigError("model.architecture", message)
