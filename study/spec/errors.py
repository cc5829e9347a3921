"""pydantic's complaints in our words: what is wrong, what was given, what is allowed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from study.spec.yaml_nodes import BLANK, Key
from study.spec.yaml_words import hidden_in, visible
from vlf.config import nearest

C = TypeVar("C", bound=BaseModel)

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "null",
}
_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "finite_number": "must be finite",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "needs at least {min_length} entries",
    "too_long": "takes at most {max_length} entries",
}


class InvalidError(ValueError):
    """A mapping does not fit its class.

    Attributes:
        key: Where, inside the mapping.
        message: One line, without the key.
        kind: "unknown": no such key; "value": wrong by itself; "cross": wrong beside others.
    """

    def __init__(self, key: Key, message: str, kind: str = "value") -> None:
        super().__init__(message)
        self.key = key
        self.message = message
        self.kind = kind


def validate(cls: type[C], values: Mapping[str, Any]) -> C:
    """Make a config of plain values.

    Raises:
        InvalidError: With the first mistake.
    """
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        raise _first(cls, values, error.errors(include_url=False)) from None


def unknown(key: str, allowed: Iterable[str]) -> str:
    """Complaint about a key that does not exist: the nearest name, and all names."""
    names, hidden = list(allowed), hidden_in(key)
    hint = f"; it holds {hidden}, which no key does" if hidden else nearest(key, names)
    return f"unknown key{hint} (allowed: {', '.join(names)})"


def one_of(value: Any, allowed: Iterable[Any]) -> str:
    """Complaint about a value that is none of some words."""
    words = [shown(word).strip('"') for word in allowed]
    hint = nearest(value, words) if isinstance(value, str) else ""
    return f"expected one of {', '.join(words)}, got {shown(value)}{hint}"


def expected(what: str, value: Any) -> str:
    """Complaint about a value of the wrong type."""
    return f"expected {what}, got {shown(value)}" + (" (text)" if isinstance(value, str) else "")


def shown(value: Any) -> str:
    """A value as a person wrote it, shortened."""
    if value is None or value is BLANK:
        return "nothing" if value is BLANK else "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = f'"{visible(value)}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _first(
    cls: type[BaseModel], values: Mapping[str, Any], errors: list[ErrorDetails]
) -> InvalidError:
    # A key that is unknown explains another that is missing, so it is told first.
    error = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    key = _inside(values, error["loc"])
    # Of a union, the member that fits best: its mistake lies deepest.
    for other in errors:
        inner = _inside(values, other["loc"])
        if len(inner) > len(key) and inner[: len(key)] == key:
            error, key = other, inner
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return InvalidError(key, unknown(str(key[-1]), _fields(cls, key[:-1])), "unknown")
    if kind == "missing":
        return InvalidError(tuple(error["loc"]), "is required")
    if kind == "value_error":
        return _from_validator(cls, key, str(error.get("ctx", {}).get("error", error["msg"])))
    if kind == "literal_error":
        return InvalidError(key, one_of(value, (word.strip("'") for word in _words(error))))
    if kind in _BOUNDS:
        context = error.get("ctx", {})
        got = shown(context.get("actual_length", value))
        return InvalidError(key, f"{_BOUNDS[kind].format(**context)}, got {got}")
    # A union complains once for each of its members, all at the same place.
    at_place = [one["type"] for one in errors if _inside(values, one["loc"]) == key]
    wanted = dict.fromkeys(_EXPECTED[one] for one in at_place if one in _EXPECTED)
    if wanted:
        null = " (null is none)" if value is BLANK and _takes_null(cls, values, key) else ""
        return InvalidError(key, expected(" or ".join(wanted), value) + null)
    return InvalidError(key, f"{error['msg'][:1].lower()}{error['msg'][1:]}, got {shown(value)}")


def _takes_null(cls: type[BaseModel], values: Mapping[str, Any], key: Key) -> bool:
    """True if a config would take null at the key where it is given nothing."""
    with_null = _replaced(values, key)
    try:
        cls.model_validate(with_null)
    except ValidationError as error:
        return all(_inside(with_null, one["loc"]) != key for one in error.errors())
    return True


def _replaced(values: Any, key: Key) -> Any:
    """A copy with None at a key."""
    if not key:
        return None
    copied: Any = dict(values) if isinstance(values, Mapping) else list(values)
    copied[key[0]] = _replaced(values[key[0]], key[1:])
    return copied


def _inside(values: Any, loc: tuple[int | str, ...]) -> Key:
    """The part of a location that is in the values; the rest names members of unions."""
    key: Key = ()
    for part in loc:
        if isinstance(values, Mapping) and part in values:
            values = values[str(part)]
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            continue
        key = (*key, part)
    return key


def _fields(cls: type[BaseModel], key: Key) -> list[str]:
    for part in key:
        if isinstance(part, int):  # an entry of a list, whose class was found before
            continue
        annotation = cls.model_fields[part].annotation
        # The element of a list, or the members of a union.
        members = get_args(annotation) or (annotation,)
        configs = [one for one in members if isinstance(one, type) and issubclass(one, BaseModel)]
        if len(configs) != 1:
            return []
        cls = configs[0]
    return field_names(cls)


def field_names(cls: type[BaseModel]) -> list[str]:
    """Keys of a config, the name of its kind first."""
    names = (info.alias or name for name, info in cls.model_fields.items())
    return sorted(names, key=lambda name: name != "name")


def _words(error: ErrorDetails) -> list[str]:
    return re.findall(r"'[^']*'|\d+", error.get("ctx", {}).get("expected", ""))


def _from_validator(cls: type[BaseModel], key: Key, text: str) -> InvalidError:
    """Validators that compare fields say `field: what is wrong` (vlf/config)."""
    field, colon, rest = text.partition(": ")
    parts = field.split(".")
    if not key and colon and parts[0] in field_names(cls):
        return InvalidError(tuple(parts), rest, "cross")
    return InvalidError(key, text, "cross")
