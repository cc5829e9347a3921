"""Full-length hashes that name a job by everything that can change its numbers. No torch.

Only options that differ from their defaults count, and the `name` of a section: a new option with a
default renames no record. (A changed default is seen in the stored full config.) Files count by
content, not by path.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_origin

from pydantic.fields import FieldInfo

from study.plan.fingerprint import views_fingerprint
from study.records.record import Kind
from study.spec.factors import SECTIONS
from study.spec.settings import CostConfig
from vlf.config import Config, ConfigError, DataConfig, ModelConfig, RunConfig

IDENTITY_VERSION = 1
_SORTED = json.JSONEncoder(sort_keys=True, allow_nan=False)

FOLDER = "root"  # the field of a dataset that names the folder of its files
VIDEOS = "videos"  # and of its videos, which are trusted to be what they were

_described: dict[int, "_Described"] = {}  # by id of the section: thousands of cells share them
_digests: dict[tuple[str, int, int], str] = {}  # (path, bytes, mtime in ns) -> sha256


def train_identity(
    config: RunConfig,
    seed: int,
    device: str,
    digests: Mapping[str, str],
    kind: Kind = "train",
) -> str:
    """Name of one training run: its config, seed, device type, and the files it reads.

    Files count by `digests`, from `file_digests`; the index of a device does not count. A run that
    is scored on validation alone is another job, of kind "tune".
    """
    sections = {section: _said(getattr(config, section)) for section in SECTIONS}
    return _hash(
        {
            "kind": kind,
            **sections,
            "seed": seed,
            "device": device.partition(":")[0],
            "files": dict(digests),
        }
    )


def cost_identity(
    model: ModelConfig,
    clip: Mapping[str, Any],
    protocol: CostConfig,
    device_model: str,
    device: str,
    torch_version: str,
    digests: Mapping[str, str],
    device_name: str = "",
) -> str:
    """Name of one architecture's cost on one device model; seeds and training do not change it.

    `clip` is frames, size and classes; `digests` are those of `architecture_digests`; a device
    model is a name such as "AMD EPYC 7B13", and the index of a device does not count.
    """
    files = {"files": dict(digests)} if digests else {}
    named = {"device_name": device_name} if device_name else {}
    return _hash(
        {
            "kind": "cost",
            **files,
            **named,
            "model": _said(model),
            "clip": dict(clip),
            "protocol": _said(protocol),
            "device_model": device_model,
            "device": device.partition(":")[0],
            "torch": torch_version,
        }
    )


def config_values(config: RunConfig) -> dict[str, Any]:
    """The full config, defaults included, as plain JSON values; shared, so never change it."""
    return {section: _describe(getattr(config, section)).values for section in SECTIONS}


def config_text(config: RunConfig) -> str:
    """`config_values` as JSON, keys sorted."""
    texts = (f'"{name}": {section_text(getattr(config, name))}' for name in sorted(SECTIONS))
    return "{" + ", ".join(texts) + "}"


def section_text(section: Config) -> str:
    """A section as JSON, defaults included and keys sorted."""
    return _describe(section).text


def file_digests(config: RunConfig) -> dict[str, str]:
    """Role ("data.train", "model.pretrained") -> sha256 of each file that the run reads.

    In a folder ("model.weights") each file has a role, "model.weights/config.json". A process reads
    a file again only if its size or time of change differs, and asks a dataset for its other
    `digests` once.

    Raises:
        ConfigError: With the key that names a file which is missing or unreadable.
    """
    found = {}
    for section in ("data", "model"):
        _check_names(section, getattr(config, section))
        for role, path in _roles(getattr(config, section)).items():
            key = f"{section}.{_field_of(role)}"
            try:
                found[f"{section}.{role}"] = _digest(path)
            except OSError as error:
                missing = isinstance(error, FileNotFoundError)
                message = f"{path} cannot be read ({error.strerror})"
                raise ConfigError(key, f"no such file: {path}" if missing else message) from None
    return found | {f"data.{role}": digest for role, digest in _state(config.data).items()}


def _check_names(section: str, config: Config) -> None:
    try:
        _list_files(config)
    except OSError as error:  # a name that no file system takes
        raise ConfigError(section, f"names a file that cannot be read ({error})") from None


def features_identity(config: RunConfig) -> str:
    """Name of the views of a run's clips, whose features are cached (vlf/features.py).

    It depends on data, files and code, and not on seed, model or recipe; vlf/features.py adds the
    backbone.

    Raises:
        ConfigError: As `file_digests`.
    """
    files = {key: value for key, value in file_digests(config).items() if key.startswith("data.")}
    code = views_fingerprint(config.data.name)
    return _hash({"kind": "features", "data": _said(config.data), "files": files, "code": code})


def architecture_digests(model: ModelConfig) -> dict[str, str]:
    """Digests of the files that define an architecture; mostly none.

    Raises:
        ConfigError: If one of them is missing or unreadable.
    """
    if getattr(model, "folder", None) is None:
        return {}
    config = RunConfig(model=model.untrained())
    return {
        role: digest for role, digest in file_digests(config).items() if role.startswith("model.")
    }


@cache
def _state(data: DataConfig) -> dict[str, str]:
    """Digests of a dataset; listing a folder of 240,000 videos takes a second."""
    return data.digests()


def _digest(path: Path) -> str:
    state = path.stat()
    known = (str(path.resolve()), state.st_size, state.st_mtime_ns)
    if known not in _digests:
        with path.open("rb") as stream:
            _digests[known] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _digests[known]


def _files(section: Config) -> tuple[Path, ...]:
    """Files of a config section; empty if a path is invalid (`_check_names` reports it)."""
    try:
        return _list_files(section)
    except OSError:
        return ()


def _list_files(section: Config) -> tuple[Path, ...]:
    return tuple(section.files()) if hasattr(section, "files") else ()


def _roles(section: Config) -> dict[str, Path]:
    """Field -> the file that its value names, alone or inside the folder of another field.

    "field/name" -> a file of the folder that the field's value names.
    """
    roles: dict[str, Path] = {}
    for position, path in enumerate(_files(section)):
        named = [name for name, value in _texts(section) if path in _paths(section, value)]
        named = named or [
            f"{name}/{path.name}"
            for name, value in _texts(section)
            if name != FOLDER and path.parent in _paths(section, value)
        ]
        roles.update(dict.fromkeys(named or [f"file {position}"], path))
    return roles


def _field_of(role: str) -> str:
    return role.partition("/")[0]


def _texts(section: Config) -> list[tuple[str, str]]:
    """Fields that may name a file; a value among a few that are allowed does not."""
    fields = type(section).model_fields.items()
    names = [name for name, field in fields if get_origin(field.annotation) is not Literal]
    found = [(name, getattr(section, name)) for name in names]
    return [(name, value) for name, value in found if isinstance(value, str) and value]


def _paths(section: Config, value: str) -> tuple[Path, Path]:
    return Path(value), Path(getattr(section, FOLDER, "")) / value


class _Described(NamedTuple):
    section: Config  # which never changes; kept, so that its id is nobody else's
    values: dict[str, Any]  # all, as plain JSON values
    text: str  # these as JSON, keys sorted
    said: dict[str, Any]  # those that differ from the defaults, less those that are paths


def _describe(section: Config) -> _Described:
    known = _described.get(id(section))
    if known is None:
        paths = {FOLDER, VIDEOS, *map(_field_of, _roles(section))}
        values = section.model_dump(mode="json")
        said = {
            name: values[name]
            for name, field in type(section).model_fields.items()
            if name == "name" or (name not in paths and getattr(section, name) != _default(field))
        }
        known = _Described(section, values, json.dumps(values, sort_keys=True), said)
        _described[id(section)] = known
    return known


def _said(section: Config) -> dict[str, Any]:
    return _describe(section).said


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _hash(values: Mapping[str, Any]) -> str:
    text = _SORTED.encode({"version": IDENTITY_VERSION, **values})
    return hashlib.sha256(text.encode()).hexdigest()
