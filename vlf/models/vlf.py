"""VideoLightFormer (Koot and Lu 2021, arXiv:2107.00451) and its ablations.

VLF(X) = MLP(h(g(f(x1)), ..., g(f(xT)))): a 2D CNN, a spatial transformer for each frame, and a
spatiotemporal transformer over the tokens of all frames.

Shapes: B clips, T frames, N tokens of a frame (the H*W places of its feature map), D width,
K classes.
"""

import torch
from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig, VLFConfig
from vlf.models.backbones import FeatureMap, build_backbone
from vlf.models.blocks import (
    MAP_POSITION_STD,
    NORM_EPS,
    Block,
    PostNormBlock,
    build_head,
    check_clip,
    init_linears,
    learned,
    sinusoids,
    split_frames,
    tie_keys,
)


class VLF(nn.Module):
    """f, g and h one after the other, and an MLP as head.

    With `spatial_depth` 0 there is no g; with `pool` "frame" h sees one token a frame, which is
    like VTN (arXiv:2102.00719). What the paper leaves open is config, argued in docs/models.md.

    Raises:
        ConfigError: If the backbone cannot be built or its feature map is too small to project.
    """

    def __init__(self, config: VLFConfig, data: DataConfig) -> None:
        super().__init__()
        self.frames, self.size = data.frames, data.size
        backbone, shape = build_backbone(config, data.size)
        projection, shape = _project(config, data, shape)
        self.f = nn.Sequential(backbone, projection)
        self.g = SpatialTransformer(config, shape) if config.spatial_depth else nn.Identity()
        self.h = SpatiotemporalTransformer(config, data.frames, shape)
        self.head = build_head(config, data.classes)
        for part in (self.g, self.h, self.head):  # f keeps the initialisation of CNNs
            init_linears(part)
            sees_token = part is self.h and config.readout == "class_token"
            if config.attention_init == "tied" and not sees_token:
                tie_keys(part)

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, size, size) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        tokens = self.f(clip.flatten(0, 1)).flatten(2).transpose(1, 2)  # (B*T, N, D)
        tokens = self.g(tokens)
        logits: Tensor = self.head(self.h(split_frames(tokens, self.frames)))
        return logits


class SpatialTransformer(nn.Module):
    """g: places attend to each other within a frame, as in DETR's encoder (arXiv:2005.12872).

    Positions are added once, at the input. The norm at the end gives h tokens of unit scale, so
    that h's own positions are not drowned by what g has added up.
    """

    space_position: Tensor | None

    def __init__(self, config: VLFConfig, shape: FeatureMap) -> None:
        super().__init__()
        _add_position(self, "space_position", config, _sine_map(shape))
        self.blocks = _blocks(config, config.spatial_depth)
        self.norm = _last_norm(config, config.spatial_depth)

    def forward(self, x: Tensor) -> Tensor:
        """(B*T, N, D) -> (B*T, N, D)."""
        if self.space_position is not None:
            x = x + self.space_position
        y: Tensor = self.norm(self.blocks(x))
        return y


class SpatiotemporalTransformer(nn.Module):
    """h: all tokens of a clip attend to each other; their mean, or a class token, is the clip's.

    Space and time positions are added where there is attention that needs them: none with
    depth 0 (the mean forgets any order), time alone where frames are pooled.
    """

    time_position: Tensor | None
    space_position: Tensor | None

    def __init__(self, config: VLFConfig, frames: int, shape: FeatureMap) -> None:
        super().__init__()
        depth, width = config.spatiotemporal_depth, config.width
        self.pool = config.pool == "frame"
        times = sinusoids(frames, width)[:, None] if depth else None  # (T, 1, D)
        _add_position(self, "time_position", config, times)
        places = _sine_map(shape) if depth and not self.pool else None
        _add_position(self, "space_position", config, places)
        self.blocks = _blocks(config, depth)
        self.norm = _last_norm(config, depth)
        has_token = config.readout == "class_token"
        self.class_token = learned(1, 1, width, std=MAP_POSITION_STD) if has_token else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, N, D) -> (B, D)."""
        if self.pool:
            x = x.mean(dim=2, keepdim=True)  # (B, T, 1, D)
        if self.space_position is not None:
            x = x + self.space_position
        if self.time_position is not None:
            x = x + self.time_position
        x = x.flatten(1, 2)  # (B, T*N, D)
        if self.class_token is not None:
            x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
            first: Tensor = self.norm(self.blocks(x)[:, 0])
            return first
        y: Tensor = self.norm(self.blocks(x)).mean(dim=1)
        return y


def _blocks(config: VLFConfig, depth: int) -> nn.Sequential:
    width, heads = config.width, config.heads
    kind = PostNormBlock if config.norm == "post" else Block
    return nn.Sequential(
        *(kind(width, heads, config.mlp_ratio, config.dropout) for _ in range(depth))
    )


def _last_norm(config: VLFConfig, depth: int) -> nn.Module:
    if config.norm == "post" and depth:
        return nn.Identity()  # the last block ends with one
    return nn.LayerNorm(config.width, eps=NORM_EPS)


def _add_position(part: nn.Module, name: str, config: VLFConfig, sine: Tensor | None) -> None:
    """Positions of the shape of the fixed ones, as the config wants them; None adds none."""
    if sine is not None and config.positions == "learned":
        part.register_parameter(name, learned(*sine.shape, std=MAP_POSITION_STD))
    else:
        fixed = sine if config.positions == "sine" else None
        part.register_buffer(name, fixed, persistent=False)


def _sine_map(shape: FeatureMap) -> Tensor:
    """DETR's fixed positions of a map: (H*W, D), half of D for the row, the rest for the column."""
    width, rows, columns = shape
    row = sinusoids(rows, width // 2)[:, None].expand(-1, columns, -1)
    column = sinusoids(columns, width - width // 2)[None].expand(rows, -1, -1)
    return torch.cat([row, column], dim=2).flatten(0, 1)


def _project(
    config: VLFConfig, data: DataConfig, shape: FeatureMap
) -> tuple[nn.Module, FeatureMap]:
    """The projection of a feature map to `width`, and the shape of what it gives.

    Its norm takes out what all clips have in common, which after the ReLU before is most: what
    tells frames apart would be small beside it, and beside the positions.
    """
    channels, height, width = shape
    norm = nn.BatchNorm2d(config.width)
    if config.projection == "1x1":
        plain = nn.Conv2d(channels, config.width, 1, bias=False)
        return nn.Sequential(plain, norm), FeatureMap(config.width, height, width)
    if min(height, width) < 2:
        message = f"3x3s2 needs a feature map of at least 2x2, got {height}x{width}"
        frames = f'"{config.backbone}" on frames of {data.size}x{data.size}'
        raise ConfigError("model.projection", f"{message} from {frames}; 1x1 takes any")
    projection = nn.Conv2d(channels, config.width, 3, stride=2, padding=1, bias=False)
    halved = FeatureMap(config.width, (height + 1) // 2, (width + 1) // 2)
    return nn.Sequential(projection, norm), halved
