"""Factors and their levels: what a cell changes in the base, and how levels are named."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any, get_args

from study.spec.errors import InvalidError, expected, field_names, one_of, shown, unknown, validate
from study.spec.settings import RESOURCES, ResourceSettings
from study.spec.yaml_nodes import BLANK, Key, Node, dotted, resolve_scalar
from study.spec.yaml_words import character, composed, hidden_in
from vlf.config import Config, RunConfig, nearest

# Columns of records.csv, and what `--only` and claims take for something else.
RESERVED = (
    "cell", "seed", "kind", "part", "metric", "unit", "round", "value", "status", "reason",
    "device",
)  # fmt: skip
_SEPARATORS = ",=[]"  # cells, claims and --only are written with them
_NAMES = "allowed is all that can be seen but , = [ ], and single spaces between words"


@dataclass(frozen=True)
class Setting:
    """One field that a level sets.

    Attributes:
        rank: When it is applied (study/spec/factors.py).
        section: "data", "model", "train" or RESOURCES.
        field: Field of the section.
        value: Plain value.
        key: Where it stands in the file.
    """

    rank: int
    section: str
    field: str
    value: Any
    key: Key


@dataclass(frozen=True)
class Level:
    """One level of a factor.

    Attributes:
        label: As shown in tables ("no g", "8").
        patch: Dotted keys of the run (or of RESOURCES) -> values that it sets; a whole `model`
            mapping is kept under the key "model".
        number: Its value where it is a plain number, else None.
        settings: The patch, field by field.
    """

    label: str
    patch: Mapping[str, Any]
    number: float | None = None
    settings: tuple[Setting, ...] = ()


Factors = dict[str, tuple[Level, ...]]


def read_factors(node: Node | None) -> Factors:
    """The section `factors`.

    Raises:
        StudyError: At the first level that cannot be one.
    """
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        raise node.error(expected("a mapping of factors", node.plain()))
    return {name: _read_factor(name, one) for name, one in node.value.items()}


def find_level(node: Node, factor: str, levels: tuple[Level, ...]) -> str:
    """The label of the level that a person names by its label or its value.

    Raises:
        StudyError: If there is none.
    """
    if node.value is BLANK:
        raise node.error(expected(f"a level of {factor}", node.value))
    text = composed(node.text)
    for level in levels:
        if text == level.label:
            return level.label
    value = node.value
    for level in levels:
        if level.number is not None and not isinstance(value, bool) and value == level.number:
            return level.label
    labels = [level.label for level in levels]
    hint = nearest(node.text, labels)
    message = f"{factor} has no level {shown(node.plain())}{hint} (levels: {', '.join(labels)})"
    raise node.error(message)


def read_match(node: Node, factors: Factors) -> dict[str, str]:
    """A partial match: factor -> label.

    Raises:
        StudyError: If a factor or a level does not exist.
    """
    if not isinstance(node.value, dict) or not node.value:
        raise node.error(expected("factor: level", node.plain()))
    found = {}
    for name, level in node.value.items():
        if name not in factors:
            near = nearest(name, factors)
            raise level.error(f"unknown factor{near} (factors: {', '.join(factors) or 'none'})")
        found[name] = find_level(level, name, factors[name])
    return found


def _read_factor(name: str, node: Node) -> tuple[Level, ...]:
    if name in RESERVED:
        raise node.error(f"cannot name a factor: taken are {', '.join(RESERVED)}")
    if odd := _oddity(name):
        raise node.error(f"cannot name a factor: it {odd} ({_NAMES})")
    if isinstance(node.value, list):
        levels = tuple(_read_plain(name, node, level) for level in node.value)
    elif isinstance(node.value, dict):
        if name.partition(".")[0] in (*SECTIONS, "run"):
            raise node.error(expected("a list of levels", node.plain()))
        levels = tuple(_read_labelled(label, patch) for label, patch in node.value.items())
    else:
        what = "a list of levels"
        if name.partition(".")[0] not in SECTIONS:
            what += ", or labelled patches {label: {key: value}}"
        raise node.error(expected(what, node.plain()))
    if not levels:
        raise node.error("needs at least one level")
    labels: set[str] = set()
    for level, one in zip(levels, _items(node), strict=True):
        if level.label in labels:
            raise one.error(f"duplicate level {level.label}")
        labels.add(level.label)
    return levels


def _items(node: Node) -> list[Node]:
    return list(node.value.values() if isinstance(node.value, dict) else node.value)


def _read_label(text: str, node: Node) -> str:
    """A label, found fit to be shown and to be named on the command line."""
    if odd := _oddity(text):
        raise node.error(f"{shown(text)} cannot be a level's label: it {odd} ({_NAMES})")
    return composed(text)


def _oddity(text: str) -> str:
    """Description of a forbidden property of a name or label, or ""."""
    if not text:
        return "is empty"
    for one, where in ((text[0], "begins with"), (text[-1], "ends with")):
        if one.isspace():
            return f"{where} {character(one)}"
    if hidden := hidden_in(text):
        return f"holds {hidden}"
    if "  " in text:
        return "holds two spaces in a row"
    return next((f"holds {one}" for one in text if one in _SEPARATORS), "")


def _read_plain(name: str, factor: Node, node: Node) -> Level:
    """A level of a dotted key."""
    if name.partition(".")[0] == "run":
        raise factor.error(f"{RESOURCES}.* can be set by the patch of a labelled level only")
    section, field = _split(factor, name)
    if isinstance(node.value, dict) or node.value is BLANK:
        raise node.error(expected("a plain value", node.plain()))
    if isinstance(node.value, list):
        label = " ".join(item.text or shown(item.plain()) for item in node.value)
    else:
        label = node.text
    label = _read_label(label, node)
    rank = 1 if field == "name" else 3
    setting = Setting(rank, section, field, node.plain(), node.key)
    return Level(label, {name: node.plain()}, _number(node.value), (setting,))


def _read_labelled(label: str, node: Node) -> Level:
    """A labelled patch; {} is the base."""
    label = _read_label(label, node)
    if not isinstance(node.value, dict):
        what = "a mapping of keys that the level sets ({} is the base)"
        raise node.error(expected(what, node.plain()))
    entries = list(node.value.items())
    settings = tuple(chain.from_iterable(_read_entry(name, one) for name, one in entries))
    seen: dict[tuple[str, str], Key] = {}
    for setting in settings:
        at = (setting.section, setting.field)
        if at in seen:
            raise node.error(f"sets {'.'.join(at)} twice, as {dotted(seen[at][3:])} too")
        seen[at] = setting.key
    ordered = tuple(sorted(settings, key=lambda one: one.field != "name"))
    # A label such as "8" is a number too: a factor of such labels can be an axis.
    number = _number(resolve_scalar(label))
    return Level(label, {name: one.plain() for name, one in entries}, number, ordered)


def _read_entry(name: str, node: Node) -> Iterator[Setting]:
    """One key of a patch: `model.width`, or a section with its fields."""
    if name in (*SECTIONS, "run", RESOURCES):
        if not isinstance(node.value, dict):
            raise node.error(expected("a mapping", node.plain()))
        for field, one in node.value.items():
            yield from (
                _read_entry(f"{name}.{field}", one)
                if name == "run"
                else _read_field(f"{name}.{field}", one, 0)
            )
    else:
        yield from _read_field(name, node, 2)


def _read_field(name: str, node: Node, rank: int) -> Iterator[Setting]:
    section, field = _split(node, name)
    yield Setting(0 if field == "name" else rank, section, field, node.plain(), node.key)


def _split(node: Node, name: str) -> tuple[str, str]:
    """("model", "width") of `model.width`, if any architecture has such a key."""
    section, _, field = (
        name.rpartition(".") if name.startswith(f"{RESOURCES}.") else name.partition(".")
    )
    known = {one: fields_of(one) for one in SECTIONS} | {RESOURCES: field_names(ResourceSettings)}
    if section in known and field in known[section]:
        return section, field
    if section in known and field:
        raise node.error(unknown(field, known[section]))
    names = [f"{one}.{field}" for one, fields in known.items() for field in fields]
    allowed = ", ".join(f"{one}.*" for one in known)
    raise node.error(f"is no key of a run{nearest(name, names)} (allowed: {allowed})")


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


_SORTED = json.JSONEncoder(sort_keys=True)
SECTIONS = ("data", "model", "train")


@cache
def kinds(section: str) -> Mapping[str, type[Config]]:
    """Name -> config class; one class under "" for a section that has no `name`."""
    annotation = RunConfig.model_fields[section].annotation
    classes = get_args(annotation) or (annotation,)
    return {str(getattr(cls.model_fields.get("name"), "default", "")): cls for cls in classes}


@cache
def default_name(section: str) -> str:
    """The architecture or dataset of a run that names none; "" for `train`."""
    return str(getattr(getattr(RunConfig(), section), "name", ""))


@cache
def fields_of(section: str) -> tuple[str, ...]:
    """Every field that any kind of the section has."""
    found = (field for cls in kinds(section).values() for field in field_names(cls))
    return tuple(dict.fromkeys(found))


def validate_section(section: str, values: Mapping[str, Any]) -> tuple[Config, str]:
    """The config of one section, and a text that is equal for equal configs.

    Cells share sections, so each different one is validated once.

    Raises:
        InvalidError: With the key inside the section.
    """
    try:
        text = _SORTED.encode(values)
    except TypeError:  # a key with nothing behind it
        return _validate(section, values)
    return _validated(section, text)


@lru_cache(maxsize=65_536)
def _validated(section: str, text: str) -> tuple[Config, str]:
    return _validate(section, json.loads(text))


def _validate(section: str, values: Mapping[str, Any]) -> tuple[Config, str]:
    name = values.get("name", default_name(section))
    known = kinds(section)
    if not isinstance(name, str) or name not in known:
        raise InvalidError(("name",), one_of(name, known))
    config = validate(known[name], values)
    return config, config.model_dump_json()
