"""Values that `match` chooses by counting, and where they are kept (study/match/cells.py).

    scaled/<hash>.json    cell -> value, by all that it depends on

Counts are made on the meta device, as for the plan, so that they are the same everywhere.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from study.match.search import around, nearest_value, valid_values, with_field
from study.match.words import amount, count_of
from study.plan.fingerprint import fingerprint_of
from study.plan.identity import architecture_digests
from study.records.files import write_atomic
from study.spec.grid import Cell
from study.spec.match import Matching, Scale
from study.spec.study import Study, StudyError, locate
from vlf.config import ConfigError, DataConfig, ModelConfig

VERSION = 1
T = TypeVar("T")

CostOf = Callable[[ModelConfig, DataConfig], float]  # raises ConfigError
Target = Cell | float | None  # None: not in the study


@dataclass(frozen=True)
class Scaling:
    """Cells of a study with `match`, before they are scaled.

    Attributes:
        study: Of the cells.
        match: Its section.
        cells: As `expand` gives them.
        scales: Cell name -> what of it may be scaled.
        targets: Cell name -> the cell that sets its cost, perhaps itself, or the cost.
    """

    study: Study
    match: Matching
    cells: Sequence[Cell]
    scales: Mapping[str, Scale | None]
    targets: Mapping[str, Target]

    def choose(self, find: Callable[[Cell, Scale, Cell | float], T]) -> dict[str, T]:
        """Cell name -> what `find` gives for a cell, its scale and its target, where both exist.

        Thousands of cells may share an architecture: it is asked once for each.
        """
        chosen: dict[str, T] = {}
        known: dict[str, T] = {}
        for cell in self.cells:
            scale, target = self.scales[cell.name], self.targets[cell.name]
            if scale is None or target is None:
                continue
            rest = {**cell.config.model.model_dump(mode="json"), scale.field: None}
            goal = target.name if isinstance(target, Cell) else target
            key = json.dumps([rest, _clip(cell.config.data), scale.name, goal], sort_keys=True)
            if key not in known:
                known[key] = find(cell, scale, target)
            chosen[cell.name] = known[key]
        return chosen

    def error(self, scale: Scale, text: str) -> StudyError:
        """An error at the key of a scale."""
        return self.study.error(("match", "by", scale.name), text)


def choose_values(scaling: Scaling) -> dict[str, int]:
    """Cell name -> value, of each cell that is scaled.

    Raises:
        StudyError: If no value is within the tolerance, or none can be built.
    """
    cost_of = counter_of(scaling.match)

    def find(cell: Cell, scale: Scale, target: Cell | float) -> int:
        if isinstance(target, float):
            return _solve(scaling, cell, scale, target, cost_of)
        try:
            wanted = cost_of(target.config.model, target.config.data)
        except ConfigError as error:
            raise locate(scaling.study, target, error) from None
        return _solve(scaling, cell, scale, wanted, cost_of)

    return scaling.choose(find)


def counter_of(match: Matching) -> CostOf:
    """Counts each architecture once."""
    from study.plan.preflight import count_model  # loads torch: not before something is counted

    seen: dict[str, float] = {}

    def cost_of(model: ModelConfig, data: DataConfig) -> float:
        key = json.dumps([model.model_dump(mode="json"), _clip(data)], sort_keys=True)
        if key not in seen:
            seen[key] = count_of(match, count_model(model, data))
        return seen[key]

    return cost_of


def cost_with(cost_of: CostOf, cell: Cell, scale: Scale, value: int) -> float | None:
    """Cost of a cell with another value; None if it cannot be built."""
    with contextlib.suppress(ConfigError):
        return cost_of(with_field(cell.config.model, scale.field, value), cell.config.data)
    return None


def _solve(scaling: Scaling, cell: Cell, scale: Scale, target: float, cost_of: CostOf) -> int:
    try:
        values = valid_values(cell.config.model, scale.field, scale.low, scale.high)
        best, costs = nearest_value(values, partial(cost_with, cost_of, cell, scale), target)
    except ValueError as error:
        raise scaling.error(scale, f"model.{scale.field}: {error} (cell {cell.name})") from None
    match = scaling.match
    if not match.is_near(costs[best] / target):
        told = " and ".join(
            f"{value} has {amount(costs[value])} ({costs[value] / target:.3f} times)"
            for value in around(costs, target)
        )
        wanted = f"{100 * match.within:g} % of {amount(target)} {match.metric_words}"
        message = f"no model.{scale.field} brings {cell.name} within {wanted}; nearest: {told}"
        raise scaling.error(scale, message)
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
