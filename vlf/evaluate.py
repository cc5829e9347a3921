"""What a model answers on a split: class scores averaged over views, top-1, top-5.

Shapes: B clips, V views a clip, T frames, K classes, N clips of the split.
"""

from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from vlf.data import Views
from vlf.data.ahead import load_ahead
from vlf.models.pixels import Pixels, pixels_of

BATCH_CLIPS = 64  # forward calls of the evaluation; fixed, since rounding depends on it


@dataclass(frozen=True)
class Predictions:
    """Answers on one split.

    Attributes:
        scores: (N, K) float32 on the CPU, softmax probabilities averaged over views.
        labels: (N,) int64.
        classes: K names.
        views: V.
    """

    scores: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    views: int

    def top(self, k: int) -> float:
        """Share of clips whose label is among the k highest scores, in percent."""
        best = self.scores.topk(k, dim=1).indices
        return float((best == self.labels[:, None]).any(dim=1).double().mean() * 100)

    def loss(self) -> float:
        """Mean cross entropy, in nats."""
        own = self.scores.gather(1, self.labels[:, None]).double()
        return float(-own.clamp_min(torch.finfo(torch.float32).tiny).log().mean())


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
    model: nn.Module, clips: Views, device: torch.device, precision: str, loaders: int = 0
) -> Predictions:
    """Score every clip of a split, in its order, in eval mode; `loaders` threads decode ahead."""
    model.eval()
    step = max(1, BATCH_CLIPS // clips.views)
    scores, pixels = [], pixels_of(model)
    ahead = load_ahead(clips.load_views, range(len(clips)), loaders, 2 * step)
    with torch.inference_mode(), closing(ahead) as loaded:
        while some := list(islice(loaded, step)):
            views = torch.stack(some)  # (B, V, T, 3, H, W)
            batch = normalize(views.flatten(0, 1), device, pixels)  # (B*V, T, 3, H, W)
            with autocast(precision, device):
                logits = model(batch)
            probabilities = logits.float().softmax(dim=1).unflatten(0, (len(some), -1))
            scores.append(probabilities.mean(dim=1).cpu())  # (B, K)
    return Predictions(torch.cat(scores).clone(), clips.labels, clips.classes, clips.views)
