"""Layers that the architectures share: pre-norm transformer blocks, positions, the way of frames.

Shapes: B clips or sequences, T frames, N tokens, D width, K classes, H and W pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlf.config.shared import ClipTransformer

NORM_EPS = 1e-6  # of the published ViT, TimeSformer and ViViT; torch's default is 1e-5
# Learned positions and class tokens start about as large as the tokens that they join: those of a
# projected feature map have unit variance by their norm, those of linear patches about half. With
# the published 0.02, which suits a width of 768 and long training, they are drowned by the tokens'
# content at width 64, and every one of these architectures stays at chance for many epochs.
MAP_POSITION_STD = 1.0
PATCH_POSITION_STD = 0.5


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def tie_keys(self) -> None:
        """Glorot uniform for each of the three, and keys that start as the queries are.

        So a token first attends to what is like it, in place, time or content, and attention to the
        same place at other times need not be found from nothing: a simple form of mimetic
        initialisation (Trockman and Kolter 2023, arXiv:2305.09828). Over the 128 tokens of the
        embedded study, attention that starts at random stays at chance for many epochs. Not for
        sequences with a class token, which at first would attend to itself.
        """
        query, key, value = self.qkv.weight.data.chunk(3)
        for weight in (query, value):
            nn.init.xavier_uniform_(weight)
        key.copy_(query)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        # Split before the heads: the backward pass then joins the three gradients in one copy.
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, D / heads)
            for part in self.qkv(x).chunk(3, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v)
        y = self.out(y.transpose(1, 2).flatten(2))
        out: Tensor = self.dropout(y)
        return out


class MLP(nn.Sequential):
    """Two linear layers with a GELU between: (..., D) -> (..., D).

    The exact one ("gelu"), or its approximation by tanh ("gelu_tanh", arXiv:1606.08415).
    """

    def __init__(self, width: int, ratio: float, dropout: float, activation: str = "gelu") -> None:
        hidden = max(1, int(width * ratio))
        super().__init__(
            nn.Linear(width, hidden),
            nn.GELU("tanh" if activation == "gelu_tanh" else "none"),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
            nn.Dropout(dropout),
        )


class Block(nn.Module):
    """Pre-norm transformer block (ViT, Dosovitskiy et al. 2021, arXiv:2010.11929)."""

    def __init__(
        self, width: int, heads: int, mlp_ratio: float, dropout: float, activation: str = "gelu"
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.attention = SelfAttention(width, heads, dropout)
        self.mlp_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = MLP(width, mlp_ratio, dropout, activation)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = x + self.attention(self.attention_norm(x))
        y: Tensor = x + self.mlp(self.mlp_norm(x))
        return y


class PostNormBlock(Block):
    """The same layers with the norms behind the sums, as in the original transformer and DETR."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = self.attention_norm(x + self.attention(x))
        y: Tensor = self.mlp_norm(x + self.mlp(x))
        return y


def sinusoids(length: int, width: int) -> Tensor:
    """Fixed positions of Vaswani et al. 2017 (arXiv:1706.03762): (length, D), sine and cosine."""
    at = torch.arange(length, dtype=torch.float32)[:, None]
    pair = torch.arange(width) // 2
    angle = at / 10000 ** (2 * pair / width)
    return torch.where(torch.arange(width) % 2 == 0, angle.sin(), angle.cos())


def learned(*shape: int, std: float) -> nn.Parameter:
    """A learned position or class token, normal with mean 0."""
    return nn.Parameter(torch.randn(shape) * std)


def init_linears(part: nn.Module) -> None:
    """Glorot uniform weights and zero biases, in place, for all linear layers.

    As in DETR and the original transformer: its scale follows the width, so that residual branches
    are alive from the first step at small widths, too.
    """
    for module in part.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


def init_patches(patches: nn.Conv2d | nn.Conv3d) -> None:
    """Initialise as `init_linears`: without overlap it is a linear layer of its patch."""
    nn.init.xavier_uniform_(patches.weight.view(patches.out_channels, -1))
    assert patches.bias is not None
    nn.init.zeros_(patches.bias)


def classifier(width: int, classes: int, dropout: float) -> nn.Sequential:
    """Dropout and one linear layer: (..., D) -> (..., K)."""
    head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes))
    init_linears(head)
    return head


def build_head(config: ClipTransformer, classes: int) -> nn.Sequential:
    """The head that a config names, with torch's initial weights: (..., D) -> (..., K)."""
    width, dropout = config.width, nn.Dropout(config.dropout_before_head)
    if config.head == "linear":
        return nn.Sequential(dropout, nn.Linear(width, classes))
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), dropout, nn.Linear(width, classes))


def tie_keys(part: nn.Module) -> None:
    """`SelfAttention.tie_keys` of every attention in a part of a model."""
    for module in part.modules():
        if isinstance(module, SelfAttention):
            module.tie_keys()


def split_frames(x: Tensor, frames: int) -> Tensor:
    """(B*T, ...) -> (B, T, ...), without a copy."""
    return x.view(-1, frames, *x.shape[1:])


def check_clip(clip: Tensor, frames: int, size: int) -> None:
    """Refuse a clip of another shape than the model was built for.

    Without this, learned positions of one frame or one token would broadcast in silence.

    Raises:
        ValueError: If `clip` is not (B, frames, 3, size, size).
    """
    if clip.ndim != 5 or tuple(clip.shape[1:]) != (frames, 3, size, size):
        wanted = f"(B, {frames}, 3, {size}, {size})"
        raise ValueError(f"clip: must be {wanted}, got {tuple(clip.shape)}")
