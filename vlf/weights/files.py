"""Read the tensors of a weight file or of a local folder of transformers; runs no code of it."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlf.config.shared import weight_files

PICKLED = (".pt", ".pth", ".pyth", ".bin", ".tar")
SAFE = ".safetensors"
# Keys under which training code stores the state dict beside its optimiser and the like:
# PySlowFast and TimeSformer, timm and mmaction2, ours and most others.
WRAPPERS = ("model_state", "state_dict", "model")


@dataclass(frozen=True)
class Stored:
    """What is on disk.

    Attributes:
        state: The state dict, on the CPU, without the "module." of data-parallel training.
        described: The values of config.json, of a folder that has one.
    """

    state: Mapping[str, Tensor]
    described: Mapping[str, Any] = field(default_factory=dict)


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
    for file in files:
        state |= _read_file(file)
    config = path / "config.json"
    described = json.loads(config.read_text("utf-8")) if config.is_file() else {}
    return Stored({key.removeprefix("module."): v for key, v in state.items()}, described)


def _read_file(file: Path) -> dict[str, Tensor]:
    if file.suffix not in (*PICKLED, SAFE):
        allowed = ", ".join((*PICKLED, SAFE))
        raise ValueError(f"must be a folder or end in one of {allowed}")
    try:
        content = _load(file)
    except Exception as error:  # torch, pickle and safetensors raise what they like for a bad file
        why = textwrap.shorten(str(error) or type(error).__name__, 120, placeholder=" ...")
        raise ValueError(f"cannot be read as weights ({why})") from error
    while isinstance(content, Mapping):
        inner = [content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)]
        if not inner:
            break
        content = inner[0]
    tensors = content.items() if isinstance(content, Mapping) else ()
    state = {str(key): value for key, value in tensors if isinstance(value, Tensor)}
    if not state:
        raise ValueError("holds no state dict: save model.state_dict() with torch.save")
    return state


def _load(file: Path) -> Any:
    if file.suffix == SAFE:
        from safetensors.torch import load_file

        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True)
