"""A whole model from a weight file: ours, or one of its authors' or of another library.

A new layout is a function in a module here, named in `CONVERTERS`. It is handed the file's state
dict and gives ours, or None if it is not its layout. Keys that it does not know it leaves as they
are, so that they are told as extra ones; nothing is dropped in silence.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vlf.config import ConfigError, DataConfig, ModelConfig
from vlf.weights.convert import Converter, key_faults, name_keys, unwrapped
from vlf.weights.described import check_described, check_said
from vlf.weights.files import read_weights
from vlf.weights.known import explain
from vlf.weights.normalisation import IMAGENET, check_normalisation, without_buffers
from vlf.weights.vtn import heads_of

# Architecture -> "module:function,function". Our own layout needs none.
CONVERTERS: dict[str, str] = {
    "tsn": "vlf.weights.resnet:from_mmaction2,from_authors",
    "tsm": "vlf.weights.resnet:from_mmaction2,from_authors",
    "timesformer": "vlf.weights.timesformer:from_transformers,from_official",
    "vivit": "vlf.weights.vivit:from_transformers",
    "vtn": "vlf.weights.vtn:from_kozlov",
    "vtn_longformer": "vlf.weights.vtn:from_neimark",
}

# Architecture -> what brings its positions to other frames and sizes than the file's.
POSITIONS: dict[str, str] = {
    "timesformer": "vlf.weights.timesformer:fit_positions",
    "vivit": "vlf.weights.vivit:fit_positions",
}

HEAD = "head."
PARTS = ("f.", "g.", "h.", HEAD)  # what every key of ours starts with
NEW_HEAD = "say model.new_head: true to start with a new classifier"
# Keys of configs that change no tensor's name or shape; the others may be why a file does not fit.
SHAPELESS = {"name", "weights", "new_head", "mean", "std", "pretrained", "dropout", "head_dropout"}
SHAPELESS |= {"heads", "shift_div", "activation", "frame_step", "attention_init"}


def load_weights(model: nn.Module, config: ModelConfig, data: DataConfig, path: str | Path) -> None:
    """Start `model` from a weight file or a local folder of transformers.

    Every value of the model is in the file, but for the head where `config.new_head` says so, and
    every value of the file is in the model. Positions of other frame counts and sizes are
    interpolated. The number of heads cannot be seen in weights: it is checked where a folder has a
    config.json, and else is the config's.

    Raises:
        ConfigError: For `model.weights`, if the file cannot be read, is of another model, lacks
            keys, has others or other shapes, or has another number of classes.
    """
    model.load_state_dict(fit_weights(model, config, data, path))


def fit_weights(
    model: nn.Module, config: ModelConfig, data: DataConfig, path: str | Path
) -> dict[str, Tensor]:
    """The state dict that `load_weights` loads; the model may be on the meta device.

    Raises:
        ConfigError: As `load_weights` does.
    """
    own = model.state_dict()
    try:
        stored = read_weights(Path(path))
        state = _convert(config, without_buffers(stored.state))
        described = stored.described or {"num_attention_heads": heads_of(stored.state)}
        check_described(config, described)  # what the file says and no shape shows
        check_said(config, stored.config)
        check_normalisation(config, stored, IMAGENET)
        kept = _kept_values(own, state, config.new_head)
        state = {k: v for k, v in state.items() if not (config.new_head and k.startswith(HEAD))}
        fix = explain(stored.state, config.name) or _advice(config)
        _check_keys(own, {**kept, **state}, fix)
        _check_classes(own, state, data.classes)
        _check_shapes(own, {k: v for k, v in state.items() if "position" not in k}, fix)
        if config.name in POSITIONS:
            (fit,) = _functions(POSITIONS[config.name])
            state = fit(state, config, data, stored.described)
        _check_shapes(own, state, "data.frames and data.size must be those of the file")
    except ValueError as error:
        raise ConfigError("model.weights", f'"{path}" {error}') from error
    return {**kept, **state}


def converters(name: str) -> list[Converter]:
    """The converters of an architecture; none where only our own layout is known."""
    return _functions(CONVERTERS[name]) if name in CONVERTERS else []


def _functions(entry: str) -> list[Any]:
    module, names = entry.split(":")
    return [getattr(importlib.import_module(module), name) for name in names.split(",")]


def _convert(config: ModelConfig, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for state in unwrapped(stored):
        if state and all(key.startswith(PARTS) for key in state):
            return dict(state)
        for convert in converters(config.name):
            if (converted := convert(state)) is not None:
                return converted
    layouts = ", ".join(["ours", *(convert.__name__ for convert in converters(config.name))])
    fix = explain(stored, config.name)
    raise ValueError(
        f"has none of the layouts known for {config.name} ({layouts}), but keys such as "
        f"{name_keys(stored)}" + (f"; {fix}" if fix else "")
    )


def _advice(config: ModelConfig) -> str:
    *most, last = [key for key in type(config).model_fields if key not in SHAPELESS]
    keys = f"{', '.join(most)} and {last}" if most else last
    return f"give model.{keys} the values that the file was made with"


def _kept_values(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor], new_head: bool
) -> dict[str, Tensor]:
    """Values that the model keeps: a new head, and counters that old files do not have."""
    return {
        key: value
        for key, value in own.items()
        if (new_head and key.startswith(HEAD))
        or (key.endswith("num_batches_tracked") and key not in state)
    }


def _check_classes(own: Mapping[str, Tensor], state: Mapping[str, Tensor], classes: int) -> None:
    last = [k for k, v in own.items() if k.startswith(HEAD) and v.shape[:1] == (classes,)]
    for key in last:
        if key in state and state[key].ndim and len(state[key]) != classes:
            raise ValueError(f"has {len(state[key])} classes and the data {classes}; {NEW_HEAD}")


def _check_keys(own: Mapping[str, Tensor], state: Mapping[str, Tensor], fix: str) -> None:
    missing = [key for key in own if key not in state]
    extra = [key for key in state if key not in own]
    if faults := key_faults(missing, extra, "the model"):
        headless = not extra and all(key.startswith(HEAD) for key in missing)
        raise ValueError(f"{faults}; {NEW_HEAD if headless else fix}")


def _check_shapes(own: Mapping[str, Tensor], state: Mapping[str, Tensor], fix: str) -> None:
    for key, tensor in state.items():
        if tensor.shape != own[key].shape:
            shapes = f"{tuple(tensor.shape)} where the model has {tuple(own[key].shape)}"
            raise ValueError(f"has {key} of {shapes}; {fix}")
