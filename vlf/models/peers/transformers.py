"""Video classifiers of Hugging Face's transformers (5.x), the extra `peers`.

Shapes: B clips, T frames, D features, K classes, S side of a frame.
"""

import json
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig, TransformersConfig, nearest
from vlf.models.backbones import on_meta
from vlf.models.peers.shared import Parts, Peer
from vlf.weights.convert import one_line
from vlf.weights.files import Stored, read_prepared
from vlf.weights.normalisation import IMAGENET, check_normalisation

SIZES = ("image_size", "crop_size")  # what the classes call the side of a frame
FRAMES = ("num_frames", "frames_per_clip")
CLASSES = "num_labels"


class TransformersPeer(Peer):
    """A video classifier of transformers, from random weights or from a local folder.

    Attention is the implementation that transformers takes by itself.

    Raises:
        ConfigError: If transformers is absent, has no such class or setting, the folder does not
            hold it, or it cannot take these clips.
    """

    def __init__(self, config: TransformersConfig, data: DataConfig) -> None:
        cls = _classifier(config.architecture)
        settings = _settings(cls, config, data)
        super().__init__(config.architecture, partial(_build, cls, settings, config), data)


class Answer(nn.Module):
    """Input of `net`'s classifier, which is taken out: (B, T, 3, S, S) -> features."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, clip: Tensor) -> Tensor:
        """The library's output is a record, of which this is one entry."""
        features: Tensor = self.net(clip).logits
        return features


def _classifier(name: str) -> Any:
    """The class, checked to be one that takes videos."""
    try:
        import transformers
        from transformers.models.auto import modeling_auto
    except ImportError as error:
        message = 'transformers is not installed: pip install "vlf-ablations[peers]"'
        raise ConfigError("model.name", message) from error
    known = sorted(modeling_auto.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES.values())
    if name not in known:
        hint = f"{nearest(name, known)} (allowed: {', '.join(known)})"
        message = f'transformers {transformers.__version__} has no video classifier "{name}"{hint}'
        raise ConfigError("model.architecture", message)
    return getattr(transformers, name)


def _settings(cls: Any, config: TransformersConfig, data: DataConfig) -> Any:
    """The library's config: a person's settings, and what the clips decide.

    transformers keeps a setting that it does not know, without a word, so names are checked here.
    """
    from transformers import PreTrainedConfig

    kind = cls.config_class
    own = {one.name for one in fields(kind)} - {one.name for one in fields(PreTrainedConfig)}
    given = {"size": SIZES, "frames": FRAMES, "classes": (CLASSES,)}
    decided = {
        name: (key, getattr(data, key))
        for key, names in given.items()
        for name in names
        if name in own or name == CLASSES
    }
    for name in config.settings:
        if name in decided:
            message = f"is set from data.{decided[name][0]} and cannot be set here"
            raise ConfigError(f"model.settings.{name}", message)
        if name not in own:
            allowed = sorted(own - set(decided))
            hint = f"{nearest(name, allowed)} (allowed: {', '.join(allowed)})"
            raise ConfigError(f"model.settings.{name}", f"{kind.__name__} has no such key{hint}")
    values = {**config.settings, **{name: value for name, (_, value) in decided.items()}}
    if config.folder is not None:
        _check_folder(Path(config.folder), kind.model_type, config)
    try:
        if config.folder is None:
            settings = kind(**values)
        else:
            settings = kind.from_pretrained(config.folder, local_files_only=True, **values)
    except Exception as error:  # the library's own checks of values
        message = f"{kind.__name__} refuses them: {one_line(error)}"
        raise ConfigError("model.settings", message) from error
    _check_patches(settings, data)
    return settings


def _check_patches(settings: Any, data: DataConfig) -> None:
    """Refuse patches that do not fill the clip: the library leaves the rest out without a word."""
    tubelet, patch = getattr(settings, "tubelet_size", 1), getattr(settings, "patch_size", None)
    if not isinstance(tubelet, int):
        tubelet, *patch = tubelet
    sides = [patch] if isinstance(patch, int) else list(patch or ())
    if data.frames % tubelet:
        message = f"tubelet_size: must divide data.frames {data.frames}, got {tubelet}"
        raise ConfigError("model.settings", message)
    for side in sides:
        if data.size % side:
            name = "patch_size" if hasattr(settings, "patch_size") else "tubelet_size"
            message = f"{name}: must divide data.size {data.size}, got {side}"
            raise ConfigError("model.settings", message)


def _check_folder(folder: Path, wanted: str, config: TransformersConfig) -> None:
    try:
        found = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        message = f'"{folder}" is no folder of a model: config.json: {one_line(error)}'
        raise ConfigError("model.folder", message) from error
    if found != wanted:
        message = f'"{folder}" holds a model of type "{found}"; {config.architecture} needs '
        raise ConfigError("model.folder", f'{message}"{wanted}"')
    if not config.pretrained:
        return
    try:
        check_normalisation(config, Stored({}, prepared=read_prepared(folder)), IMAGENET)
    except ValueError as error:
        raise ConfigError("model.folder", f'"{folder}" {error}') from error


def _build(cls: Any, settings: Any, config: TransformersConfig) -> Parts:
    key = "model.settings" if config.settings else "model.architecture"
    try:
        if config.folder is None or not config.pretrained or on_meta():
            net = cls(settings)
        else:
            net = _load(cls, settings, config.folder)
    except ConfigError:
        raise
    except Exception as error:  # whatever the model's own code raises
        message = f'cannot build "{config.architecture}": {one_line(error)}'
        raise ConfigError(key, message) from error
    head = net.classifier
    net.classifier = nn.Identity()
    return Answer(net.train()), head


def _load(cls: Any, settings: Any, folder: str) -> Any:
    """Weights of a folder. What stands behind the network may be new, the network itself not."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    logging.set_verbosity_error()  # what it would warn of is checked here
    logging.disable_progress_bar()
    net, told = cls.from_pretrained(
        folder,
        config=settings,
        local_files_only=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    inside = f"{cls.base_model_prefix}."
    wrong = {
        "lacks": sorted(key for key in told["missing_keys"] if key.startswith(inside)),
        "has another shape of": sorted(
            key for key, *_ in told["mismatched_keys"] if key.startswith(inside)
        ),
    }
    for what, keys in wrong.items():
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            message = f'"{folder}" {what} {", ".join(keys[:3])}{more}'
            fix = "its frames, size and settings must be those that it was trained with"
            raise ConfigError("model.folder", f"{message}; {fix}")
    return net
