"""ViViT's weights: transformers' `VivitForVideoClassification`, a joint space-time encoder.

Shapes: L tubelets in time, N tubelets of a time index, D width.
"""

from collections.abc import Mapping
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from vlf.config import DataConfig, ModelConfig, ViViTConfig
from vlf.weights.convert import TRANSFORMERS, rename, strip
from vlf.weights.positions import behind_class_token, resize_places, resize_times

NAMES = {  # as its modules are named, and as its files name them
    **TRANSFORMERS,
    "embeddings.position_embeddings": "h.position",
    "layers.{i}.attention.o_proj": "h.blocks.{i}.attention.out",
    "layers.{i}.mlp.fc1": "h.blocks.{i}.mlp.0",
    "layers.{i}.mlp.fc2": "h.blocks.{i}.mlp.3",
    "layers.{i}.attention.q_proj": "h.blocks.{i}.attention.q",
    "layers.{i}.attention.k_proj": "h.blocks.{i}.attention.k",
    "layers.{i}.attention.v_proj": "h.blocks.{i}.attention.v",
    "layers.{i}.layernorm_before": "h.blocks.{i}.attention_norm",
    "layers.{i}.layernorm_after": "h.blocks.{i}.mlp_norm",
    "encoder.layer.{i}.attention.attention.query": "h.blocks.{i}.attention.q",
    "encoder.layer.{i}.attention.attention.key": "h.blocks.{i}.attention.k",
    "encoder.layer.{i}.attention.attention.value": "h.blocks.{i}.attention.v",
}


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The layout of transformers, of version 5's modules or of its files, older ones among them."""
    state = strip(state, "vivit.")
    patches = state.get("embeddings.patch_embeddings.projection.weight")
    if "embeddings.cls_token" not in state or patches is None or patches.ndim != 5:
        return None
    # The pooler of a bare `VivitModel` takes no part in classification.
    state = {key: value for key, value in state.items() if not key.startswith("pooler.")}
    renamed = _join_qkv(rename(state, NAMES))
    if "h.position" in renamed:
        renamed["h.position"] = renamed["h.position"].squeeze(0)  # (1, 1 + L*N, D)
    return renamed


def _join_qkv(state: dict[str, Tensor]) -> dict[str, Tensor]:
    joined = dict(state)
    for key in state:
        start, dot, kind = key.rpartition(".attention.q.")
        names = [f"{start}.attention.{part}.{kind}" for part in "qkv"]
        if dot and all(name in state for name in names):
            joined[f"{start}.attention.qkv.{kind}"] = torch.cat([joined.pop(n) for n in names])
    return joined


def fit_positions(
    state: dict[str, Tensor],
    config: ModelConfig,
    data: DataConfig,
    described: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Positions at the frames and the size of `data`: linear in time, bicubic in space.

    Bicubic is what transformers does with another frame size (its own code takes all positions for
    those of one frame, and fails with more than one time index).

    Raises:
        ValueError: If it cannot be told how the stored positions are arranged.
    """
    assert isinstance(config, ViViTConfig)
    times, places = data.frames // config.tubelet_frames, (data.size // config.patch) ** 2
    fitted = dict(state)
    if config.encoder == "factorised":
        if (x := state.get("g.position")) is not None:  # (1 + N, D)
            fitted["g.position"] = behind_class_token(x, resize_places(x[1:], places, "bicubic"))
        if (x := state.get("h.position")) is not None:  # (1 + L, D)
            fitted["h.position"] = behind_class_token(x, resize_times(x[1:], times, "linear"))
    elif "h.position" in state:
        stored = state["h.position"][1:]
        old_times, old_places = _arrange(len(stored), times, places, config, described)
        x = stored.reshape(old_times, old_places, -1)  # (L, N, D)
        x = resize_places(x, places, "bicubic").flatten(1)
        x = resize_times(x, times, "linear").reshape(times * places, -1)
        fitted["h.position"] = behind_class_token(state["h.position"], x)
    return fitted


def _arrange(
    stored: int, times: int, places: int, config: ViViTConfig, described: Mapping[str, Any]
) -> tuple[int, int]:
    """(L, N) of stored positions: as config.json says, or as one of ours; else it is refused."""
    size, frames = described.get("image_size"), described.get("num_frames")
    if isinstance(size, int) and isinstance(frames, int):
        found = {(frames // config.tubelet_frames, (size // config.patch) ** 2)}
    elif stored == times * places:
        found = {(times, places)}
    else:
        found = {(times, stored // times), (stored // places, places)}
    found = {(t, n) for t, n in found if t * n == stored and isqrt(n) ** 2 == n}
    if len(found) == 1:
        return found.pop()
    ways = " or ".join(f"{t} times of {n}" for t, n in sorted(found))
    raise ValueError(
        f"has {stored} positions, {ways or 'in no arrangement that fits'}, where the model has "
        f"{times} times of {places}; give a folder with config.json, which says which"
    )
