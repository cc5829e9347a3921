"""Architectures. One class an architecture; adding one adds it to `ModelConfig` below."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlf.config.shared import Attention, BackboneOptions, ClipTransformer, Weights


def _check_tied(config: ClipTransformer, sees_token: bool) -> None:
    """Refuse `attention_init: tied` where every attention sees a class token.

    Raises:
        ValueError: If it would change nothing.
    """
    if config.attention_init == "tied" and config.readout == "class_token" and sees_token:
        raise ValueError(
            "attention_init: tied is for attention without a class token; set readout: mean"
        )


class VLFConfig(BackboneOptions, ClipTransformer):
    """VideoLightFormer (arXiv:2107.00451) and its ablations.

    Attributes:
        projection: From backbone channels to `width`: a 1x1 convolution, or a 3x3 one of stride 2,
            which also quarters the tokens.
        spatial_depth: Blocks of g; 0 is "no g".
        spatiotemporal_depth: Blocks of h.
        pool: "none": h sees all k*H*W tokens; "frame": one mean-pooled token a frame (VTN-like).
        positions: Added at the input of g and h: "learned", "sine" (fixed), or "none".
        norm: Of the blocks of g and h: "pre" in front of attention and MLP, "post" behind the sums.
    """

    name: Literal["vlf"] = "vlf"
    projection: Literal["1x1", "3x3s2"] = "1x1"
    spatial_depth: int = Field(1, ge=0, le=64)
    spatiotemporal_depth: int = Field(2, ge=0, le=64)
    pool: Literal["none", "frame"] = "none"
    positions: Literal["learned", "sine", "none"] = "learned"
    norm: Literal["pre", "post"] = "pre"
    attention_init: Literal["glorot", "tied"] = "tied"
    readout: Literal["mean", "class_token"] = "mean"
    head: Literal["linear", "mlp"] = "mlp"

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


class TimeSformerConfig(ClipTransformer):
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

    @model_validator(mode="after")
    def _some_attention_can_be_tied(self) -> Self:
        _check_tied(self, self.attention != "divided")
        return self


class ViViTConfig(ClipTransformer):
    """ViViT (arXiv:2103.15691).

    Attributes:
        patch: Side of a tubelet, in pixels; divides `data.size`.
        tubelet_frames: Frames of a tubelet; divides `data.frames`.
        encoder: "factorised": space, then time (the paper's Model 2); "joint": attention over all
            tubelets of the clip (Model 1).
        spatial_depth: Blocks of the spatial encoder.
        temporal_depth: Blocks of the temporal encoder.
        depth: Blocks of the joint encoder; None takes as many as the factorised one has in all.
        activation: Of the MLPs: the exact GELU, or its tanh approximation, which the authors' code
            and transformers ("gelu_fast") have.
    """

    name: Literal["vivit"] = "vivit"
    patch: int = Field(8, ge=1)
    tubelet_frames: int = Field(2, ge=1)
    spatial_depth: int = Field(2, ge=1, le=64)
    temporal_depth: int = Field(1, ge=1, le=64)
    encoder: Literal["factorised", "joint"] = "factorised"
    depth: int | None = Field(None, ge=1, le=64)
    activation: Literal["gelu", "gelu_tanh"] = "gelu"

    @model_validator(mode="after")
    def _depth_is_of_the_joint_encoder(self) -> Self:
        if self.depth is not None and self.encoder != "joint":
            raise ValueError("depth: is of the joint encoder; say spatial_depth and temporal_depth")
        if self.depth is not None and (self.spatial_depth, self.temporal_depth) != (2, 1):
            raise ValueError("depth: takes the place of spatial_depth and temporal_depth")
        _check_tied(self, True)
        return self


class TorchvisionConfig(Weights):
    """A video model of torchvision, with weights at random.

    Attributes:
        architecture: Its name in torchvision: "r3d_18", "s3d", "mvit_v2_s", "swin3d_t", ...
    """

    name: Literal["torchvision"] = "torchvision"
    architecture: str


Setting = bool | int | float | str | list[int]


class TransformersConfig(Weights):
    """A video classifier of Hugging Face's transformers, the extra `peers`.

    Attributes:
        architecture: Its class: "VideoMAEForVideoClassification", "VivitForVideoClassification",
            "TimesformerForVideoClassification", ...
        settings: Keys of that class's config, such as {hidden_size: 64}. What the clips decide
            (side, frames, classes) is set from `data`.
        folder: A local folder in the library's layout, with `config.json`; its config is what
            `settings` change.
        pretrained: Read the weights of `folder`, too. A classifier for another number of classes
            is new. Without a folder weights are at random.
    """

    name: Literal["transformers"] = "transformers"
    architecture: str
    settings: dict[str, Setting] = Field(default_factory=dict)
    folder: str | None = None
    pretrained: bool = True

    def files(self) -> tuple[Path, ...]:
        """Files read by the run."""
        if self.folder is None:
            return super().files()
        folder = Path(self.folder)
        if not self.pretrained:
            return (folder / "config.json", *super().files())
        weights = sorted(folder.glob("*.safetensors")) or [folder / "model.safetensors"]
        return (folder / "config.json", *weights, *super().files())

    def untrained(self) -> Self:
        """Copy without weights; the folder's config still defines the architecture."""
        return super().untrained().model_copy(update={"pretrained": False})

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> Self:
        if self.folder is not None and self.pretrained and self.weights is not None:
            raise ValueError(
                "weights: replace those of folder; say pretrained: false, or one of them"
            )
        return self


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
    | VTNLongformerConfig
    | TorchvisionConfig
    | TransformersConfig,
    Field(discriminator="name"),
]
