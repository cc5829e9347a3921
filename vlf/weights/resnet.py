"""Checkpoints of TSN and TSM, on ResNets and MobileNetV2, as two repositories write them.

- mmaction2 (open-mmlab/mmaction2, `mmaction/models/backbones/{resnet,resnet_tsm,mobilenet_v2,
  mobilenet_v2_tsm}.py`, `heads/{tsn,tsm}_head.py`): a convolution and its norm are a pair
  (`backbone.layer1.0.conv1.conv.weight`, `.bn.weight`), a shift wraps the convolution of a ResNet
  (`conv1.conv.net.weight`) and the pair of MobileNetV2 (`conv.0.net.conv.weight`).
- The authors' of TSM (mit-han-lab/temporal-shift-module, `ops/{models,temporal_shift}.py`,
  `archs/mobilenet_v2.py`): torchvision's names behind `base_model.`, and behind `module.` where a
  parallel model was stored; a shift wraps the convolution (`conv1.net.weight`).

Ours are timm's names behind `f.net.`; a shift and its convolution are a sequence
(`conv1.1.weight`).
"""

import re
from collections.abc import Mapping

from torch import Tensor

STAGES = (1, 2, 3, 4, 3, 3, 1)  # blocks of MobileNetV2's stages; the first does not expand
# timm's names of the convolutions of an inverted residual, in their order
EXPANDING = ("conv_pw", "conv_dw", "conv_pwl")
NOT_EXPANDING = ("conv_dw", "conv_pw")
MobileBlock = tuple[int, int]  # (stage, block of the stage), from 0


def from_mmaction2(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors of a checkpoint of mmaction2 under our names; None if it is not of its layout.

    A key that the layout does not have is kept, so that it is told as one too many.

    Args:
        state: Name -> tensor, as stored, without the dictionary around it.
    """
    if not {"backbone.conv1.conv.weight", "cls_head.fc_cls.weight"} <= state.keys():
        return None
    mobile = any(re.match(r"backbone\.layer\d+\.\d+\.conv\.", key) for key in state)
    converted = {}
    for key, tensor in state.items():
        name = key.removeprefix("backbone.")
        if name != key:
            name = "f.net." + (_paired_mobile(name) if mobile else _paired_resnet(name))
        converted[name.replace("cls_head.fc_cls.", "head.1.")] = tensor
    return converted


def _paired_resnet(name: str) -> str:
    """mmaction2's name of a ResNet's tensor -> timm's."""
    name = re.sub(r"downsample\.conv\.", "downsample.0.", name)
    name = re.sub(r"downsample\.bn\.", "downsample.1.", name)
    name = re.sub(r"conv(\d)\.bn\.", r"bn\1.", name)
    name = re.sub(r"conv(\d)\.conv\.net\.", r"conv\1.1.", name)
    return re.sub(r"conv(\d)\.conv\.", r"conv\1.", name)


def _paired_mobile(name: str) -> str:
    """mmaction2's name of a MobileNetV2's tensor -> timm's."""
    ends = {"conv1.conv": "conv_stem", "conv1.bn": "bn1", "conv2.conv": "conv_head"}
    ends["conv2.bn"] = "bn2"
    for theirs, ours in ends.items():
        if name.startswith(f"{theirs}."):
            return ours + name.removeprefix(theirs)
    found = re.fullmatch(r"layer(\d)\.(\d)\.conv\.(\d)\.(net\.)?(conv|bn)\.(\w+)", name)
    if not found:
        return name
    block = (int(found[1]) - 1, int(found[2]))
    return _mobile_block(block, int(found[3]), found[5] == "bn", bool(found[4]), found[6])


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The same for a checkpoint of the authors of TSM, whether or not of a parallel model."""
    stripped = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    if not any(key.startswith("base_model.") for key in stripped):
        return None
    converted = {}
    for key, tensor in stripped.items():
        head = re.fullmatch(r"(?:new_fc|base_model\.fc|base_model\.classifier)\.(\w+)", key)
        name = key.removeprefix("base_model.")
        if head:
            name = f"head.1.{head[1]}"
        elif name.startswith("features."):
            name = "f.net." + _listed_mobile(name)
        elif name != key:
            name = "f.net." + re.sub(r"conv1\.net\.", "conv1.1.", name)
        converted[name] = tensor
    return converted


def _listed_mobile(name: str) -> str:
    """The authors' name of a MobileNetV2's tensor (`features.3.conv.0.net.weight`) -> timm's."""
    last = sum(STAGES) + 1
    ends = {"0.0": "conv_stem", "0.1": "bn1", f"{last}.0": "conv_head", f"{last}.1": "bn2"}
    found = re.fullmatch(r"features\.(\d+\.\d)\.(\w+)", name)
    if found and found[1] in ends:
        return f"{ends[found[1]]}.{found[2]}"
    found = re.fullmatch(r"features\.(\d+)\.conv\.(\d)\.(net\.)?(\w+)", name)
    if not found or not 1 <= int(found[1]) < last:
        return name
    # A convolution, its norm and an activation take three places of the list.
    at, is_norm = divmod(int(found[2]), 3)
    return _mobile_block(_stage_of(int(found[1]) - 1), at, bool(is_norm), bool(found[3]), found[4])


def _stage_of(block: int) -> MobileBlock:
    for stage, blocks in enumerate(STAGES):
        if block < blocks:
            return stage, block
        block -= blocks
    raise IndexError(block)


def _mobile_block(block: MobileBlock, at: int, is_norm: bool, shifted: bool, end: str) -> str:
    """The name in timm of a tensor of the convolution (or its norm) number `at` of a block."""
    stage, index = block
    convs = EXPANDING if stage else NOT_EXPANDING
    conv = convs[at] if at < len(convs) else f"conv.{at}"  # no such place; told as a key too many
    name = f"bn{at + 1}" if is_norm else f"{conv}.1" if shifted else conv
    return f"blocks.{stage}.{index}.{name}.{end}"
