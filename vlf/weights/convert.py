"""What converters of layouts share: their type, renaming by a table, keys in an error."""

import re
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

Converter = Callable[[Mapping[str, Tensor]], dict[str, Tensor] | None]
SHOWN = 3  # keys named in an error


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


def name_keys(keys: Iterable[str]) -> str:
    """The first of some keys, and how many more there are, for an error."""
    names = list(keys)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
