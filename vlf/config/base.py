"""Base class of all configs, the error of an invalid value, and objects by name."""

import difflib
import importlib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict


class ConfigError(ValueError):
    """A person wrote a value that cannot be used.

    Attributes:
        key: Dotted key at fault inside the run ("model.width"), or "" where none is to blame.
        message: What is wrong, what was given, and what is allowed; without file or key.
        is_missing: Whether a file or folder is not there, which it may be on another machine.
    """

    def __init__(self, key: str, message: str, is_missing: bool = False) -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key
        self.message = message
        self.is_missing = is_missing

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, str, bool]]:
        """Cross process borders: the default would pass the joined text alone."""
        return (type(self), (self.key, self.message, self.is_missing))


class Config(BaseModel):
    """Frozen, refuses unknown keys and silent conversions ("3" is not 3, true is not 1)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def nearest(word: str, choices: Iterable[str]) -> str:
    """A hint such as `; did you mean "frames"?`, or "" when nothing is near."""
    near = difflib.get_close_matches(word, list(choices), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def load_object(entry: str) -> Any:
    """Object of a registry's "module:name"; imports its module and no other."""
    module, name = entry.split(":")
    return getattr(importlib.import_module(module), name)
