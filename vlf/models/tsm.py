"""Temporal Shift Module (Lin et al. 2019, arXiv:1811.08383), in its residual form.

Shapes: B clips, T frames, C channels, K classes, H and W of a feature map.
"""

import torch
from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig, TSMConfig
from vlf.models.backbones import Tiny
from vlf.models.blocks import split_frames
from vlf.models.tsn import TSN

LONG_STAGE = 23  # blocks; a network with such a stage shifts in every second block, as published


class TSM(TSN):
    """TSN whose CNN sees a share of the channels of the frames before and after.

    Shifts stand before the first convolution of residual blocks, so that the shortcut keeps each
    frame whole: in every block of timm's ResNet family, in the inverted residuals with a shortcut
    of MobileNetV2; and before every convolution but the first of `tiny`.

    Raises:
        ConfigError: If the backbone cannot be built or has no place for a shift, or `shift_div`
            leaves no channel to shift anywhere.
    """

    def __init__(self, config: TSMConfig, data: DataConfig) -> None:
        super().__init__(config, data)
        _insert_shifts(self.f, config, data.frames)


class Shift(nn.Module):
    """Move channels between frames; what would come from outside the clip is zero.

    The first `fold` channels come from the frame after, the next `fold` from the frame before.
    """

    def __init__(self, frames: int, fold: int) -> None:
        super().__init__()
        self.frames, self.fold = frames, fold

    def extra_repr(self) -> str:
        """Settings that distinguish instances; stored features are named by them."""
        return f"frames={self.frames}, fold={self.fold}"

    def forward(self, x: Tensor) -> Tensor:
        """(B*T, C, H, W) -> (B*T, C, H, W)."""
        clips = split_frames(x, self.frames)  # (B, T, C, H, W)
        out = torch.zeros_like(clips)
        near, far = slice(self.fold), slice(self.fold, 2 * self.fold)
        out[:, :-1, near] = clips[:, 1:, near]
        out[:, 1:, far] = clips[:, :-1, far]
        out[:, :, 2 * self.fold :] = clips[:, :, 2 * self.fold :]
        return out.flatten(0, 1)


def _insert_shifts(f: nn.Module, config: TSMConfig, frames: int) -> None:
    """Put a `Shift` before each convolution named by `_places`, in place."""
    places = _places(f, config.backbone)
    if not places:
        message = f'"{config.backbone}" has no residual block up to stage {config.stage}'
        raise ConfigError("model.stage", f"{message}, so nothing to shift")
    channels = [conv.in_channels for _, _, conv in places]
    if max(channels) < config.shift_div:
        message = f"leaves no channel to shift: 1/{config.shift_div} of {max(channels)} channels"
        raise ConfigError("model.shift_div", f"{message}; must be at most {max(channels)}")
    for parent, name, conv in places:
        shift = Shift(frames, conv.in_channels // config.shift_div)
        setattr(parent, name, nn.Sequential(shift, conv))


def _places(f: nn.Module, name: str) -> list[tuple[nn.Module, str, nn.Conv2d]]:
    """The convolutions that see shifted channels: (module that holds it, its name there, it)."""
    if name == "tiny":
        tiny = next(m for m in f.modules() if isinstance(m, Tiny))
        convs = [(key, m) for key, m in tiny.named_children() if isinstance(m, nn.Conv2d)]
        return [(tiny, key, conv) for key, conv in convs[1:]]
    from timm.models import is_model_in_modules

    arch = name.removeprefix("timm:").partition(".")[0]
    if is_model_in_modules(arch, "resnet"):
        return _resnet_places(f)
    if arch.startswith("mobilenetv2"):
        return _inverted_residual_places(f)
    message = f'"{name}" has no place for a shift; allowed: tiny, and timm\'s ResNet family and'
    raise ConfigError("model.backbone", f"{message} MobileNetV2")


def _resnet_places(f: nn.Module) -> list[tuple[nn.Module, str, nn.Conv2d]]:
    from timm.models.resnet import BasicBlock, Bottleneck

    stages = [
        [block for block in stage if isinstance(block, BasicBlock | Bottleneck)]
        for stage in f.modules()
        if isinstance(stage, nn.Sequential)
    ]
    step = 2 if max(map(len, stages), default=0) >= LONG_STAGE else 1
    return [(block, "conv1", block.conv1) for stage in stages for block in stage[::step]]


def _inverted_residual_places(f: nn.Module) -> list[tuple[nn.Module, str, nn.Conv2d]]:
    from timm.models._efficientnet_blocks import InvertedResidual

    blocks = [m for m in f.modules() if isinstance(m, InvertedResidual) and m.has_skip]
    return [(block, "conv_pw", block.conv_pw) for block in blocks]
