"""Temporal Segment Networks (Wang et al. 2016, arXiv:1608.00859), RGB with average consensus.

Shapes: B clips, T frames, C channels, K classes.
"""

from torch import Tensor, nn

from vlf.config import DataConfig, TSMConfig, TSNConfig
from vlf.models.backbones import build_vectors
from vlf.models.blocks import check_clip, classifier, split_frames


class TSN(nn.Module):
    """Each frame is classified by itself; a clip's logits are the mean over its frames.

    Raises:
        ConfigError: If the backbone cannot be built for these clips.
    """

    def __init__(self, config: TSNConfig | TSMConfig, data: DataConfig) -> None:
        super().__init__()
        self.frames, self.size = data.frames, data.size
        self.f, width = build_vectors(config, data.size)
        self.head = classifier(width, data.classes, config.dropout)

    def forward(self, clip: Tensor) -> Tensor:
        """Classify clips: (B, T, 3, size, size) -> logits (B, K)."""
        check_clip(clip, self.frames, self.size)
        logits = split_frames(self.head(self.f(clip.flatten(0, 1))), self.frames)  # (B, T, K)
        return logits.mean(dim=1)
