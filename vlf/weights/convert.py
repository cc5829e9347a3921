"""What converters of layouts share: their type, and renaming by a table."""

import re
from collections.abc import Callable, Mapping

from torch import Tensor

Converter = Callable[[Mapping[str, Tensor]], dict[str, Tensor] | None]


def rename(state: Mapping[str, Tensor], table: Mapping[str, str]) -> dict[str, Tensor]:
    """Give keys our names; those that the table does not have stay as they are.

    Args:
        state: A state dict.
        table: Name of a parameter or of a module around it, theirs -> ours; `{i}` stands for the
            number of a block.
    """
    rules = [
        (re.compile(re.escape(theirs).replace(r"\{i\}", r"(\d+)") + r"(?=\.|$)"), ours)
        for theirs, ours in table.items()
    ]
    return {_rename(key, rules): tensor for key, tensor in state.items()}


def _rename(key: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    for theirs, ours in rules:
        if found := theirs.match(key):
            return ours.format(i="".join(found.groups())) + key[found.end() :]
    return key


def strip(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take a prefix off the keys that have it."""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items()}
