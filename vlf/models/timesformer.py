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
    build_head,
    check_clip,
    init_linears,
    init_patches,
    learned,
    split_frames,
    tie_keys,
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
        self.head = build_head(config, data.classes)
        init_linears(self.head)

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, size, size) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        patches = self.f(clip.flatten(0, 1)).flatten(2).transpose(1, 2)  # (B*T, N, D)
        logits: Tensor = self.head(self.h(patches))
        return logits


class SpaceEncoder(nn.Module):
    """Attention within a frame only; the frames' class tokens are averaged before the last norm.

    With `readout: mean` there is no class token, and all tokens are averaged behind the norm.
    """

    def __init__(self, config: TimeSformerConfig, frames: int, patches: int) -> None:
        super().__init__()
        self.frames = frames
        self.tokens = int(config.readout == "class_token")  # class tokens of a sequence: 0 or 1
        token = learned(1, 1, config.width, std=PATCH_POSITION_STD) if self.tokens else None
        self.class_token = token
        # The class token's is the first.
        self.space_position = learned(self.tokens + patches, config.width, std=PATCH_POSITION_STD)
        self.blocks = nn.Sequential(*(self.build_block(config) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        init_linears(self)
        if config.attention_init == "tied":
            divided = (block for block in self.blocks if isinstance(block, DividedBlock))
            for part in (block.time_attention for block in divided) if self.tokens else [self]:
                tie_keys(part)

    def build_block(self, config: TimeSformerConfig) -> nn.Module:
        """One block: (B, N, D) -> (B, N, D)."""
        return Block(config.width, config.heads, config.mlp_ratio, config.dropout)

    def forward(self, patches: Tensor) -> Tensor:
        """(B*T, N, D) -> (B, D), the class token or the mean."""
        if self.class_token is None:
            x = self.norm(self.blocks(patches + self.space_position)).mean(dim=1)  # (B*T, D)
            return split_frames(x, self.frames).mean(dim=1)
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
        """(B*T, N, D) -> (B, D), the class token or the mean."""
        x = patches + self.space_position[self.tokens :]
        x = split_frames(x, self.frames).transpose(1, 2) + self.time_position  # (B, N, T, D)
        if self.class_token is None:
            mean: Tensor = self.norm(self.blocks(x.flatten(1, 2))).mean(dim=1)
            return mean
        token = (self.class_token + self.space_position[0]).expand(x.shape[0], -1, -1)
        x = self.blocks(torch.cat([token, x.flatten(1, 2)], dim=1))  # (B, 1 + N*T, D)
        y: Tensor = self.norm(x[:, 0])
        return y


class DividedEncoder(JointEncoder):
    """Encoder of divided attention: each block attends over time first, then over space."""

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
        self.frames, self.tokens = frames, int(config.readout == "class_token")
        self.time_norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.time_attention = SelfAttention(config.width, config.heads, config.dropout)
        self.time_dense = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1 + N*T, D) -> the same shape; with `readout: mean` (B, N*T, D)."""
        token, patches = x[:, : self.tokens], x[:, self.tokens :]
        patches = patches.reshape(x.shape[0], -1, self.frames, x.shape[2])
        patches = patches + self.attend_over_time(patches)
        frames = patches.transpose(1, 2).flatten(0, 1)  # (B*T, N, D)
        copies = token.repeat_interleave(self.frames, dim=0)  # (B*T, 1, D)
        update = self.attention(self.attention_norm(torch.cat([copies, frames], dim=1)))
        update = split_frames(update, self.frames)  # (B, T, 1 + N, D)
        token = token + update[:, :, : self.tokens].mean(dim=1)
        patches = patches + update[:, :, self.tokens :].transpose(1, 2)
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
