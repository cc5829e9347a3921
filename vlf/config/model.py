"""What a run builds. One class an architecture; adding one adds it to `ModelConfig` below."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlf.config.base import Config


class BackboneOptions(Config):
    """The 2D CNN f, shared by the architectures that have one.

    Attributes:
        backbone: "tiny" (a small CNN for the embedded study) or "timm:<name>", any timm model
            that gives features.
        stage: Which feature map of a timm model, counted from 0 at the finest; None takes the last,
            or, where a frame becomes one vector, the whole model up to its classifier.
            For `tiny`, 3 or 4 stride-2 convolutions are stages 2 and 3; None takes 2.
        pretrained: Published weights, none, or the path of a weight file.
    """

    backbone: str = Field("tiny", pattern=r"^(tiny|timm:[A-Za-z0-9_.\-]+)$")
    stage: int | None = Field(None, ge=0, le=5)
    pretrained: bool | str = False

    def files(self) -> tuple[Path, ...]:
        """Weight files read by the run."""
        return (Path(self.pretrained),) if isinstance(self.pretrained, str) else ()


class Attention(Config):
    """Width and heads of transformer blocks.

    Attributes:
        width: Token width D; divisible by `heads`.
        heads: Attention heads.
        mlp_ratio: Hidden width of a block's MLP, as a multiple of `width`.
        dropout: Dropout in the blocks and before the classifier.
    """

    width: int = Field(64, ge=1, le=8192)
    heads: int = Field(4, ge=1, le=256)
    mlp_ratio: float = Field(2.0, gt=0, le=16)
    dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width: {self.width} is not divisible by heads {self.heads}")
        return self


class VLFConfig(BackboneOptions, Attention):
    """VideoLightFormer (arXiv:2107.00451) and its ablations.

    Attributes:
        projection: From backbone channels to `width`: a 1x1 convolution, or a 3x3 one of stride 2,
            which also quarters the tokens.
        spatial_depth: Blocks of g; 0 is "no g".
        spatiotemporal_depth: Blocks of h.
        pool: "none": h sees all k*H*W tokens; "frame": one mean-pooled token a frame (VTN-like).
        positions: Added at the input of g and h: "learned", "sine" (fixed), or "none".
        norm: Of the blocks of g and h: "pre" in front of attention and MLP, "post" behind the sums.
        readout: What of h is classified: the "mean" of its tokens, or a "class_token" of its own.
    """

    name: Literal["vlf"] = "vlf"
    projection: Literal["1x1", "3x3s2"] = "1x1"
    spatial_depth: int = Field(1, ge=0, le=64)
    spatiotemporal_depth: int = Field(2, ge=0, le=64)
    pool: Literal["none", "frame"] = "none"
    positions: Literal["learned", "sine", "none"] = "learned"
    norm: Literal["pre", "post"] = "pre"
    readout: Literal["mean", "class_token"] = "mean"

    @model_validator(mode="after")
    def _class_token_needs_blocks(self) -> Self:
        if self.readout == "class_token" and not self.spatiotemporal_depth:
            raise ValueError(
                "readout: class_token needs a spatiotemporal_depth of at least 1, got 0"
            )
        return self


class TSNConfig(BackboneOptions):
    """TSN: per-frame classification, mean over frames (arXiv:1608.00859)."""

    name: Literal["tsn"] = "tsn"
    dropout: float = Field(0.0, ge=0, lt=1)


class TSMConfig(BackboneOptions):
    """TSM: TSN with shifted channels inside the CNN (arXiv:1811.08383).

    Attributes:
        shift_div: 1/shift_div of the channels move one frame forward, as many one frame back.
    """

    name: Literal["tsm"] = "tsm"
    dropout: float = Field(0.0, ge=0, lt=1)
    shift_div: int = Field(8, ge=2)


class TimeSformerConfig(Attention):
    """TimeSformer (arXiv:2102.05095).

    Attributes:
        patch: Side of a patch, in pixels; divides `data.size`.
        depth: Blocks.
        attention: "divided" space-time, "joint" space-time, or "space" only.
    """

    name: Literal["timesformer"] = "timesformer"
    patch: int = Field(8, ge=1)
    depth: int = Field(2, ge=1, le=64)
    attention: Literal["divided", "joint", "space"] = "divided"


class ViViTConfig(Attention):
    """ViViT's factorised encoder, its Model 2 (arXiv:2103.15691).

    Attributes:
        patch: Side of a tubelet, in pixels; divides `data.size`.
        tubelet_frames: Frames of a tubelet; divides `data.frames`.
        spatial_depth: Blocks of the spatial encoder.
        temporal_depth: Blocks of the temporal encoder.
    """

    name: Literal["vivit"] = "vivit"
    patch: int = Field(8, ge=1)
    tubelet_frames: int = Field(2, ge=1)
    spatial_depth: int = Field(2, ge=1, le=64)
    temporal_depth: int = Field(1, ge=1, le=64)


class VTNConfig(BackboneOptions, Attention):
    """VTN of Kozlov et al. 2019 (arXiv:1905.08711): post-norm attention over one vector a frame.

    As published: backbone timm:resnet34, width 512, 8 heads, the rest by default, 16 frames.

    Attributes:
        depth: Blocks.
        dropout: Of attention, and behind attention and MLP.
    """

    name: Literal["vtn"] = "vtn"
    width: int = Field(64, ge=2, le=8192)
    depth: int = Field(4, ge=1, le=64)
    dropout: float = Field(0.1, ge=0, lt=1)


class VTNLongformerConfig(BackboneOptions):
    """VTN of Neimark et al. 2021 (arXiv:2102.00719): a Longformer over one vector a frame.

    As published: backbone timm:vit_base_patch16_224, 12 heads, the rest by default, 16 frames.
    Needs transformers (`pip install '.[peers]'`).

    Attributes:
        depth: Longformer layers.
        heads: Attention heads; divides the width of the backbone's vector.
        mlp_ratio: Hidden width of a layer's MLP, as a multiple of that width.
        window: Tokens that a frame may attend to, half of them on each side; even.
        positions: Position embeddings, of which the last two are for class token and padding.
        frame_step: Frames of the video between two of the clip, for the position ids.
        dropout: In the layers.
        head_dropout: Between the two layers of the classifier.
    """

    name: Literal["vtn_longformer"] = "vtn_longformer"
    depth: int = Field(3, ge=1, le=64)
    heads: int = Field(4, ge=1, le=256)
    mlp_ratio: float = Field(4.0, gt=0, le=16)
    window: int = Field(18, ge=4, le=4096, multiple_of=2)
    positions: int = Field(288, ge=4, le=65536)
    frame_step: int = Field(1, ge=1, le=1024)
    dropout: float = Field(0.1, ge=0, lt=1)
    head_dropout: float = Field(0.5, ge=0, lt=1)


ModelConfig = Annotated[
    VLFConfig
    | TSNConfig
    | TSMConfig
    | TimeSformerConfig
    | ViViTConfig
    | VTNConfig
    | VTNLongformerConfig,
    Field(discriminator="name"),
]
