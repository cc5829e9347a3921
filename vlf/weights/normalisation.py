"""Normalisation of clips that a weight file states, compared with ours.

Found in buffers of a data preprocessor (mmengine), in the text of a config (mmaction2, PySlowFast
and TimeSformer) and in preprocessor_config.json of a folder of transformers.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vlf.config.shared import Weights
from vlf.weights.files import Stored

Triple = tuple[float, float, float]
Normalisation = tuple[Triple, Triple]  # mean and deviation, as shares of full intensity
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NEAR = 2e-3  # half a step of 8-bit intensity: the same constant, rounded

BUFFER = re.compile(
    r"(?:.*\.)?(?:(?:data|img)_preprocessor\.|normali[sz]e\.|pixel_|imgs_)(mean|std)"
)
NUMBER = r"(\d+\.?\d*(?:e-?\d+)?|\.\d+)"
NEXT = r"[\s,]+(?:-\s+)?"
LISTED = re.compile(
    rf"\b(mean|std)['\"]?\s*[:=]\s*[\[(]?\s*(?:-\s+)?{NUMBER}{NEXT}{NUMBER}{NEXT}{NUMBER}", re.I
)


def without_buffers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without the constants of a data preprocessor (`check_normalisation`)."""
    return {key: tensor for key, tensor in state.items() if not BUFFER.fullmatch(key)}


def check_normalisation(config: Weights, stored: Stored, ours: Normalisation) -> None:
    """Refuse weights of clips normalised otherwise than ours, unless the config says a mean itself.

    Args:
        config: The architecture; a `mean` of its own is taken as it is.
        stored: The file.
        ours: The mean and deviation that clips have without one.

    Raises:
        ValueError: If the file says another mean or deviation, or takes blue before red.
    """
    theirs = None if config.mean is not None else _normalisation_of(stored)
    if theirs is None or _near(theirs, ours):
        return
    if _near((theirs[0][::-1], theirs[1]), (ours[0], theirs[1])) and theirs[0][0] != theirs[0][2]:
        raise ValueError("was trained on clips with blue before red, which are read the other way")
    mean, std = ([round(value, 4) for value in triple] for triple in theirs)
    raise ValueError(
        f"was trained on clips of another mean or deviation: say model.mean: {mean} and "
        f"model.std: {std}; to adapt to ImageNet's, say model.mean: {list(IMAGENET[0])} and "
        f"model.std: {list(IMAGENET[1])}"
    )


def _near(one: Normalisation, other: Normalisation) -> bool:
    pairs = zip(one[0] + one[1], other[0] + other[1], strict=True)
    return all(abs(a - b) < NEAR for a, b in pairs)


def _normalisation_of(stored: Stored) -> Normalisation | None:
    """The one mean and deviation that the file says; None if it says none, or several."""
    said: dict[str, set[Triple]] = {"mean": set(), "std": set()}
    for key, tensor in stored.state.items():
        if (found := BUFFER.fullmatch(key)) and tensor.numel() == 3:
            said[found[1]].add(_triple(tensor.flatten().tolist()))
    for found in LISTED.finditer(stored.config):
        said[found[1].lower()].add(_triple([float(number) for number in found.groups()[1:]]))
    for kind, values in _prepared(stored.prepared).items():
        said[kind].add(_triple(values))
    if len(said["mean"]) != 1 or len(said["std"]) != 1:
        return None
    (mean,), (std,) = said.values()
    share = 255 if max(mean) > 1 else 1  # either in intensities of 8 bits or in shares
    return _scaled(mean, share), _scaled(std, share)


def _triple(values: list[float]) -> Triple:
    red, green, blue = (round(float(value), 5) for value in values)
    return red, green, blue


def _scaled(values: Triple, share: int) -> Triple:
    return values[0] / share, values[1] / share, values[2] / share


def _prepared(values: Mapping[str, Any]) -> dict[str, list[float]]:
    """Normalisation of a folder of transformers: by constants, or scaled to -1..1 by an offset."""
    if values.get("offset") and not values.get("do_normalize", True):
        return {"mean": [0.5] * 3, "std": [0.5] * 3}
    if values.get("offset") or not values.get("do_normalize", True):
        return {}
    names = {"mean": "image_mean", "std": "image_std"}
    found = {kind: values.get(name) for kind, name in names.items()}
    return {
        kind: value for kind, value in found.items() if isinstance(value, list) and len(value) == 3
    }
