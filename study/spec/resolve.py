"""From the base and one level of each factor to a validated run, remembering what set what.

Levels are applied in four ranks, and within a rank in the file's order of factors:
0, whole sections (and `model.name`) of labelled levels; 1, dotted-key factors of a `name`;
2, dotted keys of labelled levels; 3, dotted-key factors. So `model.width: [32, 64]` widens
whichever architecture a variant chose, and a column named by a dotted key shows the run's value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from study.spec.errors import InvalidError, validate
from study.spec.factors import SECTIONS, Level, default_name, validate_section
from study.spec.settings import RESOURCES, ResourceSettings
from study.spec.yaml_nodes import OVERRIDE, Key, StudyError, complain
from vlf.config import RunConfig

Base = Mapping[str, Mapping[str, Any]]
Places = Mapping[Key, str]


@dataclass(frozen=True)
class Draft:
    """A run that is not validated yet.

    Attributes:
        values: Section -> field -> value; what is not set has its default.
        origins: (section, field) -> key of the file that set it.
        chosen: Section -> key of the level that chose its `name`, where one did.
        resources: Settings of the executor that levels change.
    """

    values: dict[str, dict[str, Any]]
    origins: dict[tuple[str, str], Key]
    chosen: dict[str, Key] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)


def draft_run(base: Base, levels: Iterable[Level]) -> Draft:
    """Apply one level of each factor, given in the file's order, to the base."""
    values = {section: dict(base[section]) for section in SECTIONS}
    draft = Draft(
        values,
        {(section, key): ("base", section, key) for section in base for key in base[section]},
    )
    settings = [setting for level in levels for setting in level.settings]
    for setting in sorted(settings, key=lambda one: one.rank):
        section, name = setting.section, setting.field
        draft.origins[section, name] = setting.key
        if section == RESOURCES:
            draft.resources[name] = setting.value
            continue
        if name == "name" and setting.value != values[section].get("name", default_name(section)):
            # Another architecture inherits nothing: a key of the same name may mean another thing.
            values[section].clear()
            for stale in [at for at in draft.origins if at[0] == section and at[1] != "name"]:
                del draft.origins[stale]
            draft.chosen[section] = setting.key
        values[section][name] = setting.value
    return draft


def resolve(draft: Draft) -> tuple[RunConfig, str]:
    """The run, and a text that is equal for equal runs.

    Raises:
        InvalidError: With the dotted key inside the run, such as ("model", "width").
    """
    configs: dict[str, Any] = {}
    texts = []
    for section in SECTIONS:
        try:
            configs[section], text = validate_section(section, draft.values[section])
        except InvalidError as error:
            raise InvalidError((section, *error.key), error.message, error.kind) from None
        texts.append(text)
    if draft.resources:
        try:
            validate(ResourceSettings, draft.resources)
        except InvalidError as error:
            raise InvalidError((RESOURCES, *error.key), error.message, error.kind) from None
    return validate(RunConfig, configs), "\n".join(texts)


def fault(
    draft: Draft, error: InvalidError, places: Places, levels: Mapping[str, str]
) -> StudyError:
    """The complaint about a cell, at the line that is to blame; `levels` are the cell's.

    That is the line that set the key (of several keys that the message holds against each other,
    one that a level or an override set), else the level that chose the architecture, else the base.
    """
    section, name = (*map(str, error.key[:2]), "", "")[:2]
    blamed = _blamed(draft, section, name, error.message, places)
    message = error.message
    if (
        error.kind == "unknown"
        and section in draft.chosen
        and blamed[:3] != draft.chosen[section][:3]
    ):
        message = _unusable(draft, section, name, blamed, draft.chosen[section], levels)
    elif blamed not in (draft.origins.get((section, name)), ("base", section, name)):
        message = ": ".join(filter(None, (".".join(filter(None, (section, name))), message)))
    else:
        blamed = (*blamed, *error.key[2:])
    cell = ", ".join(f"{factor}={label}" for factor, label in levels.items())
    if cell and error.kind != "value":
        message = f"{message} (cell {cell})"
    return complain(place_of(places, blamed), blamed, message)


def place_of(places: Places, key: Key) -> str:
    """The line of a key, or of the nearest thing around it."""
    while key and key not in places:
        key = key[:-1]
    return places.get(key, "")


def _blamed(draft: Draft, section: str, name: str, message: str, places: Places) -> Key:
    candidates = [(section, name)]
    for (other, key), _ in draft.origins.items():
        value = re.escape(str(draft.values.get(other, {}).get(key)))
        dotted_key = rf"(?<![\w.]){other}\.{re.escape(key)}\b"
        beside_value = rf"(?<![\w.]){re.escape(key)} {value}(?!\w)"
        if re.search(dotted_key, message) or (
            other == section and re.search(beside_value, message)
        ):
            candidates.append((other, key))
    found = [draft.origins[one] for one in candidates if one in draft.origins]
    if found:  # the first of those that stand closest to the cell
        return max(found, key=lambda key: (key[0] == "factors", places.get(key) == OVERRIDE))
    return draft.chosen.get(section, ("base", *filter(None, (section, name))))


def _unusable(
    draft: Draft, section: str, name: str, blamed: Key, chosen: Key, levels: Mapping[str, str]
) -> str:
    factors = {str(key[1]): levels.get(str(key[1]), "") for key in (chosen, blamed)}
    match = ", ".join(f"{factor}: {label}" for factor, label in factors.items())
    architecture = draft.values[section].get("name", default_name(section))
    return (
        f'{architecture} has no "{section}.{name}"; '
        f"leave such cells out with exclude: [{{{match}}}]"
    )
