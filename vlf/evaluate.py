"""Predictions on a split: class scores averaged over views, top-1, top-5.

Shapes: B clips, V views a clip, T frames, K classes, H heads, N clips of the split.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor, nn

from vlf.data import Views
from vlf.data.prefetch import load_ahead
from vlf.finite import require_finite
from vlf.heads import split_heads, split_targets
from vlf.models.pixels import Pixels, pixels_of

BATCH_CLIPS = 64  # forward calls of the evaluation; fixed, since rounding depends on it


@dataclass(frozen=True)
class Predictions:
    """Answers on one split; the only way from scores to a number.

    Attributes:
        scores: (N, K) float32 on the CPU, softmax probabilities averaged over views; of each head
            they sum to 1.
        labels: (N,) int64, or (N, H) with several heads.
        classes: K names.
        views: V.
        heads: Head -> its number of classes; none is one head of all classes.
        split: Name of the split in messages: "test", "validation".

    Raises:
        DivergedError: If a score is NaN or infinite: `topk` and `argmax` would name a class.
        ValueError: If there are no clips, whose mean is no number.
    """

    scores: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    views: int
    heads: Mapping[str, int] = field(default_factory=dict)
    split: str = "test"

    def __post_init__(self) -> None:
        """Check the scores."""
        if not len(self.scores):
            raise ValueError(f"there are no {self.split} clips to score")
        broken = int((~self.scores.isfinite()).any(dim=1).sum())
        where = f" ({broken:,} of {len(self.scores):,} clips)"
        require_finite(self.scores, f"{self.split} scores", where)

    def by_head(self) -> "dict[str, Predictions]":
        """The answers of each head by itself."""
        heads = self.heads or {"": len(self.classes)}
        scores, labels = split_heads(self.scores, heads), split_targets(self.labels, heads)
        names = iter(self.classes)
        return {
            head: Predictions(
                own, label, tuple(islice(names, own.shape[1])), self.views, split=self.split
            )
            for head, own, label in zip(heads, scores, labels, strict=True)
        }

    def top(self, k: int) -> float:
        """Share of clips whose label is among the k highest scores, in percent.

        With several heads, whose labels are among the k combinations of a class of each with the
        highest products of scores: for k = 1, whose labels are all right.
        """
        scores = torch.ones(len(self.scores), 1)
        hits = torch.ones(len(self.scores), 1, dtype=torch.bool)
        for head in self.by_head().values():
            # The best combinations are of the best classes of each head.
            best, found = head.scores.topk(min(k, len(head.classes)), dim=1)
            scores = (scores[:, :, None] * best[:, None]).flatten(1)
            hits = (hits[:, :, None] & (found == head.labels[:, None])[:, None]).flatten(1)
        chosen = scores.topk(min(k, scores.shape[1]), dim=1).indices
        return float(hits.gather(1, chosen).any(dim=1).double().mean() * 100)

    def notes(self) -> tuple[str, ...]:
        """Remarks on top-1 and top-5 that ties and constant scores make doubtful."""
        clips = len(self.scores)
        if clips > 1 and bool((self.scores == self.scores[0]).all()):
            return (f"all {clips:,} {self.split} clips have the same scores",)
        found = []
        for head, own in self.by_head().items():
            name = f" of {head}" if head else ""
            for k in (1, 5):
                if k < len(own.classes) and (tied := own.count_ties(k)):
                    found.append(
                        f"top-{k}{name} of {tied:,} of {clips:,} {self.split} clips depends on the "
                        "order of classes with equal scores"
                    )
        return tuple(found)

    def count_ties(self, k: int) -> int:
        """Clips of a single head whose label is among the k highest or not, as ties are broken."""
        own = self.scores.gather(1, self.labels.view(-1, 1))
        higher, equal = (self.scores > own).sum(dim=1), (self.scores == own).sum(dim=1)
        return int(((higher < k) & (higher + equal > k)).sum())

    def loss(self) -> float:
        """Mean cross entropy, in nats; the sum over heads."""
        own = self.scores.gather(1, self.labels.view(len(self.labels), -1)).double()
        logs = own.clamp_min(torch.finfo(torch.float32).tiny).log()
        return float(-logs.sum(dim=1).mean())


def normalize(clips: Tensor, device: torch.device, pixels: Pixels) -> Tensor:
    """Pixels as a model takes them: (..., 3, H, W) uint8 -> float32 on `device`.

    Features of a frozen backbone (vlf/features.py), which are float32, are left as they are.
    """
    if clips.is_floating_point():
        return clips.to(device, non_blocking=True)
    mean = torch.tensor(pixels.mean, device=device)[:, None, None] * 255
    std = torch.tensor(pixels.std, device=device)[:, None, None] * 255
    return clips.to(device, non_blocking=True).float().sub_(mean).div_(std)


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context of a forward call: bf16 mixed precision, or nothing for fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def evaluate(
    model: nn.Module,
    clips: Views,
    device: torch.device,
    precision: str,
    loaders: int = 0,
    split: str = "test",
) -> Predictions:
    """Score every clip of a split, in its order, in eval mode; `loaders` threads decode ahead.

    Raises:
        DivergedError: If a logit is NaN or infinite.
        ValueError: If the split has no clips.
    """
    model.eval()
    step = max(1, BATCH_CLIPS // clips.views)
    scores, pixels = [], pixels_of(model)
    ahead = load_ahead(clips.load_views, range(len(clips)), loaders, 2 * step)
    with torch.inference_mode(), closing(ahead) as loaded:
        while some := list(islice(loaded, step)):
            views = torch.stack(some)  # (B, V, T, 3, H, W)
            batch = normalize(views.flatten(0, 1), device, pixels)  # (B*V, T, 3, H, W)
            with autocast(precision, device):
                logits = model(batch).float()
            # Softmax would turn an infinite logit of one class into scores that look finite.
            logits = logits.masked_fill(logits.isinf(), float("nan"))
            answers = [own.softmax(dim=1) for own in split_heads(logits, clips.heads)]
            probabilities = torch.cat(answers, dim=1).view(len(some), -1, logits.shape[1])
            scores.append(probabilities.mean(dim=1).cpu())  # (B, K)
    found = torch.cat(scores).clone() if scores else torch.zeros(0, len(clips.classes))
    return Predictions(found, clips.labels, clips.classes, clips.views, clips.heads, split)
