"""Options that architectures share: weights to start from, the backbone f, attention."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

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
    """Initial weights of a whole model, shared by all architectures.

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
        """Copy without weights, those of the backbone included."""
        return super().untrained().model_copy(update={"pretrained": False})

    @field_validator("pretrained")
    @classmethod
    def _no_is_no_file(cls, value: bool | str) -> bool | str:
        if isinstance(value, str) and value.lower() in ("", "yes", "no", "on", "off", "none"):
            raise ValueError(f'expected true, false, or a weight file, got "{value}" (text)')
        return value

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


class ClipTransformer(Attention):
    """Choices of every transformer over the tokens of a clip.

    Their defaults differ by architecture, as published or as argued in docs/models.md: a comparison
    of architectures compares these, too, unless they are set.

    Attributes:
        head_dropout: Dropout before the last layer; None takes `dropout`.
        attention_init: Initial weights of queries and keys. "glorot": independent; "tied": keys
            start equal to queries, in every attention whose sequence holds no class token.
        readout: What is classified: the "mean" of the last tokens, or a "class_token".
        head: "linear", or "mlp": linear, GELU, dropout, linear.
    """

    head_dropout: float | None = Field(None, ge=0, lt=1)
    attention_init: Literal["glorot", "tied"] = "glorot"
    readout: Literal["mean", "class_token"] = "class_token"
    head: Literal["linear", "mlp"] = "linear"

    @property
    def dropout_before_head(self) -> float:
        """Dropout of the head if it is set, else of all."""
        return self.dropout if self.head_dropout is None else self.head_dropout
