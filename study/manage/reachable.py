"""Needs of the studies known to a results folder: jobs, features, values of `match`.

A job is known by its identity, so that a record counts whichever code made it. Records of other
code go only where the job has one of this code: until then `--accept-code` would take them. No
torch, but for a study with `match` whose values are not kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from study.match.cells import match_cells, values_files
from study.plan.fingerprint import fingerprint_of
from study.plan.identity import (
    architecture_digests,
    features_identity,
    file_digests,
    train_identity,
)
from study.plan.other_records import place_of
from study.plan.planner import CostPlace, cost_key
from study.records.record import Kind, Record, variant_of
from study.spec.grid import Cell, expand
from study.spec.study import Study, StudyError
from vlf.config import ConfigError, RunConfig

NOWHERE = CostPlace("cpu", "", "", "")
UNKNOWN_JOB = "no study known here has this job"


@dataclass
class Needs:
    """Needs of all studies that were added.

    Attributes:
        variants: (kind, identity) of a train or tune job -> variants that plans of this code ask
            for; more than one where studies say a path differently.
        runs: The same jobs whatever the files hold that they read.
        features: Names of folders of features.
        scaled: Names of files of what `match` chose.
        costs: Each architecture with the clips and protocol it is timed with.
    """

    variants: dict[tuple[Kind, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    runs: set[str] = field(default_factory=set)
    features: set[str] = field(default_factory=set)
    scaled: set[str] = field(default_factory=set)
    costs: dict[str, tuple[Study, Cell]] = field(default_factory=dict)
    _at: dict[CostPlace, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def add(self, study: Study, device: str, root: Path) -> None:
        """Add the needs of a study that is run on a device type.

        Raises:
            StudyError: If that cannot be told: a cell is wrong, or what it reads is not here.
        """
        cells = expand(study)
        self.scaled |= {path.name for path in values_files(study, cells, root)}
        cells = match_cells(study, cells, root)
        try:
            for kind, config, seed in _runs(study, cells):
                self._add_run(kind, config, seed, device)
            for cell in cells:
                architecture_digests(cell.config.model.untrained())
                self.costs[cost_key(study, cell, NOWHERE).identity] = study, cell
        except ConfigError as error:
            raise StudyError(f"{study.path}: what it reads is not here: {error}") from None

    def _add_run(self, kind: Kind, config: RunConfig, seed: int, device: str) -> None:
        identity = train_identity(config, seed, device, file_digests(config), kind)
        full = config.model_dump(mode="json")
        self.variants[kind, identity].add(variant_of(fingerprint_of(config, "train"), full))
        self.runs.add(train_identity(config, seed, device, {}, kind))
        if config.train.stored_views:
            self.features.add(features_identity(config))

    def has_stem(self, stem: str) -> bool:
        """Whether `identity.variant` is a train or tune job of this code and these studies."""
        identity, _, variant = stem.partition(".")
        return any(variant in self.variants.get((kind, identity), ()) for kind in ("train", "tune"))

    def architecture_of(self, record: Record) -> tuple[str, bool] | None:
        """Architecture of a cost record among `costs`, and whether this code would make it."""
        place = place_of(record)
        if place not in self._at:
            keys = {name: cost_key(*one, place) for name, one in self.costs.items()}
            self._at[place] = {key.identity: (name, key.variant) for name, key in keys.items()}
        found = self._at[place].get(record.identity)
        if found is None:
            return None
        is_current = found[1] == variant_of(record.fingerprint, record.config)
        return found[0], is_current and place.torch == version("torch")

    def has_run(self, record: Record) -> bool:
        """Whether a job is the record's but for what is in files, such as lists that changed."""
        try:
            config = RunConfig.model_validate(dict(record.config))
        except ValidationError:  # of a version whose keys this one does not have
            return False
        bare = train_identity(config, record.seed or 0, record.device, {}, record.kind)
        return bare in self.runs


def _runs(study: Study, cells: Iterable[Cell]) -> Iterator[tuple[Kind, RunConfig, int]]:
    """Runs of a study, including all runs that tuning may choose or has chosen."""
    for cell in cells:
        if study.tune is None:
            yield from (("train", cell.config, seed) for seed in study.seeds)
            continue
        for trial in cell.trials if study.seeds else ():
            yield from (("tune", trial.short, seed) for seed in study.tune.seeds)
            yield from (("train", trial.full, seed) for seed in study.seeds)


class Verdicts:
    """Records of a folder that are not needed, with the reason.

    Args:
        needs: Of the studies.
        records: All that the folder has: file name -> record.
        since: What is older may be of a study from before the folder kept them.
    """

    def __init__(
        self, needs: Needs, records: dict[str, Record], since: datetime | None = None
    ) -> None:
        self.needs, self.since = needs, since
        done = [one for one in records.values() if one.status == "done"]
        self._done = {
            (one.kind, one.identity, variant_of(one.fingerprint, one.config)) for one in done
        }
        self._timed = {
            (found[0], _device_of(one))
            for one in done
            if one.kind == "cost" and (found := needs.architecture_of(one)) and found[1]
        }

    def why(self, name: str, record: Record) -> str:
        """Reason why a record may be removed; "" if it is needed."""
        if record.kind == "cost":
            return self._why_cost(record)
        variants = self.needs.variants.get((record.kind, record.identity))
        if variants is None:
            return "" if self.needs.has_run(record) or self._is_old(record) else UNKNOWN_JOB
        own = variant_of(record.fingerprint, record.config)
        is_made = all((record.kind, record.identity, one) in self._done for one in variants)
        if record.status == "failed":
            if ".forgiven." in name:
                return "failed, and not counted any more (--retry-failed)"
            if own not in variants:
                return "failed, made by other code or defaults"
            return "failed, and done since" if is_made else ""
        return "made by other code or defaults, and again since" * (is_made and own not in variants)

    def _why_cost(self, record: Record) -> str:
        found = self.needs.architecture_of(record)
        if found is None:
            is_told = "device_model" in record.environment  # not of a timing that died early
            return UNKNOWN_JOB if is_told and not self._is_old(record) else ""
        if (found[0], _device_of(record)) not in self._timed:
            return ""
        if record.status == "failed":
            return "failed, and done since"
        return "" if found[1] else "made by other code, defaults or torch, and again since"

    def _is_old(self, record: Record) -> bool:
        if self.since is None:
            return False
        try:
            return datetime.fromisoformat(record.started) < self.since
        except (ValueError, TypeError):
            return True


def _device_of(record: Record) -> CostPlace:
    return place_of(record)._replace(torch="")
