"""Keys of a study's jobs, which name their records. No torch.

Cells share sections (spec/run_config.py), and there may be thousands of them: what is the same
for many is worked out once.
"""

from collections.abc import Iterable

from study.plan.fingerprint import fingerprint_of
from study.plan.identity import (
    architecture_digests,
    config_text,
    config_values,
    cost_identity,
    file_digests,
    train_identity,
)
from study.plan.jobs import CostPlace
from study.records.record import Kind, variant_of_text
from study.records.store import Key
from study.spec.grid import Cell
from study.spec.study import Study
from vlf.config import ConfigError, RunConfig


class RunKeys:
    """Names train and tune jobs; the files that they read are looked at once."""

    def __init__(self, device: str) -> None:
        self._device = device
        # By identity of the objects, which are kept so that none is taken for another.
        self._files: dict[tuple[int, int], tuple[RunConfig, dict[str, str], str]] = {}

    def of(self, kind: Kind, config: RunConfig, seed: int) -> tuple[Key, str]:
        """The key of a run, and which of its data are not here; mostly "".

        Data may be on another machine than the plan; then the key names no record.
        """
        sections = id(config.data), id(config.model)
        if sections not in self._files:
            try:
                self._files[sections] = config, file_digests(config), ""
            except ConfigError as error:
                self._files[sections] = config, {"absent": "yes"}, str(error)
        _, digests, absent = self._files[sections]
        identity = train_identity(config, seed, self._device, digests, kind)
        code = fingerprint_of(config, "train")
        key = Key(kind, identity, code, config_values(config))
        return key.with_variant(variant_of_text(code, config_text(config))), absent


def cost_keys(study: Study, cells: Iterable[Cell], place: CostPlace) -> dict[str, Key]:
    """Cell name -> key of its cost records at a place."""
    keys: dict[str, Key] = {}
    known: dict[tuple[object, ...], tuple[Cell, Key]] = {}
    for cell in cells:
        data = cell.config.data
        architecture = (id(cell.config.model), data.frames, data.size, data.classes)
        if architecture not in known:
            known[architecture] = cell, cost_key(study, cell, place)
        keys[cell.name] = known[architecture][1]
    return keys


def cost_key(study: Study, cell: Cell, place: CostPlace) -> Key:
    """Key of a cell's cost records at a place."""
    data, protocol = cell.config.data, study.cost
    clip = {"frames": data.frames, "size": data.size, "classes": data.classes}
    architecture = cell.config.model.untrained()
    try:
        digests = architecture_digests(architecture)
    except ConfigError:  # on another machine than the plan
        digests = {"absent": "yes"}
    identity = cost_identity(
        architecture, clip, protocol, place.model, place.device, place.torch, digests, place.name
    )
    config = {
        "model": architecture.model_dump(mode="json"),
        "clip": clip,
        "protocol": protocol.model_dump(mode="json"),
    }
    return Key("cost", identity, fingerprint_of(cell.config, "cost"), config)
