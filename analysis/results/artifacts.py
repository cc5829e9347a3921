"""Artifacts of training runs, such as curves and predictions, with their digests checked."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.records.record import Artifact, Outcome

MOST_KEPT = 256 << 20  # bytes; beyond, a file is read each time that it is asked for

SUFFIXES = ("scores", "logits")  # of predictions; either orders the classes alike

Arrays = dict[str, NDArray[Any]]


@dataclass
class Artifacts:
    """The files under a results folder. Each is read once, as long as there is room.

    Attributes:
        root: Folder that artifact paths start from.
        problems: What could not be read, in words.
        damaged: Outcomes with the name of an artifact that is not what its record says, or of
            predictions whose scores are not finite.
        diverged: Why predictions are no answers, by artifact.
    """

    root: Path
    problems: list[str] = field(default_factory=list)
    damaged: list[tuple[Outcome, str]] = field(default_factory=list)
    diverged: dict[Artifact, str] = field(default_factory=dict)
    _kept: dict[Artifact, Arrays] = field(default_factory=dict)
    _bytes: int = 0

    def load(self, outcome: Outcome, name: str) -> Arrays | None:
        """Read-only arrays by name; None where there are none or they cannot be read."""
        artifact = outcome.record.artifacts.get(name) if outcome.record else None
        if artifact is None:
            return None
        if artifact in self._kept:
            return self._kept[artifact]
        try:
            content = self._content(artifact.path)
            if hashlib.sha256(content).hexdigest() != artifact.sha256:
                self._add_damaged(outcome, name)
                raise ValueError("damaged: its digest is not the one in its record")
            arrays = _arrays(content)
            if name == "predictions" and (fault := fault_of_scores(arrays)):
                self._add_damaged(outcome, name)
                self.diverged[artifact] = fault
                raise ValueError(fault)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
            text = f"{name} of {outcome.cell}, seed {outcome.seed}, could not be read: {error}"
            if text not in self.problems:
                self.problems.append(text)
            return None
        self._keep(artifact, arrays)
        return arrays

    def _add_damaged(self, outcome: Outcome, name: str) -> None:
        if (outcome, name) not in self.damaged:
            self.damaged.append((outcome, name))

    def _content(self, path: str) -> bytes:
        place = self.root / path
        if not place.resolve().is_relative_to(self._resolved):
            raise ValueError("lies outside of the results folder")
        return place.read_bytes()

    @cached_property
    def _resolved(self) -> Path:
        return self.root.resolve()

    def _keep(self, artifact: Artifact, arrays: Arrays) -> None:
        size = sum(array.nbytes for array in arrays.values())
        if self._bytes + size <= MOST_KEPT:
            self._bytes += size
            self._kept[artifact] = arrays


def fault_of_scores(arrays: Arrays) -> str:
    """Text such as "diverged: NaN in 200 of 200 test scores"; "" if all scores are finite.

    Earlier versions took such scores for answers: `argmax` of NaN names a class.
    """
    broken = total = 0
    for key, values in arrays.items():
        if key.endswith(SUFFIXES):
            broken += int((~np.isfinite(values)).sum())
            total += values.size
    return f"diverged: NaN in {broken:,} of {total:,} test scores" if broken else ""


def _arrays(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    for array in arrays.values():
        array.setflags(write=False)  # the next who asks gets the same
    return arrays


class Head(NamedTuple):
    """Predictions of one head: most models answer one thing of a clip, some a verb and a noun.

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
