"""Stored predictions by head: most models answer one thing of a clip, some a verb and a noun."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SUFFIXES = ("scores", "logits")  # either orders the classes alike


class Head(NamedTuple):
    """Predictions of one head.

    Attributes:
        name: "verb", "noun"; "" where there is one head.
        scores: (clips, classes).
        labels: (clips,).
        classes: Names.
    """

    name: str
    scores: NDArray[Any]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Correct predictions: (clips,) bool."""
        found: NDArray[np.bool_] = self.scores.argmax(axis=1) == self.labels
        return found


def read_heads(arrays: Mapping[str, NDArray[Any]]) -> list[Head]:
    """Heads in the order of the logits; none where there are no answers."""
    found = {}
    for key, scores in arrays.items():
        prefix = next((key.removesuffix(end) for end in SUFFIXES if key.endswith(end)), None)
        if prefix is None or f"{prefix}labels" not in arrays or not len(scores):
            continue
        names = arrays.get(f"{prefix}classes", np.arange(scores.shape[1]))
        classes = tuple(str(name) for name in names)
        found[prefix] = Head(prefix.rstrip("_"), scores, arrays[f"{prefix}labels"], classes)
    return list(found.values())
