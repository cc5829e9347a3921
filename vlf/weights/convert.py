"""Parts of layout converters: their type, renaming by a table, keys in an error."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from torch import Tensor

Converter = Callable[[Mapping[str, Tensor]], dict[str, Tensor] | None]
SHOWN = 3  # keys named in an error
LONGEST = 120  # characters of a key in an error

# Names that transformers' video transformers share, theirs -> ours; `{i}` is the number of a block.
TRANSFORMERS = {
    "embeddings.cls_token": "h.class_token",
    "embeddings.patch_embeddings.projection": "f",
    "encoder.layer.{i}.layernorm_before": "h.blocks.{i}.attention_norm",
    "encoder.layer.{i}.attention.output.dense": "h.blocks.{i}.attention.out",
    "encoder.layer.{i}.layernorm_after": "h.blocks.{i}.mlp_norm",
    "encoder.layer.{i}.intermediate.dense": "h.blocks.{i}.mlp.0",
    "encoder.layer.{i}.output.dense": "h.blocks.{i}.mlp.3",
    "layernorm": "h.norm",
    "classifier": "head.1",
}


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


def unwrapped(state: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
    """A state dict as it is, then without the first part of its names while all share one.

    So a module around the model (`model.` of Lightning) need not be known.
    """
    yield state
    while len(starts := {key.partition(".")[0] for key in state}) == 1 and all(
        "." in key for key in state
    ):
        state = strip(state, f"{starts.pop()}.")
        yield state


def printable(text: str) -> str:
    """Text of a file or a library on one line, without what a terminal would obey."""
    text = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def key_faults(missing: Sequence[str], extra: Sequence[str], whose: str) -> str:
    """Complaint about the keys of a file that a model lacks; "" if it lacks none."""
    faults = [f"lacks {name_keys(missing)}"] if missing else []
    faults += [f"has {name_keys(extra)}, which {whose} has not"] if extra else []
    return ", and ".join(faults)


def one_line(error: BaseException) -> str:
    """Message of an exception, or its type, on one line."""
    return printable(str(error)) or type(error).__name__


def name_keys(keys: Iterable[str]) -> str:
    """The first of some keys, and how many more there are, for an error."""
    names = [printable(key[:LONGEST]) + ("..." if len(key) > LONGEST else "") for key in keys]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
