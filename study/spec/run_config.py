"""The sections of a run, by name, without knowing which architectures and datasets there are."""

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, get_args

from study.spec.errors import InvalidError, field_names, one_of, validate
from vlf.config import Config, RunConfig

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
