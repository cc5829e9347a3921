"""TimeSformer (Bertasius et al. 2021, arXiv:2102.05095): a video transformer on patches.

Tokens stand as published: the class token first, then patches in space-major, time-minor order,
so that patch n of frame t is token 1 + n*T + t. Without the published ImageNet weights and
without stochastic depth.

Shapes: B clips, T frames, N patches of a frame, D width, K classes.
"""

import torch
from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig, TimeSformerConfig
from vlf.models.blocks import (
    NORM_EPS,
    PATCH_POSITION_STD,
    Block,
    SelfAttention,
    check_clip,
    classifier,
    init_linears,
    init_patches,
    learned,
    split_frames,
)


class TimeSformer(nn.Module):
    """Patches of all frames (f), blocks of attention over space and time (h), a linear head.

    Raises:
        ConfigError: If the patch does not divide the frame.
    """

    def __init__(self, config: TimeSformerConfig, data: DataConfig) -> None:
        super().__init__()
        if data.size % config.patch:
            message = f"must divide data.size {data.size}, got {config.patch}"
            raise ConfigError("model.patch", message)
        self.frames, self.size = data.frames, data.size
        self.f = nn.Conv2d(3, config.width, config.patch, stride=config.patch)
        init_patches(self.f)
        self.h = ENCODERS[config.attention](config, data.frames, (data.size // config.patch) ** 2)
        self.head = classifier(config.width, data.classes, config.dropout_before_head)

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, size, size) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        patches = self.f(clip.flatten(0, 1)).flatten(2).transpose(1, 2)  # (B*T, N, D)
        logits: Tensor = self.head(self.h(patches))
        return logits


class SpaceEncoder(nn.Module):
    """Attention within a frame only; the frames' tokens are averaged before the last norm."""

    def __init__(self, config: TimeSformerConfig, frames: int, patches: int) -> None:
        super().__init__()
        self.frames = frames
        self.class_token = learned(1, 1, config.width, std=PATCH_POSITION_STD)
        self.space_position = learned(
            1 + patches, config.width, std=PATCH_POSITION_STD
        )  # the class token's is the first
        self.blocks = nn.Sequential(*(self.build_block(config) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        init_linears(self)

    def build_block(self, config: TimeSformerConfig) -> nn.Module:
        """One block: (B, N, D) -> (B, N, D)."""
        return Block(config.width, config.heads, config.mlp_ratio, config.dropout)

    def forward(self, patches: Tensor) -> Tensor:
        """(B*T, N, D) -> (B, D), the class token."""
        x = torch.cat([self.class_token.expand(patches.shape[0], -1, -1), patches], dim=1)
        x = self.blocks(x + self.space_position)[:, 0]  # (B*T, D)
        y: Tensor = self.norm(split_frames(x, self.frames).mean(dim=1))
        return y


class JointEncoder(SpaceEncoder):
    """Attention over one class token and the patches of all frames."""

    def __init__(self, config: TimeSformerConfig, frames: int, patches: int) -> None:
        super().__init__(config, frames, patches)
        # Zero in the authors' code, which starts from weights of images; from scratch on clips
        # that costs epochs before frames are told apart.
        self.time_position = learned(frames, config.width, std=PATCH_POSITION_STD)

    def forward(self, patches: Tensor) -> Tensor:
        """(B*T, N, D) -> (B, D), the class token."""
        x = patches + self.space_position[1:]
        x = split_frames(x, self.frames).transpose(1, 2) + self.time_position  # (B, N, T, D)
        token = (self.class_token + self.space_position[0]).expand(x.shape[0], -1, -1)
        x = self.blocks(torch.cat([token, x.flatten(1, 2)], dim=1))  # (B, 1 + N*T, D)
        y: Tensor = self.norm(x[:, 0])
        return y


class DividedEncoder(JointEncoder):
    """As joint, but each block attends over time first, then over space."""

    def __init__(self, config: TimeSformerConfig, frames: int, patches: int) -> None:
        super().__init__(config, frames, patches)
        for module in self.modules():
            if isinstance(module, DividedBlock):
                # Zero in every block, as in the authors' code: at the start there is no attention
                # over time, and published image weights would be kept as they are.
                nn.init.zeros_(module.time_dense.weight)

    def build_block(self, config: TimeSformerConfig) -> nn.Module:
        """One divided block: (B, 1 + N*T, D) -> (B, 1 + N*T, D)."""
        return DividedBlock(config, self.frames)


class DividedBlock(Block):
    """Divided space-time attention, then the MLP.

    The class token takes no part in the attention over time. For that over space each frame gets a
    copy of it, as it came into the block; it is then moved by the mean over frames of the updates.
    """

    def __init__(self, config: TimeSformerConfig, frames: int) -> None:
        super().__init__(config.width, config.heads, config.mlp_ratio, config.dropout)
        self.frames = frames
        self.time_norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.time_attention = SelfAttention(config.width, config.heads, config.dropout)
        self.time_dense = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1 + N*T, D) -> (B, 1 + N*T, D)."""
        token, patches = x[:, :1], x[:, 1:].reshape(x.shape[0], -1, self.frames, x.shape[2])
        patches = patches + self.attend_over_time(patches)
        frames = patches.transpose(1, 2).flatten(0, 1)  # (B*T, N, D)
        copies = token.repeat_interleave(self.frames, dim=0)  # (B*T, 1, D)
        update = self.attention(self.attention_norm(torch.cat([copies, frames], dim=1)))
        update = split_frames(update, self.frames)  # (B, T, 1 + N, D)
        token = token + update[:, :, 0].mean(dim=1, keepdim=True)
        patches = patches + update[:, :, 1:].transpose(1, 2)
        x = torch.cat([token, patches.flatten(1, 2)], dim=1)
        y: Tensor = x + self.mlp(self.mlp_norm(x))
        return y

    def attend_over_time(self, patches: Tensor) -> Tensor:
        """Each place attends to itself in all frames: (B, N, T, D) -> (B, N, T, D)."""
        tubes = patches.flatten(0, 1)  # (B*N, T, D)
        update: Tensor = self.time_dense(self.time_attention(self.time_norm(tubes)))
        return update.view_as(patches)


ENCODERS: dict[str, type[SpaceEncoder]] = {
    "divided": DividedEncoder,
    "joint": JointEncoder,
    "space": SpaceEncoder,
}
