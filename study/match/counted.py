"""Values that `match` chooses by counting, and where they are kept (study/match/cells.py).

    scaled/<hash>.json    cell -> value, by all that it depends on

Counts are made on the meta device, as for the plan, so that they are the same everywhere.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.match.search import around, nearest_value, valid_values, with_field
from study.match.words import amount, count_of
from study.plan.fingerprint import fingerprint_of
from study.plan.identity import architecture_digests
from study.records.files import write_atomic
from study.spec.grid import Cell
from study.spec.match import Matching, Scale
from study.spec.study import Study, locate
from vlf.config import ConfigError, DataConfig, ModelConfig

VERSION = 1

CostOf = Callable[[ModelConfig, DataConfig], float]  # raises ConfigError
Target = Cell | float | None  # None: not in the study


def choose_values(
    study: Study,
    match: Matching,
    cells: Sequence[Cell],
    scales: Mapping[str, Scale | None],
    targets: Mapping[str, Target],
) -> dict[str, int]:
    """Cell name -> value, of each cell that is scaled.

    Raises:
        StudyError: If no value is within the tolerance, or none can be built.
    """
    cost_of = counter_of(match)
    values = {}
    chosen: dict[str, int] = {}  # thousands of cells may share an architecture
    for cell in cells:
        scale, target = scales[cell.name], targets[cell.name]
        if scale is None or target is None:
            continue
        wanted = target if isinstance(target, float) else _cost_of_cell(study, target, cost_of)
        rest = {**cell.config.model.model_dump(mode="json"), scale.field: None}
        key = json.dumps([rest, _clip(cell.config.data), scale.name, wanted], sort_keys=True)
        if key not in chosen:
            chosen[key] = _solve(study, match, cell, scale, wanted, cost_of)
        values[cell.name] = chosen[key]
    return values


def counter_of(match: Matching) -> CostOf:
    """Counts each architecture once."""
    from study.plan.preflight import (
        count_model,  # loads torch, so not before something is to be counted
    )

    seen: dict[str, float] = {}

    def cost_of(model: ModelConfig, data: DataConfig) -> float:
        key = json.dumps([model.model_dump(mode="json"), _clip(data)], sort_keys=True)
        if key not in seen:
            seen[key] = count_of(match, count_model(model, data))
        return seen[key]

    return cost_of


def _cost_of_cell(study: Study, cell: Cell, cost_of: CostOf) -> float:
    try:
        return cost_of(cell.config.model, cell.config.data)
    except ConfigError as error:
        raise locate(study, cell, error) from None


def _solve(
    study: Study, match: Matching, cell: Cell, scale: Scale, target: float, cost_of: CostOf
) -> int:
    key, model = ("match", "by", scale.name), cell.config.model

    def cost(value: int) -> float | None:
        with contextlib.suppress(ConfigError):
            return cost_of(with_field(model, scale.field, value), cell.config.data)
        return None

    try:
        values = valid_values(model, scale.field, scale.low, scale.high)
        best, costs = nearest_value(values, cost, target)
    except ValueError as error:
        raise study.error(key, f"model.{scale.field}: {error} (cell {cell.name})") from None
    if not match.is_near(costs[best] / target):
        told = " and ".join(
            f"{value} has {amount(costs[value])} ({costs[value] / target:.3f} times)"
            for value in around(costs, target)
        )
        wanted = f"{100 * match.within:g} % of {amount(target)} {match.metric_words}"
        message = f"no model.{scale.field} brings {cell.name} within {wanted}; nearest: {told}"
        raise study.error(key, message)
    return best


def _clip(data: DataConfig) -> dict[str, int]:
    """Properties of the data that a count depends on."""
    return {"frames": data.frames, "size": data.size, "classes": data.classes}


def counted_path(match: Matching, cells: Sequence[Cell], root: Path) -> Path:
    """The file of what is chosen for cells as they are before."""
    parts = [
        [
            cell.name,
            cell.config.model.model_dump(mode="json"),
            _clip(cell.config.data),
            fingerprint_of(cell.config, "cost"),
            _digests(cell.config.model),
        ]
        for cell in cells
    ]
    asked: dict[str, Any] = dataclasses.asdict(match)
    text = json.dumps([VERSION, asked, parts], sort_keys=True)
    return root / "scaled" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def _digests(model: ModelConfig) -> dict[str, str]:
    """Digests of files that an architecture depends on; none for missing files."""
    try:
        return architecture_digests(model)
    except ConfigError:
        return {}


def read_counted(
    path: Path, cells: Sequence[Cell], scales: Mapping[str, Scale | None]
) -> dict[str, int] | None:
    """Stored choice of values; None if it is missing or does not fit these cells."""
    try:
        values: dict[str, int] = json.loads(path.read_text("utf-8"))["values"]
        for cell in cells:
            if (scale := scales[cell.name]) is not None:
                with_field(cell.config.model, scale.field, values[cell.name])
    except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: chosen anew
        return None
    return values


def write_counted(path: Path, values: Mapping[str, int]) -> None:
    """Keep what was chosen.

    Raises:
        OSError: If the folder cannot be written.
    """
    write_atomic(path, json.dumps({"values": values}, indent=1))
