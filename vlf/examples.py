"""Views of a trained model into a few test clips: their frames, and where h attends.

For figures alone. It is looked at once training and test are over, and so can change no number.

Shapes: E clips, T frames, L tokens of a clip, R rows and C columns of a frame's places, M blocks.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from vlf.data import Clips
from vlf.evaluate import normalize
from vlf.heads import split_targets
from vlf.models.blocks import SelfAttention
from vlf.models.pixels import pixels_of
from vlf.models.vlf import SpatiotemporalTransformer

MOST_PIXELS = 64  # a side of a kept frame; larger ones are averaged down


def look_at(
    model: nn.Module, clips: Clips, indices: Sequence[int], device: torch.device
) -> dict[str, NDArray[Any]]:
    """Frames and labels of chosen clips, and the attention of h where it sees all frames.

    Indices that the split does not have are left out. Of several views the first is looked at.

    Returns:
        index: (E,) int64, and labels: (E,) int64; of several heads the first one's.
        frames: (E, T, h, w, 3) uint8, of at most `MOST_PIXELS` a side.
        between: (E, M, T, T) float32, the attention that places of one frame (row) pay to all of
            another, averaged over heads and those places. Rows sum to 1, less what a class token
            takes.
        received: (E, M, T, R, C) float32, the attention that a place is paid, averaged over heads
            and places: 1 / (T*R*C) where attention is even.

        The last two only for a model whose h is VLF's, with a block at least.
    """
    kept = [index for index in indices if index < len(clips)]
    if not kept:
        return {}
    views = torch.stack([clips.load_views(index)[0] for index in kept])  # (E, T, 3, H, W)
    found: dict[str, NDArray[Any]] = {
        "index": np.array(kept, dtype=np.int64),
        "labels": split_targets(clips.labels[kept], clips.heads)[0].numpy(),
        "frames": _thumbnails(views).numpy(),
    }
    pixels = pixels_of(model)
    attention = [attention_maps(model, normalize(view[None], device, pixels)) for view in views]
    if attention and attention[0] is not None:
        pairs = [one for one in attention if one is not None]
        found["between"] = torch.stack([between for between, _ in pairs]).numpy()
        found["received"] = torch.stack([received for _, received in pairs]).numpy()
    return found


@torch.inference_mode()
def attention_maps(model: nn.Module, clip: Tensor) -> tuple[Tensor, Tensor] | None:
    """One normalised clip (1, T, 3, H, W) -> (M, T, T) and (M, T, R, C), as in `look_at`.

    None for a model whose h is not a `SpatiotemporalTransformer` with a block.
    """
    h = getattr(model, "h", None)
    if not isinstance(h, SpatiotemporalTransformer) or not len(h.blocks):
        return None
    model.eval()
    frames, skipped = clip.shape[1], int(h.class_token is not None)
    found: list[tuple[Tensor, Tensor]] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, SelfAttention)
        weights = _weights(module, inputs[0].float())[skipped:, skipped:]
        found.append(_by_frame(weights, frames))

    layers = [one for one in h.blocks.modules() if isinstance(one, SelfAttention)]
    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        model(clip)
    finally:
        for hook in hooks:
            hook.remove()
    between, received = zip(*found, strict=True)
    return torch.stack(between).cpu(), torch.stack(received).cpu()


def _weights(module: SelfAttention, x: Tensor) -> Tensor:
    """Attention of each token (row) to each, averaged over heads: (1, L, D) -> (L, L)."""
    query, key, _ = module.qkv(x)[0].chunk(3, dim=1)  # (L, D) each
    heads = zip(query.chunk(module.heads, dim=1), key.chunk(module.heads, dim=1), strict=True)
    total = torch.zeros(len(query), len(query), device=x.device)
    for q, k in heads:  # one after the other: L * L may be large
        total += (q @ k.T * q.shape[1] ** -0.5).softmax(dim=1)
    return total / module.heads


def _by_frame(weights: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """(T*R*C, T*R*C) -> (T, T) and (T, R, C); a frame's places make a square, as the frame is."""
    places = len(weights) // frames
    side = round(places**0.5)
    split = weights.reshape(frames, places, frames, places)
    return split.sum(dim=3).mean(dim=1), weights.mean(dim=0).reshape(frames, side, side)


def _thumbnails(clips: Tensor) -> Tensor:
    """(E, T, 3, H, W) uint8 -> (E, T, h, w, 3) uint8."""
    height, width = clips.shape[-2:]
    if max(height, width) > MOST_PIXELS:
        scale = MOST_PIXELS / max(height, width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        small = F.interpolate(clips.flatten(0, 1).float(), size=size, mode="area")
        clips = small.round().to(torch.uint8).reshape(*clips.shape[:3], *size)
    return clips.permute(0, 1, 3, 4, 2).contiguous()
