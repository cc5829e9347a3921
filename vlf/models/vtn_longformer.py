"""VTN of Neimark et al. 2021 (arXiv:2102.00719), on the Longformer layers of `transformers`.

As in the authors' code (facebookresearch/SlowFast, `models/vtn_helper.py`,
`configs/Kinetics/VIT_B_VTN.yaml`, and the model builder of their fork).

Shapes: B clips, T frames, N tokens with class token and padding, D width, K classes.
"""

import importlib
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig, VTNLongformerConfig
from vlf.models.backbones import build_vectors
from vlf.models.blocks import check_clip, learned, split_frames

INIT_STD = 0.02  # of Longformer and head, as published
NORM_EPS = 1e-12  # the same
LONGFORMER = "transformers.models.longformer"


class VTNLongformer(nn.Module):
    """One vector a frame (f), a Longformer over class token and frames (h), an MLP on the former.

    As published with `timm:vit_base_patch16_224`, 12 heads and 16 frames.

    Raises:
        ConfigError: If transformers is absent, the backbone cannot be built, or its width is not
            divisible by `heads`.
    """

    def __init__(self, config: VTNLongformerConfig, data: DataConfig) -> None:
        super().__init__()
        self.frames, self.size = data.frames, data.size
        self.f, width = build_vectors(config, data.size)
        if width % config.heads:
            message = f'must divide the {width} channels of "{config.backbone}"'
            raise ConfigError("model.heads", f"{message}, got {config.heads}")
        self.h = Longformer(config, width, data.frames)
        self.head = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(config.head_dropout),
            nn.Linear(width, data.classes),
        )
        _init_weights(self.head)

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, size, size) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        frames = split_frames(self.f(clip.flatten(0, 1)), self.frames)  # (B, T, D)
        logits: Tensor = self.head(self.h(frames))
        return logits


class Longformer(nn.Module):
    """(B, T, D) -> (B, D), the class token, which attends to all frames and all frames to it.

    A frame attends to the class token and to frames within half a `window`. The sequence is padded
    to whole windows, as the layers ask; nothing attends to padding. (The authors pad to two.)
    Position ids are the frames' indices in the video, `frame_step` apart, modulo `positions` - 2;
    the last two are those of the class token and of padding. The local projections of the last
    layer move no logit, since of that layer the class token alone is read; they are there as
    published.
    """

    def __init__(self, config: VTNLongformerConfig, width: int, frames: int) -> None:
        super().__init__()
        self.class_token = learned(1, 1, width, std=1.0)
        self.position = nn.Embedding(config.positions, width, padding_idx=config.positions - 1)
        self.kind = nn.Embedding(2, width)  # 0 frame and padding, 1 class token
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(_layers(config, width))
        self.tokens = -(-(1 + frames) // config.window) * config.window
        self.padding = self.tokens - 1 - frames
        ids = [config.positions - 2]
        ids += [t * config.frame_step % (config.positions - 2) for t in range(frames)]
        ids += [config.positions - 1] * self.padding
        self.register_buffer("ids", torch.tensor(ids), persistent=False)
        _init_weights(self)
        with torch.no_grad():
            self.position.weight[-1] = 0  # of padding

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, D)."""
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
        x = F.pad(x, (0, 0, 0, self.padding))  # (B, N, D)
        assert isinstance(self.ids, Tensor)
        kinds = (torch.arange(self.tokens, device=x.device) == 0).long()
        x = self.dropout(self.norm(x + self.position(self.ids) + self.kind(kinds)))
        masks = self._masks(len(x), x.device)
        for layer in self.layers:
            x = layer(x, is_global_attn=True, **masks)[0]
        return x[:, 0]

    def _masks(self, batch: int, device: torch.device) -> dict[str, Tensor]:
        """Masks of padding tokens, of global tokens, and of either (all (B, N))."""
        # Global ones on the CPU: the layers look up their indices, which the meta device has not.
        is_global = torch.zeros(batch, self.tokens, dtype=torch.bool, device="cpu")
        is_global[:, 0] = True
        at = torch.arange(self.tokens, device=device).expand(batch, -1)
        is_padding = at >= self.tokens - self.padding
        return {
            "attention_mask": (is_padding | (at == 0)).float(),
            "is_index_masked": is_padding,
            "is_index_global_attn": is_global,
        }


def _init_weights(part: nn.Module) -> None:
    for module in part.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=INIT_STD)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)


def _layers(config: VTNLongformerConfig, width: int) -> list[nn.Module]:
    try:
        longformer: Any = importlib.import_module(f"{LONGFORMER}.modeling_longformer")
        settings: Any = importlib.import_module(f"{LONGFORMER}.configuration_longformer")
    except ImportError as error:
        message = "vtn_longformer needs transformers, which is not installed"
        raise ConfigError("model.name", f"{message}: pip install '.[peers]'") from error
    options = settings.LongformerConfig(
        hidden_size=width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
        intermediate_size=max(1, int(width * config.mlp_ratio)),
        attention_window=[config.window] * config.depth,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        layer_norm_eps=NORM_EPS,
    )
    return [longformer.LongformerLayer(options, layer_id=at) for at in range(config.depth)]
