"""Read the tensors of a weight file or of a local folder of transformers; runs no code of it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlf.config.shared import weight_files
from vlf.weights.convert import name_keys, printable
from vlf.weights.pickled import Inert
from vlf.weights.torch_file import read_torch_file

PICKLED = (".pt", ".pth", ".pyth", ".ckpt", ".bin", ".tar")
SAFE = ".safetensors"
# Keys under which training code stores the state dict beside its optimiser and the like:
# PySlowFast and TimeSformer, timm, mmaction2 and Lightning, ours and most others, DeepSpeed. Where
# a file has averaged weights as well (timm's state_dict_ema), these are those without the average.
WRAPPERS = ("model_state", "state_dict", "model", "model_state_dict", "module")
# Parts that wrappers of torch add to names: torch.compile, FSDP, checkpointed activations.
WRAPPED = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Values that take no part in logits: the count of averaged models of torch's AveragedModel, weights
# of classes in a loss, token indices that transformers used to store.
UNUSED = re.compile(r"n_averaged|(.*\.)?(loss_cls|criterion|loss_fn)\..*|.*\.position_ids")
# Where training code stores its config, as text or values: PySlowFast, mmaction2, Lightning.
DEEPEST = 4  # dictionaries around a state dict; one may hold itself
CONFIGS = ("cfg", "config", "meta", "args", "hyper_parameters")


@dataclass(frozen=True)
class Stored:
    """Contents of a weight file.

    Attributes:
        state: The state dict, on the CPU, without the names that wrappers of training add.
        described: The values of config.json, of a folder that has one.
        prepared: The values of the preprocessor's JSON, of a folder that has one.
        config: Text of the training config, of a file that has one.
    """

    state: Mapping[str, Tensor]
    described: Mapping[str, Any] = field(default_factory=dict)
    prepared: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""


def read_weights(path: Path) -> Stored:
    """Read a file, or all weight files of a folder.

    Raises:
        ValueError: If there is none, or it cannot be read; its text goes on from the path's name.
    """
    if not path.exists():
        raise ValueError("does not exist: no such file or folder")
    files = [file for file in weight_files(path) if file.suffix != ".json"]
    if files == [path] and path.is_dir():
        raise ValueError("holds neither model*.safetensors nor pytorch_model*.bin")
    state: dict[str, Tensor] = {}
    config = ""
    for file in files:
        content = _read_file(file)
        state |= _state_dict(content)
        config += "\n".join(_config_text(content))
    return Stored(state, _read_json(path / "config.json"), read_prepared(path), config)


def read_prepared(folder: Path) -> dict[str, Any]:
    """Preprocessing of a folder of transformers; empty if it is not stated.

    Raises:
        ValueError: If its file is no JSON; the text goes on from the path's name.
    """
    names = ("video_preprocessor_config.json", "preprocessor_config.json")
    return next((values for name in names if (values := _read_json(folder / name))), {})


def _read_file(file: Path) -> Any:
    if file.suffix not in (*PICKLED, SAFE):
        allowed = ", ".join((*PICKLED, SAFE))
        raise ValueError(f"must be a folder or end in one of {allowed}")
    try:
        if file.suffix == SAFE:
            from safetensors.torch import load_file

            return load_file(file)
        return read_torch_file(file)
    except Exception as error:  # readers of zip, pickle and safetensors raise anything
        why = printable(str(error)) or type(error).__name__
        why = why if isinstance(error, ValueError) else f"{type(error).__name__}: {why}"
        raise ValueError(f"cannot be read as weights ({why})") from error


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"has a {file.name} that is no JSON ({printable(str(error))})") from error
    return values if isinstance(values, dict) else {}


def _state_dict(content: Any) -> dict[str, Tensor]:
    """The tensors by name, under the dictionary that holds them.

    Raises:
        ValueError: If there are none, several dictionaries hold some, or some are of a kind that no
            model here has.
    """
    found = _find_state(content)
    odd = [
        key
        for key, value in found.items()
        if (isinstance(value, Inert) and re.search(r"_rebuild_|^a |DTensor", value.path))
        or (isinstance(value, Tensor) and value.layout is not torch.strided)
    ]
    if odd:
        kinds = "sparse, quantised or sharded tensors"
        raise ValueError(f"holds {kinds} ({name_keys(odd)}); save them as plain ones")
    state = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    if not state:
        made = f" but an object of {printable(found.path)}" if isinstance(found, Inert) else ""
        raise ValueError(f"holds no state dict{made}: save model.state_dict() with torch.save")
    return {name: value for key, value in state.items() if not UNUSED.fullmatch(name := _bare(key))}


def _find_state(content: Any) -> Mapping[str, Any]:
    for _ in range(DEEPEST):
        if not isinstance(content, Mapping):
            break
        held = {
            name: value
            for name, value in content.items()
            if isinstance(value, Mapping) and (value or isinstance(value, Inert))
        }
        inner = [name for name in WRAPPERS if name in held]
        if not inner and not _holds_tensors(content):
            inner = [name for name, value in held.items() if _holds_tensors(value)]
            if len(inner) > 1:
                raise ValueError(f"holds {len(inner)} state dicts ({name_keys(inner)}); save one")
        if not inner:
            break
        content = held[inner[0]]
    return content if isinstance(content, Mapping) else {}


def _holds_tensors(values: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in values.values())


def _bare(key: str) -> str:
    """A name without the parts that data-parallel training and other wrappers add."""
    key = WRAPPED.sub("", key)
    while key.startswith("module."):
        key = WRAPPED.sub("", key.removeprefix("module."))
    return key


def _config_text(content: Any, deepest: int = 2) -> Iterator[str]:
    """Text of configs, and `key: value` of those stored as values."""
    if not isinstance(content, Mapping) or not deepest:
        return
    for name in CONFIGS:
        value = content.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _config_text(value, deepest - 1)
            values = value.state if isinstance(value, Inert) else value
            for key, item in values.items() if isinstance(values, Mapping) else ():
                if isinstance(item, bool | int | float):
                    yield f"{key}: {item}"
