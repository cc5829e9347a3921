"""Features of a frozen backbone: computed once for a view of a clip, kept on disk, read again.

A clip's stored views do not depend on the run's seed or on what stands behind the backbone, so all
cells and seeds with the same backbone and data share one folder:

    FOLDER/<backbone>/<split>/<number of the clip>.<view>    view: "test", or 0 to stored_views - 1

`FOLDER` is named after data and code (study/plan/identity.py), `<backbone>` after its weights, how
it is built and what else rounding depends on. A file is a sha256, the label and the features as
numpy writes them; it is renamed into its place when it is whole. Whoever needs one that is missing
makes it, several at once if need be, since all make the same. One that is damaged is made again.

Each clip goes through the backbone by itself, whether its features are kept or not, since rounding
depends on how many clips are computed together.

Shapes: B clips, V views, T frames, S pixels of the clip's side; a backbone gives (C, H, W) or (C,)
for a frame.
"""

import contextlib
import hashlib
import io
import json
import os
import struct
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vlf.config import RunConfig
from vlf.data import Clips, Split
from vlf.data.augment import Augment
from vlf.data.seeds import rng
from vlf.evaluate import autocast, normalize
from vlf.finite import require_finite
from vlf.models.freeze import find_backbone, weights_digest
from vlf.models.pixels import pixels_of

DIGEST_BYTES = 32
LABEL = struct.Struct("<q")
Labelled = tuple[int, Tensor]  # of the clip as it was varied, and its features


class Frozen:
    """The frozen backbone of a model, and the model fed with what it gives.

    Args:
        model: Whole, with its weights.
        config: The run.
        device: Where the model is.
        folder: Where features are kept; None keeps none and gives the same numbers.

    Attributes:
        model: Takes features: (B, T, ...) -> logits (B, K).
    """

    def __init__(
        self, model: nn.Module, config: RunConfig, device: torch.device, folder: Path | None
    ) -> None:
        name, self.backbone = find_backbone(model)
        self.device, self.precision = device, config.train.precision
        self.pixels = pixels_of(model)
        shape = (config.data.frames, 3, config.data.size, config.data.size)
        self.model = OnFeatures(model, name, shape)
        self.store = folder and folder / self._identity(config)
        self._lock = threading.Lock()

    def read(self, clips: Clips, split: Split) -> "FeatureClips":
        """A split by its features."""
        store = Store(self.store / split) if self.store else None
        return FeatureClips(clips, self.compute, store)

    def compute(self, clip: Tensor) -> Tensor:
        """(T, 3, S, S) uint8 -> (T, C, H, W) or (T, C) float32, on the CPU.

        Raises:
            DivergedError: If a feature is not finite.
        """
        pixels = normalize(clip, self.device, self.pixels)
        with self._lock, torch.no_grad(), autocast(self.precision, self.device):
            features: Tensor = self.backbone.eval()(pixels)
        features = features.float().cpu().contiguous()
        require_finite(features, "features of the frozen backbone")
        return features

    def _identity(self, config: RunConfig) -> str:
        train = config.train
        told = {
            "backbone": getattr(config.model, "backbone", ""),
            "stage": getattr(config.model, "stage", None),
            "layers": repr(self.backbone),
            "pixels": self.pixels,
            "device": self.device.type,
            "rounding": [train.precision, train.matmul_precision, train.threads],
        }
        text = json.dumps([told, weights_digest(self.backbone)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class OnFeatures(nn.Module):
    """A model whose backbone has been computed already: its features (B, T, ...) -> (B, K).

    Args:
        model: Stays whole: its backbone is put aside for the time of a call.
        backbone: Dotted name of it in the model.
        shape: Of a clip, (T, 3, S, S).
    """

    def __init__(self, model: nn.Module, backbone: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.model, self.shape = model, shape
        self._owner, _, self._name = backbone.rpartition(".")

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, C, H, W) or (B, T, C) -> logits (B, K)."""
        owner = self.model.get_submodule(self._owner)
        backbone = getattr(owner, self._name)
        setattr(owner, self._name, _Given(features.flatten(0, 1)))
        try:
            # A clip of no content: nothing but its shape is looked at.
            clip = features.new_zeros(()).expand(len(features), *self.shape)
            logits: Tensor = self.model(clip)
        finally:
            setattr(owner, self._name, backbone)
        return logits


class _Given(nn.Module):
    """Stands where the backbone is, and gives what it gave."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features

    def forward(self, frames: Tensor) -> Tensor:
        """Features of these very frames: (B*T, ...)."""
        return self.features


class FeatureClips:
    """One split by the features of its clips: `Views` of vlf/data/__init__.py.

    Args:
        clips: Their pixels, asked for where features are not kept yet.
        compute: (T, 3, S, S) -> the backbone's (T, ...).
        store: Where they are kept.
    """

    def __init__(
        self, clips: Clips, compute: Callable[[Tensor], Tensor], store: "Store | None"
    ) -> None:
        self.clips, self.compute, self.store = clips, compute, store
        self.classes, self.labels, self.heads = clips.classes, clips.labels, clips.heads
        self.views, self.notes = clips.views, clips.notes

    def __len__(self) -> int:
        return len(self.clips)

    def load_views(self, index: int) -> Tensor:
        """Features of the test views: (V, T, ...) float32."""

        def make() -> Labelled:
            views = self.clips.load_views(index)
            return int(self.labels[index]), torch.stack([self.compute(view) for view in views])

        return self._recall(index, "test", make)[1]

    def load_stored(self, index: int, view: int, augment: Augment) -> tuple[Tensor, int]:
        """Features (T, ...) of a stored view of a training clip, and its label."""

        def make() -> Labelled:
            clip = self.clips.load(index, rng("stored clip", index, view))
            draws = rng("stored augment", index, view)
            clip, label = augment(clip, int(self.labels[index]), draws)
            assert isinstance(label, int)  # RunConfig refuses clips of several
            return label, self.compute(clip)

        label, features = self._recall(index, str(view), make)
        return features, label

    def _recall(self, index: int, view: str, make: Callable[[], Labelled]) -> Labelled:
        if self.store is None:
            return make()
        name, source = f"{index:06d}.{view}", _source_bytes(self.clips, index)
        found = self.store.read(name, source)
        if found is None:
            found = make()
            self.store.write(name, source, found)
        return found


def _source_bytes(clips: Clips, index: int) -> int:
    """Size of the file that a clip is read from, as pack.py asks: another one was put there."""
    items = getattr(clips, "items", None)
    if items is None:
        return 0
    path: Path = items[index].path
    return path.stat().st_size if path.is_file() else 0


class Store:
    """Labelled features in one folder, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = f"{folder.parent.name}/{folder.name}"
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, source: int) -> Labelled | None:
        """None if there are none, or the file is damaged, not finite, or of another source."""
        try:
            content = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        digest, payload = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if self._digest(name, source, payload) != digest:
            return None
        (label,) = LABEL.unpack_from(payload)
        array = np.load(io.BytesIO(payload[LABEL.size :]), allow_pickle=False)
        return (int(label), torch.from_numpy(array)) if np.isfinite(array).all() else None

    def write(self, name: str, source: int, found: Labelled) -> None:
        """Whole or not at all; not waited for, since a torn file is noticed when it is read.

        Raises:
            OSError: If the disk is full or read-only.
        """
        label, features = found
        buffer = io.BytesIO()
        buffer.write(LABEL.pack(label))
        np.save(buffer, features.numpy(), allow_pickle=False)
        payload = buffer.getvalue()
        draft = self.folder / f".{name}.{uuid.uuid4().hex[:8]}.draft"
        try:
            draft.write_bytes(self._digest(name, source, payload) + payload)
            os.replace(draft, self.folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise

    def _digest(self, name: str, source: int, payload: bytes) -> bytes:
        digest = hashlib.sha256(f"{self.where}/{name}\0{source}\0".encode())
        digest.update(payload)
        return digest.digest()


def stored_bytes(folder: Path) -> int:
    """Bytes of all features in a folder and those in it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
