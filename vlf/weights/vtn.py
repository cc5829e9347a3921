"""Checkpoints of the two VTNs, as their authors write them.

- Kozlov et al. 2019 (openvinotoolkit/training_extensions, `pytorch_toolkit/action_recognition`):
  a ResNet as a list of its layers, heads apart in `w_qs`, `w_ks` and `w_vs`, norms named `a_2` and
  `b_2`, an MLP of convolutions of one place, a table of positions whose first row is padding.
- Neimark et al. 2021 (bomri/SlowFast, `slowfast/models/{video_model_builder,vtn_helper}.py`):
  timm's ViT, a Longformer of transformers, an MLP.

Shapes: T frames, H heads, D width, d = D / H.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from vlf.weights.convert import rename

RESNET = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
DECODER = "self_attention_decoder."
POSITIONS = f"{DECODER}position_encoding.enc.weight"
KOZLOV = {
    f"{DECODER}layers.{{i}}.slf_attn.layer_norm.a_2": "h.blocks.{i}.attention_norm.weight",
    f"{DECODER}layers.{{i}}.slf_attn.layer_norm.b_2": "h.blocks.{i}.attention_norm.bias",
    f"{DECODER}layers.{{i}}.pos_ffn.layer_norm.a_2": "h.blocks.{i}.mlp_norm.weight",
    f"{DECODER}layers.{{i}}.pos_ffn.layer_norm.b_2": "h.blocks.{i}.mlp_norm.bias",
    f"{DECODER}layers.{{i}}.pos_ffn.w_1": "h.blocks.{i}.mlp.0",
    f"{DECODER}layers.{{i}}.pos_ffn.w_2": "h.blocks.{i}.mlp.2",
    "reduce_conv": "f.1",
    "fc": "head",
}
NEIMARK = {
    "backbone": "f.net",
    "cls_token": "h.class_token",
    "temporal_encoder.embeddings.position_embeddings": "h.position",
    "temporal_encoder.embeddings.token_type_embeddings": "h.kind",
    "temporal_encoder.embeddings.LayerNorm": "h.norm",
    "temporal_encoder.encoder.layer": "h.layers",
    "mlp_head": "head",
}


def from_kozlov(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The layout of Kozlov et al., on a ResNet.

    Raises:
        ValueError: If the first frame has a position, which ours has not; theirs is zero.
    """
    if POSITIONS not in state:
        return None
    first, *_ = state[POSITIONS]
    if first.count_nonzero():
        raise ValueError(f"has a position for the first frame ({POSITIONS}), which is zero in vtn")
    net = "f.0.net." if "reduce_conv.weight" in state else "f.net."
    converted = {}
    for key, tensor in rename(_join_heads(state), KOZLOV).items():
        place = re.match(r"resnet\.(\d+)\.", key)
        if place and place[1] in RESNET:
            key = f"{net}{RESNET[place[1]]}.{key[place.end() :]}"
        if re.fullmatch(r"h\.blocks\.\d+\.mlp\.[02]\.weight|f\.1\.weight", key):
            tensor = tensor.flatten(1)  # (out, in, 1) or (out, in, 1, 1): one place
        converted[key] = tensor
    converted["h.position"] = converted.pop(POSITIONS)[1:]  # (T - 1, D)
    return converted


def _join_heads(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Queries, keys and values of all heads as one linear layer: 3 x (H, D, d) -> (3 * D, D)."""
    joined = dict(state)
    for key in state:
        start, found, _ = key.partition(".slf_attn.w_qs")
        names = [f"{start}.slf_attn.{name}" for name in ("w_qs", "w_ks", "w_vs")]
        if found and all(name in state and state[name].ndim == 3 for name in names):
            parts = [joined.pop(name).transpose(1, 2).flatten(0, 1) for name in names]
            number = start.removeprefix(f"{DECODER}layers.")
            joined[f"h.blocks.{number}.qkv.weight"] = torch.cat(parts)
    return joined


def heads_of(state: Mapping[str, Tensor]) -> int | None:
    """The number of heads, which the layout of Kozlov et al. shows; None for others."""
    return next(
        (len(value) for key, value in state.items() if key.endswith(".slf_attn.w_qs")), None
    )


def from_neimark(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The layout of Neimark et al."""
    if not {"cls_token", "temporal_encoder.embeddings.LayerNorm.weight"} <= state.keys():
        return None
    return rename(state, NEIMARK)
