"""Variations of training clips besides place and scale: flip, colour, RandAugment, mixed batches.

Every frame of a clip gets the same. Pixels are torchvision's work (its v2 functional transforms);
what is drawn is drawn here, since its transforms draw from torch's one generator, whose order
among loaders, and whose state in a run that goes on, nobody could tell.

Shapes: B clips, T frames, S pixels of the clip's side, K classes.
"""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as pixels

from vlf.config import ConfigError, DataConfig, ListedData

STRONGEST = 30  # magnitude of RandAugment
Operation = Callable[[Tensor, float], Tensor]
Label = int | list[int]  # of each head, where there are several


def _grow(x: float) -> float:
    return 1 + 0.9 * x


def _shear(clip: Tensor, right: float, down: float) -> Tensor:
    angles = [float(np.degrees(np.arctan(0.3 * share))) for share in (right, down)]
    sheared: Tensor = pixels.affine(clip, 0.0, [0, 0], 1.0, shear=angles, center=[0.0, 0.0])
    return sheared


def _shift(clip: Tensor, right: float, down: float) -> Tensor:
    # 150 pixels of the 331 that the search behind the list was made at.
    sides = clip.shape[-1], clip.shape[-2]
    way = [int(150 / 331 * side * x) for side, x in zip(sides, (right, down), strict=True)]
    shifted: Tensor = pixels.affine(clip, 0.0, way, 1.0, shear=[0.0, 0.0])
    return shifted


# Cubuk et al. 2019 (arXiv:1909.13719); ranges as torchvision has them. x is the magnitude as a
# share of the strongest, with a random sign where the operation has two directions.
SIGNED: tuple[Operation, ...] = (
    lambda clip, x: _shear(clip, x, 0.0),
    lambda clip, x: _shear(clip, 0.0, x),
    lambda clip, x: _shift(clip, x, 0.0),
    lambda clip, x: _shift(clip, 0.0, x),
    lambda clip, x: pixels.rotate(clip, 30 * x),
    lambda clip, x: pixels.adjust_brightness(clip, _grow(x)),
    lambda clip, x: pixels.adjust_saturation(clip, _grow(x)),
    lambda clip, x: pixels.adjust_contrast(clip, _grow(x)),
    lambda clip, x: pixels.adjust_sharpness(clip, _grow(x)),
)
UNSIGNED: tuple[Operation, ...] = (
    lambda clip, x: clip,
    lambda clip, x: pixels.posterize(clip, 8 - round(4 * x)),
    lambda clip, x: pixels.solarize(clip, 255 * (1 - x)),
    lambda clip, x: pixels.autocontrast(clip),
    lambda clip, x: pixels.equalize(clip),
)


class Augment:
    """Augmentation of a loaded training clip; none for a dataset without options.

    Args:
        config: Of the data.
        classes: Names, by which `flip_swaps` may call them.

    Raises:
        ConfigError: If `flip_swaps` names a class that is not there, or one twice.
    """

    def __init__(self, config: DataConfig, classes: Sequence[str]) -> None:
        self.config = config if isinstance(config, ListedData) else None
        self.mirrored = list(range(len(classes)))
        if self.config is not None:
            _swap(self.mirrored, self.config.flip_swaps or [], classes)

    def __call__(
        self, clip: Tensor, label: Label, rng: np.random.Generator
    ) -> tuple[Tensor, Label]:
        """(T, 3, S, S) uint8 and its label -> the same, varied."""
        how = self.config
        if how is None:
            return clip, label
        if how.flip and rng.random() < how.flip:
            clip, label = clip.flip(-1), self._mirror(label)
        if any(how.jitter):
            clip = jitter(clip, how.jitter, rng)
        for _ in range(how.rand_augment):
            clip = _one_of_many(clip, how.rand_magnitude / STRONGEST, rng)
        return clip, label

    def _mirror(self, label: Label) -> Label:
        if isinstance(label, list):
            return [self.mirrored[one] for one in label]
        return self.mirrored[label]


def _swap(
    mirrored: list[int], pairs: Sequence[tuple[str | int, str | int]], classes: Sequence[str]
) -> None:
    for pair in pairs:
        one, other = (_number_of(name, classes) for name in pair)
        for number in {one, other}:
            if mirrored[number] != number:
                text = f'"{classes[number]}" is in more than one pair'
                raise ConfigError("data.flip_swaps", text)
        mirrored[one], mirrored[other] = other, one


def _number_of(name: str | int, classes: Sequence[str]) -> int:
    number = name if isinstance(name, int) else [*classes, name].index(name)
    if not 0 <= number < len(classes):
        allowed = f"a class name, or 0 to {len(classes) - 1}"
        raise ConfigError("data.flip_swaps", f"must name {allowed}, got {name!r}")
    return number


def jitter(clip: Tensor, most: Sequence[float], rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast, saturation and hue, in random order: (T, 3, S, S) uint8.

    The first three are factors of 1 - most to 1 + most, hue a share of the circle of up to `most`.
    """
    adjust = (
        pixels.adjust_brightness,
        pixels.adjust_contrast,
        pixels.adjust_saturation,
        pixels.adjust_hue,
    )
    draws = rng.uniform(-1, 1, 4) * most
    for kind in rng.permutation(4).tolist():
        if most[kind]:
            amount = draws[kind] if kind == 3 else 1 + draws[kind]
            clip = adjust[kind](clip, float(amount))
    return clip


def _one_of_many(clip: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    number = int(rng.integers(len(SIGNED) + len(UNSIGNED)))
    sign = -1 if rng.random() < 0.5 else 1
    if number < len(SIGNED):
        return SIGNED[number](clip, sign * strength)
    return UNSIGNED[number - len(SIGNED)](clip, strength)


def mix_clips(
    clips: Tensor,
    labels: Tensor,
    classes: int,
    mixup: float,
    cutmix: float,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Mixup (arXiv:1710.09412) or CutMix (arXiv:1905.04899) of each clip and the one before it.

    Args:
        clips: (B, T, 3, S, S), normalized.
        labels: (B,), or (B, H) of several heads.
        classes: K.
        mixup: Of the Beta distribution; 0 is never.
        cutmix: The same; the box is the same in all frames.
        rng: Draws which of them, the share, and the box: one for the whole batch.

    Returns:
        Clips, and the shares of their classes: (B, K), float32.
    """
    use_mixup = bool(mixup) and (not cutmix or rng.random() < 0.5)
    own = float(rng.beta(mixup, mixup) if use_mixup else rng.beta(cutmix, cutmix))
    other = clips.roll(1, 0)
    if use_mixup:
        mixed = clips * own + other * (1 - own)
    else:
        top, bottom, left, right = _box(clips.shape[-2], clips.shape[-1], own, rng)
        mixed = clips.clone()
        mixed[..., top:bottom, left:right] = other[..., top:bottom, left:right]
        own = 1 - (bottom - top) * (right - left) / (clips.shape[-2] * clips.shape[-1])
    shares = F.one_hot(labels, classes).float()
    if labels.ndim > 1:
        shares = shares.sum(dim=1)
    return mixed, shares * own + shares.roll(1, 0) * (1 - own)


def _box(height: int, width: int, own: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Top, bottom, left and right of a box of 1 - own of the picture, cut off at its edges."""
    edges: list[int] = []
    for side in (height, width):
        middle, half = int(rng.integers(side)), int(0.5 * np.sqrt(1 - own) * side)
        edges += [max(0, middle - half), min(side, middle + half)]
    return tuple(edges)
