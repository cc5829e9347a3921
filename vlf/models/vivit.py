"""ViViT (Arnab et al. 2021, arXiv:2103.15691): its factorised and its joint encoder.

Shapes: B clips, T frames, L tubelets in time, N tubelets of a time index, D width, K classes.
"""

import torch
from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig, ViViTConfig
from vlf.models.blocks import (
    NORM_EPS,
    PATCH_POSITION_STD,
    Block,
    build_head,
    check_clip,
    init_linears,
    init_patches,
    learned,
    split_frames,
    tie_keys,
)


class ViViT(nn.Module):
    """Tubelets (f), an encoder over space (g), an encoder over time (h), a linear head.

    The joint encoder (the paper's Model 1) has no g: h sees the tubelets of all times, time-major.

    vit-pytorch's factorised encoder is another reading of the paper's Model 2: it has layer norms
    around the embedding of tubelets, a position for each tubelet in space and time and none in the
    temporal encoder nor on class tokens, no biases of queries, keys and values, and norms with an
    epsilon of 1e-5. Where these are made equal the two agree
    (tests/vlf/weights/test_vivit_peers.py).

    Raises:
        ConfigError: If a tubelet divides the clip in neither space nor time.
    """

    def __init__(self, config: ViViTConfig, data: DataConfig) -> None:
        super().__init__()
        for key, part, whole, length in (
            ("patch", config.patch, "size", data.size),
            ("tubelet_frames", config.tubelet_frames, "frames", data.frames),
        ):
            if length % part:
                message = f"must divide data.{whole} {length}, got {part}"
                raise ConfigError(f"model.{key}", message)
        self.frames, self.size = data.frames, data.size
        self.times = data.frames // config.tubelet_frames
        tubelet = (config.tubelet_frames, config.patch, config.patch)
        self.f = nn.Conv3d(3, config.width, tubelet, stride=tubelet)
        init_patches(self.f)
        places = (data.size // config.patch) ** 2
        if config.encoder == "factorised":
            self.g: Encoder | None = Encoder(config, config.spatial_depth, places)
            self.h = Encoder(config, config.temporal_depth, self.times)
        else:
            self.g = None
            depth = config.depth or config.spatial_depth + config.temporal_depth
            self.h = Encoder(config, depth, self.times * places)
        self.head = build_head(config, data.classes)
        init_linears(self.head)

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, size, size) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        tubelets = self.f(clip.transpose(1, 2)).flatten(3).permute(0, 2, 3, 1)  # (B, L, N, D)
        if self.g is None:
            tokens = tubelets.flatten(1, 2)  # (B, L*N, D)
        else:
            tokens = split_frames(self.g(tubelets.flatten(0, 1)), self.times)  # (B, L, D)
        logits: Tensor = self.head(self.h(tokens))
        return logits


class Encoder(nn.Module):
    """A transformer with learned positions and a last norm, read by a class token or the mean."""

    def __init__(self, config: ViViTConfig, depth: int, tokens: int) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        has_token = config.readout == "class_token"
        self.class_token = learned(1, 1, width, std=PATCH_POSITION_STD) if has_token else None
        # The class token's is the first.
        self.position = learned(has_token + tokens, width, std=PATCH_POSITION_STD)
        self.blocks = nn.Sequential(
            *(
                Block(width, heads, config.mlp_ratio, config.dropout, config.activation)
                for _ in range(depth)
            )
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        init_linears(self)
        if config.attention_init == "tied":
            tie_keys(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, D), the class token or the mean."""
        if self.class_token is None:
            mean: Tensor = self.norm(self.blocks(x + self.position)).mean(dim=1)
            return mean
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.blocks(x + self.position)
        y: Tensor = self.norm(x[:, 0])
        return y
