"""Architecture of a weight file, by the names of its tensors: for errors alone."""

import re
from collections.abc import Iterable
from typing import NamedTuple

BLOCK = r"layer\d\.\d+\."  # of a ResNet
IMAGE_NET = r"(f\.(0\.)*(net\.)?(model\.)?|base_model\.|backbone\.)"
IMAGES = "of which model.pretrained starts a backbone; model.weights takes a whole model"


class Known(NamedTuple):
    """A model, the architecture here that computes it, and keys by which its files are known."""

    what: str
    name: str | None  # of a model here; None if there is none
    keys: tuple[str, ...]  # patterns, each of which a key matches from its start
    way_out: str = "which no model here computes"  # where there is none


# The first whose patterns are all found is what a file is of: the special before the general.
KNOWN = (
    Known("TSM with non-local blocks", None, (rf".*{BLOCK}(nl|non_local_block)\.",)),
    Known("TSM with temporal pooling", None, (r".*layer2\.net\.\d",)),
    Known("TSM with shift_place block", None, (rf".*{BLOCK}(block\.)?net\.(conv|bn)\d",)),
    Known("TSM", "tsm", (rf".*({BLOCK}conv1\.(conv\.)?net|\.conv\.0\.net)\.",)),
    Known("TSM", "tsm", (rf"f\..*({BLOCK}conv1|\.conv_pw)\.1\.weight", r"head\.1\.")),
    Known("TSM", "tsm", (r"f\.0\.3\.1\.weight", r"head\.1\.")),
    Known("VTN (Kozlov et al.)", "vtn", (r"self_attention_decoder\.",)),
    Known("VTN (Kozlov et al.)", "vtn", (r"h\.blocks\.0\.qkv\.", r"h\.blocks\.0\.mlp_norm\.")),
    Known("VTN (Neimark et al.)", "vtn_longformer", (r"temporal_encoder\.encoder\.layer\.",)),
    Known("VTN (Neimark et al.)", "vtn_longformer", (r"h\.layers\.0\.", r"h\.kind\.")),
    Known("TimeSformer", "timesformer", (r".*(temporal_attn|temporal_attention|time_attention)",)),
    Known("TimeSformer", "timesformer", (r".*time_embed$",)),
    Known("TimeSformer", "timesformer", (r".*embeddings\.time_embeddings",)),
    Known("TimeSformer", "timesformer", (r"h\.space_position", r"h\.class_token", r"f\.bias")),
    Known("ViViT", "vivit", (r"h\.position", r"h\.class_token", r"f\.bias")),
    Known("VLF", "vlf", (r"f\.", r"h\.(blocks|norm)\.", r"head\.")),
    Known("VideoMAE", None, (r".*(q_bias|v_bias)$",)),
    Known("MViT", None, (r".*attn\.(pool|norm)_[qkv]\b",)),
    Known("Swin", None, (r".*relative_position_bias_table",)),
    Known("CLIP", None, (r".*resblocks\.\d",)),
    Known("SlowFast or another 3D CNN of PySlowFast", None, (r"s1\.pathway0_stem",)),
    Known("a 3D ResNet of torchvision", None, (r"stem\.0\.weight", r"layer1\.0\.conv1\.0\.")),
    Known("TimeSformer", "timesformer", (r"timesformer\.",)),
    Known("ViViT", "vivit", (r"vivit\.",)),
    Known("a ViT for images", None, (r".*cls_token", r".*(blocks|layers?)\.0\."), IMAGES),
    Known("TSN", "tsn", (rf"{IMAGE_NET}(conv1|conv_stem)\b", r"(cls_head|head)\.")),
    Known("TSN", "tsn", (r"base_model\.",)),
    Known("TSN", "tsn", (r"f\.0\.3\.weight", r"head\.1\.")),
    Known("a ResNet for images", None, (r"(conv1|layer1\.0\.conv1)\.weight", r"fc\."), IMAGES),
)


def recognise(keys: Iterable[str]) -> Known | None:
    """The model that a file is of; None if it is none that is known here."""
    names = list(keys)
    for known in KNOWN:
        if all(any(re.match(pattern, name) for name in names) for pattern in known.keys):
            return known
    return None


def explain(keys: Iterable[str], name: str) -> str | None:
    """Error for a file of another model than `name`, with the fix; None if it may fit."""
    known = recognise(keys)
    if known is None or known.name == name:
        return None
    if known.name is None:
        return f"the file is of {known.what}, {known.way_out}"
    return f"the file is of {known.what}: say model.name: {known.name}"
