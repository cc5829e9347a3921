"""The config of one run. No torch: a typo is answered before torch is imported."""

from pydantic import Field

from vlf.config.base import Config, ConfigError, nearest
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
from vlf.config.train import TrainConfig


class RunConfig(Config):
    """One run: what it reads, what it builds, how it is trained. The seed stands beside it."""

    data: DataConfig = Field(default_factory=MotionConfig)
    model: ModelConfig = Field(default_factory=VLFConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)


__all__ = [
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
    "nearest",
]
