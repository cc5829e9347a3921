"""VTN of Kozlov et al. 2019 (arXiv:1905.08711), "Lightweight Network Architecture ...".

What the paper leaves open is as in the authors' code (openvinotoolkit/training_extensions,
`pytorch_toolkit/action_recognition`, `models/video_transformer.py`, `modules/self_attention.py`):
positions, norm, activation, places of dropout, initial weights.

Shapes: B clips, T frames, C channels of f's vector, D width, K classes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlf.config import DataConfig, VTNConfig
from vlf.models.backbones import build_vectors
from vlf.models.blocks import check_clip, sinusoids, split_frames

SPREAD_EPS = 1e-3  # added to the deviation, not to the variance
CLASSIFIER_STD = 0.02


class VTN(nn.Module):
    """One vector a frame (f), blocks over the frames (h), a classifier for each frame, their mean.

    As published with `timm:resnet34`, width 512, 8 heads and 16 frames. A backbone of another width
    is brought to D by a linear layer, as the authors' 1x1 convolution before the pooling does.

    Raises:
        ConfigError: If the backbone cannot be built for these clips.
    """

    def __init__(self, config: VTNConfig, data: DataConfig) -> None:
        super().__init__()
        self.frames, self.size = data.frames, data.size
        vectors, channels = build_vectors(config, data.size)
        same = channels == config.width
        self.f = vectors if same else nn.Sequential(vectors, nn.Linear(channels, config.width))
        self.h = TemporalTransformer(config, data.frames)
        self.head = nn.Linear(config.width, data.classes)
        nn.init.normal_(self.head.weight, std=CLASSIFIER_STD)
        nn.init.zeros_(self.head.bias)

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, size, size) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        frames = split_frames(self.f(clip.flatten(0, 1)), self.frames)  # (B, T, D)
        logits: Tensor = self.head(self.h(frames)).mean(dim=1)
        return logits


class TemporalTransformer(nn.Module):
    """Positions, then post-norm blocks: (B, T, D) -> (B, T, D).

    Positions are learned from sinusoids on; the first frame's is zero and stays so, since the
    authors' table has it as padding.
    """

    def __init__(self, config: VTNConfig, frames: int) -> None:
        super().__init__()
        self.position = nn.Parameter(sinusoids(frames, config.width)[1:].clone())
        self.blocks = nn.Sequential(*(VTNBlock(config) for _ in range(config.depth)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        y: Tensor = self.blocks(x + F.pad(self.position, (0, 0, 1, 0)))
        return y


class VTNBlock(nn.Module):
    """Attention and an MLP, each added to what it sees and then normalised.

    Heads are joined without an output projection, and scores are divided by sqrt(D), where others
    divide by the square root of a head's width.
    """

    def __init__(self, config: VTNConfig) -> None:
        super().__init__()
        width, hidden = config.width, max(1, int(config.width * config.mlp_ratio))
        self.heads, self.rate = config.heads, config.dropout
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        # Glorot as torch reads the authors' (heads, D, D / heads) tensors: fans of a convolution.
        size = width // config.heads
        nn.init.normal_(self.qkv.weight, std=math.sqrt(2 / (size * (width + config.heads))))
        self.attention_norm = SpreadNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.mlp_norm = SpreadNorm(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, T, D / heads)
            for part in self.qkv(x).chunk(3, dim=2)
        )
        rate = self.rate if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, scale=x.shape[2] ** -0.5)
        x = self.attention_norm(x + self.dropout(y.transpose(1, 2).flatten(2)))
        z: Tensor = self.mlp_norm(x + self.dropout(self.mlp(x)))
        return z


class SpreadNorm(nn.Module):
    """The authors' layer norm: by the unbiased deviation plus 1e-3, (..., D) -> (..., D).

    Theirs leaves a sequence of one frame as it is; this one treats it like any other.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        spread = x.std(dim=-1, keepdim=True) + SPREAD_EPS
        return (x - x.mean(dim=-1, keepdim=True)) / spread * self.weight + self.bias
