"""What a run builds. One class an architecture; adding one adds it to `ModelConfig` below."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlf.config.base import Config
from vlf.config.extras import EXTRAS

Triple = Annotated[
    tuple[
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
        Annotated[float, Field(ge=0, le=1)],
    ],
    Field(strict=False),
]


def weight_files(path: Path) -> tuple[Path, ...]:
    """The file itself; of a folder of transformers, its weights and its config.json."""
    found = sorted(path.glob("model*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    described = [file for file in (path / "config.json",) if found and file.is_file()]
    return (*found, *described) or (path,)


class Weights(Config):
    """What a whole model starts from, shared by all architectures.

    Attributes:
        weights: A weight file (.pt, .pth, .pyth, .safetensors) or a local folder of transformers,
            in our layout or one of `vlf.weights.CONVERTERS`; None starts from our initialisation.
        new_head: Take all but the head from `weights`, for other classes than the file's.
        mean: Of red, green and blue, as shares of full intensity, that is taken off the pixels;
            None is that of a backbone's published weights where it starts from some, else
            ImageNet's.
        std: Deviation that they are divided by, said beside `mean`.
    """

    weights: str | None = Field(None, min_length=1)
    new_head: bool = False
    mean: Triple | None = None
    std: Triple | None = None

    def files(self) -> tuple[Path, ...]:
        """Weight files read by the run."""
        return () if self.weights is None else weight_files(Path(self.weights))

    def untrained(self) -> Self:
        """The same architecture from our initialisation: weights change no cost."""
        none = {"weights": None, "new_head": False, "mean": None, "std": None}
        return self.model_copy(update=none)

    @model_validator(mode="after")
    def _mean_and_std_are_a_pair(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("std: and mean go together; say both of them, or neither")
        if self.std is not None and 0 in self.std:
            raise ValueError(f"std: must be more than 0, got {list(self.std)}")
        return self


class BackboneOptions(Weights):
    """The 2D CNN f, shared by the architectures that have one.

    Attributes:
        backbone: "tiny" (a small CNN for the embedded study) or "timm:<name>", any timm model
            that gives features.
        stage: Which feature map of a timm model, counted from 0 at the finest; None takes the last,
            or, where a frame becomes one vector, the whole model up to its classifier.
            For `tiny`, 3 or 4 stride-2 convolutions are stages 2 and 3; None takes 2.
        pretrained: What the backbone starts from: false (our initialisation), true (what timm
            publishes for it, fetched once), the path of a weight file in timm's or torchvision's
            layout, or the name of an installed extra: "efficientnet_lite0".
    """

    backbone: str = Field("tiny", pattern=r"^(tiny|timm:[A-Za-z0-9_.\-]+)$")
    stage: int | None = Field(None, ge=0, le=5)
    pretrained: bool | str = False

    def files(self) -> tuple[Path, ...]:
        """Weight files read by the run."""
        path = self.backbone_file()
        return (() if path is None else (path,)) + super().files()

    def backbone_file(self) -> Path | None:
        """The weight file that `pretrained` names; of an extra that is absent, its bare name."""
        if not isinstance(self.pretrained, str):
            return None
        extra = EXTRAS.get(self.pretrained)
        return (extra and extra.path()) or Path(self.pretrained)

    def untrained(self) -> Self:
        """As above; the backbone's published weights are left out, too."""
        return super().untrained().model_copy(update={"pretrained": False})

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> Self:
        if self.pretrained and self.weights is not None:
            raise ValueError("weights: replace all that pretrained would give; say one of them")
        extra = EXTRAS.get(self.pretrained) if isinstance(self.pretrained, str) else None
        if extra and self.backbone.partition(".")[0] != extra.backbone:
            raise ValueError(
                f'pretrained: {self.pretrained} is of backbone "{extra.backbone}", '
                f'not of "{self.backbone}"'
            )
        return self


class Attention(Weights):
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


class HeadDropout(Attention):
    """Dropout of the head apart from that of the blocks.

    Attributes:
        head_dropout: Before the last layer; None takes `dropout`.
    """

    head_dropout: float | None = Field(None, ge=0, lt=1)

    @property
    def dropout_before_head(self) -> float:
        """As said of the head, else of all."""
        return self.dropout if self.head_dropout is None else self.head_dropout


class VLFConfig(BackboneOptions, HeadDropout):
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


class TimeSformerConfig(HeadDropout):
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


class ViViTConfig(HeadDropout):
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
        """As above; the folder's config still says what is built."""
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
