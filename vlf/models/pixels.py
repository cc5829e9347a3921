"""Normalisation of pixels: less a mean, divided by a deviation."""

from typing import NamedTuple

from torch import nn

from vlf.weights import normalisation
from vlf.weights.normalisation import Triple


class Pixels(NamedTuple):
    """Mean and deviation of red, green and blue, as shares of full intensity."""

    mean: Triple
    std: Triple


IMAGENET = Pixels(*normalisation.IMAGENET)


def pixels_of(model: nn.Module) -> Pixels:
    """Normalisation of a model, else of its backbone's training, else ImageNet's."""
    for module in model.modules():  # the model itself comes first
        found = vars(module).get("pixels")
        if isinstance(found, Pixels):
            return found
    return IMAGENET


def set_pixels(model: nn.Module, pixels: Pixels) -> None:
    """Give a model, or its backbone, an answer of its own."""
    vars(model)["pixels"] = pixels
