"""The config of one run. No torch: a typo is answered before torch is imported."""

from typing import Self

from pydantic import Field, model_validator

from vlf.config.base import Config, ConfigError, load_object, nearest
from vlf.config.data import (
    FramesConfig,
    LabelledData,
    ListedData,
    MotionConfig,
    OwnLists,
    PackedConfig,
    VideoListConfig,
)
from vlf.config.model import (
    ModelConfig,
    TimeSformerConfig,
    TorchvisionConfig,
    TransformersConfig,
    TSMConfig,
    TSNConfig,
    ViViTConfig,
    VLFConfig,
    VTNConfig,
    VTNLongformerConfig,
)
from vlf.config.published import (
    DataConfig,
    EpicKitchensConfig,
    HMDB51Config,
    JesterConfig,
    KineticsConfig,
    SomethingConfig,
    UCF101Config,
)
from vlf.config.shared import BackboneOptions
from vlf.config.train import TrainConfig


class RunConfig(Config):
    """One run: what it reads, what it builds, how it is trained. The seed stands beside it."""

    data: DataConfig = Field(default_factory=MotionConfig)
    model: ModelConfig = Field(default_factory=VLFConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)

    @model_validator(mode="after")
    def _partial_bn_has_statistics_to_keep(self) -> Self:
        if not self.train.partial_bn:
            return self
        if not isinstance(self.model, BackboneOptions):
            raise ValueError(f"train.partial_bn: {self.model.name} has no CNN whose norms to keep")
        if not (self.model.pretrained or self.model.weights):
            raise ValueError(
                "train.partial_bn: keeps the statistics that the backbone comes with; "
                "say model.pretrained or model.weights"
            )
        return self

    @model_validator(mode="after")
    def _what_is_frozen_has_learned(self) -> Self:
        model, freeze = self.model, self.train.freeze
        if freeze == "none":
            return self
        if not isinstance(model, BackboneOptions):
            raise ValueError(f"train.freeze: {model.name} has no backbone to freeze; say none")
        if not model.pretrained and model.weights is None:
            raise ValueError(
                f"train.freeze: {freeze} would keep random weights; say model.pretrained or "
                "model.weights, or none"
            )
        if self.train.stored_views and isinstance(self.data, EpicKitchensConfig):
            raise ValueError(
                "train.stored_views: keeps clips of one label, and epic_kitchens has two; say 0"
            )
        return self


__all__ = [
    "BackboneOptions",
    "Config",
    "ConfigError",
    "DataConfig",
    "EpicKitchensConfig",
    "FramesConfig",
    "HMDB51Config",
    "JesterConfig",
    "KineticsConfig",
    "LabelledData",
    "ListedData",
    "ModelConfig",
    "MotionConfig",
    "OwnLists",
    "PackedConfig",
    "RunConfig",
    "SomethingConfig",
    "TSMConfig",
    "TSNConfig",
    "TimeSformerConfig",
    "TorchvisionConfig",
    "TrainConfig",
    "TransformersConfig",
    "UCF101Config",
    "VLFConfig",
    "VTNConfig",
    "VTNLongformerConfig",
    "ViViTConfig",
    "VideoListConfig",
    "load_object",
    "nearest",
]
