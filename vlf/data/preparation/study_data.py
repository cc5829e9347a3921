"""Data of a study file, read without the rest of it.

The study's own reader (which tells the line of every mistake) is not known here; a mistake that
concerns data is told by its key.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from vlf.config import DataConfig

RANKS = 3  # sections of labelled levels, then their dotted keys, then dotted keys as factors
WRONG = AttributeError, TypeError, ValueError  # what values of another shape than expected raise
Section = dict[str, Any]
Change = tuple[str, tuple[Section, Section, Section]]  # label; fields of data set, by rank


class StudyDataError(ValueError):
    """A file that is no study, or whose data cannot be; one line says why."""


def read_base_data(path: Path, root: Path | None = None) -> DataConfig:
    """`base.data` of a study file and of those that it extends; `root` is put in its root's place.

    Raises:
        StudyDataError: If the file cannot be read, or its data cannot be.
    """
    section = _section_of(_read(path))
    return _validate(path, section if root is None else {**section, "root": str(root)})


def read_all_data(path: Path) -> dict[str, DataConfig]:
    """Label -> data, all that differ: `base.data` as each combination of levels changes it.

    A combination that the study excludes is among them.

    Raises:
        StudyDataError: As `read_base_data`.
    """
    study = _read(path)
    try:
        factors = {key: _changes(key, levels) for key, levels in study["factors"].items()}
    except WRONG as error:
        raise StudyDataError(f"{path}: factors: cannot be read: {error}") from None
    touching = {name: levels for name, levels in factors.items() if any(any(c) for _, c in levels)}
    pairs = [[n for n in pair if n in touching] for pair in study.get("paired") or ()]
    alone = [[name] for name in touching if not any(name in pair for pair in pairs)]
    steps = [
        list(zip(*(touching[name] for name in names), strict=False))
        for names in [*(pair for pair in pairs if pair), *alone]
    ]
    found: dict[str, DataConfig] = {}
    for levels in product(*steps):
        chosen = [level for step in levels for level in step]
        section = _section_of(study)
        for rank in range(RANKS):
            for _, changes in chosen:
                section = _changed(section, changes[rank])
        config = _validate(path, section)
        if config not in found.values():
            found[", ".join(label for label, _ in chosen) or "base"] = config
    return found


def _changes(name: str, levels: Any) -> list[Change]:
    """Label and changes of each level of a factor."""
    if isinstance(levels, list):
        section, _, field = name.partition(".")
        return [(f"{name}={x}", ({}, {}, {field: x} if section == "data" else {})) for x in levels]
    found: list[Change] = []
    for label, patch in (levels or {}).items():
        patch = patch or {}
        dotted = {k.removeprefix("data."): v for k, v in patch.items() if k.startswith("data.")}
        found.append((str(label), (dict(patch.get("data") or {}), dotted, {})))
    return found


def _changed(section: Section, changes: Section) -> Section:
    """Another dataset inherits nothing, as in the study itself."""
    name = section.get("name", "motion")
    return {**(section if changes.get("name", name) == name else {}), **changes}


def _validate(path: Path, section: Section) -> DataConfig:
    try:
        config: DataConfig = TypeAdapter(DataConfig).validate_python({"name": "motion", **section})
        return config
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["base.data", *map(str, first["loc"][1:])])
        raise StudyDataError(f"{path}: {key}: {first['msg']}") from None


def _section_of(study: Mapping[str, Any]) -> Section:
    return dict(_mapping(_mapping(study, "base"), "data"))


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return values.get(key) or {}


def _read(path: Path) -> dict[str, Any]:
    """A study file merged over that which it extends."""
    try:
        text = yaml.safe_load(path.read_text("utf-8")) or {}
        below = _read(path.parent / text["extends"]) if "extends" in text else {}
        merged = {**below, **text}
        merged["factors"] = {**_mapping(below, "factors"), **_mapping(text, "factors")}
        own = dict(_mapping(_mapping(text, "base"), "data"))
        merged["base"] = {"data": _changed(_section_of(below), own)}
        return merged
    except (
        yaml.YAMLError,
        OSError,
        AttributeError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        if isinstance(error, StudyDataError):
            raise
        line = " ".join(str(error).split())
        raise StudyDataError(f"{path}: cannot be read as a study file: {line}") from None
