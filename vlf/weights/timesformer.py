"""TimeSformer's weights: transformers' `TimesformerForVideoClassification`, and the authors' files.

Shapes: T frames, N patches of a frame, D width.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vlf.config import DataConfig, ModelConfig, TimeSformerConfig
from vlf.weights.convert import TRANSFORMERS, rename, strip
from vlf.weights.positions import behind_class_token, resize_places, resize_times

NAMES = {
    **TRANSFORMERS,
    "embeddings.position_embeddings": "h.space_position",
    "embeddings.time_embeddings": "h.time_position",
    "encoder.layer.{i}.attention.attention.qkv": "h.blocks.{i}.attention.qkv",
    "encoder.layer.{i}.temporal_layernorm": "h.blocks.{i}.time_norm",
    "encoder.layer.{i}.temporal_attention.attention.qkv": "h.blocks.{i}.time_attention.qkv",
    "encoder.layer.{i}.temporal_attention.output.dense": "h.blocks.{i}.time_attention.out",
    "encoder.layer.{i}.temporal_dense": "h.blocks.{i}.time_dense",
}

OFFICIAL = {
    "cls_token": "h.class_token",
    "pos_embed": "h.space_position",
    "time_embed": "h.time_position",
    "patch_embed.proj": "f",
    "blocks.{i}.norm1": "h.blocks.{i}.attention_norm",
    "blocks.{i}.attn.qkv": "h.blocks.{i}.attention.qkv",
    "blocks.{i}.attn.proj": "h.blocks.{i}.attention.out",
    "blocks.{i}.temporal_norm1": "h.blocks.{i}.time_norm",
    "blocks.{i}.temporal_attn.qkv": "h.blocks.{i}.time_attention.qkv",
    "blocks.{i}.temporal_attn.proj": "h.blocks.{i}.time_attention.out",
    "blocks.{i}.temporal_fc": "h.blocks.{i}.time_dense",
    "blocks.{i}.norm2": "h.blocks.{i}.mlp_norm",
    "blocks.{i}.mlp.fc1": "h.blocks.{i}.mlp.0",
    "blocks.{i}.mlp.fc2": "h.blocks.{i}.mlp.3",
    "norm": "h.norm",
    "head": "head.1",
}


def from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The layout of transformers, with a classifier or without."""
    state = strip(state, "timesformer.")
    if "embeddings.cls_token" not in state:
        return None
    if "encoder.layer.0.attention.attention.qkv.weight" not in state:  # as a ViT's or ViViT's
        return None
    return _drop_batch(rename(state, NAMES))


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The layout of github.com/facebookresearch/TimeSformer."""
    state = strip(state, "model.")
    # Space-only weights have all keys of an image model (timm's ViT), and are loaded like one.
    if not {"cls_token", "pos_embed", "blocks.0.attn.qkv.weight"} <= state.keys():
        return None
    return _drop_batch(rename(state, OFFICIAL))


def fit_positions(
    state: dict[str, Tensor],
    config: ModelConfig,
    data: DataConfig,
    described: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Positions at the frames and the size of `data`, nearest in both as in either source.

    The authors' loader takes the nearest in the row-by-row sequence of patches, which mixes
    columns; their forward pass, and transformers', take the nearest place of the frame, as here.

    Raises:
        ValueError: If the stored positions are not those of a square.
    """
    assert isinstance(config, TimeSformerConfig)
    fitted = dict(state)
    if (times := state.get("h.time_position")) is not None:  # (T, D)
        fitted["h.time_position"] = resize_times(times, data.frames, "nearest")
    if (places := state.get("h.space_position")) is not None:  # (1 + N, D)
        patches = (data.size // config.patch) ** 2
        resized = resize_places(places[1:], patches, "nearest")
        fitted["h.space_position"] = behind_class_token(places, resized)
    return fitted


def _drop_batch(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Positions without their leading dimension of 1: (1, N, D) -> (N, D)."""
    for key in ("h.space_position", "h.time_position"):
        if key in state:
            state[key] = state[key].squeeze(0)
    return state
