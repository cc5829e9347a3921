"""Several things asked of one clip, such as its verb and its noun, each with classes of its own.

The classes of all heads stand beside each other in the logits, in the order of the config's
`heads`. Rows of a last linear layer know nothing of each other, so it is one layer for each head,
and every architecture has the heads that its data ask for. A label is the number of a class among
all of them. One head is the case of one.

Shapes: B clips, H heads, K classes of all heads.
"""

from collections.abc import Mapping
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional as F


def split_heads(values: Tensor, heads: Mapping[str, int]) -> list[Tensor]:
    """Columns of each head, without a copy: (B, K) -> H of (B, classes of the head)."""
    return list(torch.split(values, list(heads.values()), dim=1))


def split_targets(targets: Tensor, heads: Mapping[str, int]) -> list[Tensor]:
    """Labels of each head, counted from the head's own first class.

    Labels (B,) or (B, H) -> H of (B,); shares of classes (B, K) -> H of (B, classes of the head).
    """
    if targets.is_floating_point():
        return split_heads(targets, heads)
    firsts = accumulate(heads.values(), initial=0)
    columns = targets.view(-1, len(heads)).unbind(dim=1)
    return [column - first for column, first in zip(columns, firsts, strict=False)]


def loss_of(
    logits: Tensor, targets: Tensor, heads: Mapping[str, int], label_smoothing: float
) -> Tensor:
    """Sum over heads of the mean cross entropy, in nats: (B, K) and targets -> ()."""
    first, *more = (
        F.cross_entropy(own, target, label_smoothing=label_smoothing)
        for own, target in zip(
            split_heads(logits, heads), split_targets(targets, heads), strict=True
        )
    )
    return sum(more, start=first)


def are_right(logits: Tensor, targets: Tensor, heads: Mapping[str, int]) -> Tensor:
    """True if every head answers rightly: (B, K) and targets -> (B,) bool."""
    first, *more = (
        own.argmax(dim=1) == (target if target.ndim == 1 else target.argmax(dim=1))
        for own, target in zip(
            split_heads(logits, heads), split_targets(targets, heads), strict=True
        )
    )
    for one in more:
        first = first & one
    return first
