"""Cells scaled to equal cost (`match`, study/matching.py): which value of a key comes nearest.

Costs are counted on the meta device, as for the plan. What was chosen is kept in the results folder
when a study is run, by all that it depends on, so that a report of it loads no torch.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.counts import CellCounts
from study.fingerprint import fingerprint_of
from study.grid import Cell, Matched, expand
from study.identity import architecture_digests
from study.matching import Matching, Scale
from study.spec import Study, locate
from study.store import new_attempt, write_synced
from study.value_search import around, nearest_value, valid_values, whole_fields, with_field
from vlf.config import ConfigError, DataConfig, ModelConfig, RunConfig

VERSION = 1

CostOf = Callable[[ModelConfig, DataConfig], float]  # raises ConfigError
Target = Cell | float | None  # None: not in the study


def match_cells(study: Study, cells: Sequence[Cell], root: Path) -> list[Cell]:
    """The cells, scaled as the study asks; as they are where it asks for nothing.

    Args:
        study: Of the cells.
        cells: As `expand` gives them.
        root: The results folder, where values may be kept.

    Raises:
        StudyError: If a cell has no target, no such key, or no value within the tolerance, or if
            two cells come to the same run.
    """
    if study.match is None:
        return list(cells)
    _check_used(study, study.match, cells)
    scales = {cell.name: _scale_of(study, study.match, cell) for cell in cells}
    targets = _targets(study.match, cells)
    for cell in cells:
        if scales[cell.name] is not None and targets[cell.name] is None:
            raise _no_target(study, study.match, cell)
    values = _read(values_path(study.match, cells, root), cells, scales)
    if values is None:
        values = _choose(study, study.match, cells, scales, targets)
    matched = [_scale(cell, scales[cell.name], targets[cell.name], values) for cell in cells]
    _check_distinct(study, matched)
    return matched


def keep_values(study: Study, matched: Sequence[Cell], root: Path) -> None:
    """Write down what was chosen for a study that is about to run.

    Raises:
        OSError: If the folder cannot be written.
    """
    if study.match is None:
        return
    path = values_path(study.match, expand(study), root)
    if path.exists():
        return
    chosen = {cell.name: cell.matched.value for cell in matched if cell.matched}
    values = {name: value for name, value in chosen.items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{new_attempt()}")
    write_synced(draft, json.dumps({"values": values}, indent=1).encode())
    os.replace(draft, path)


def _check_used(study: Study, match: Matching, cells: Sequence[Cell]) -> None:
    """An entry that names no cell does not say what its author thinks."""
    for scale in match.by:
        if not any(scale.covers(cell.levels, cell.config.model.name) for cell in cells):
            raise study.error(("match", "by", scale.name), "names no cell of the study")


def _scale_of(study: Study, match: Matching, cell: Cell) -> Scale | None:
    """What may be scaled of a cell; None where it stays as it is."""
    found = match.scales_of(cell.levels, cell.config.model.name)
    if len(found) > 1:
        names = " and ".join(f'"{one.name}"' for one in found)
        raise study.error(("match", "by"), f"{names} both name the cell {cell.name}")
    if not found or not found[0].field:
        return None
    scale, whole = found[0], whole_fields(cell.config.model)
    if scale.field not in whole:
        name, allowed = cell.config.model.name, ", ".join(f"model.{one}" for one in whole)
        message = f'{name} has no whole number "model.{scale.field}" (allowed: {allowed or "none"})'
        raise study.error(("match", "by", scale.name), f"{message} (cell {cell.name})")
    return scale


def _targets(match: Matching, cells: Sequence[Cell]) -> dict[str, Target]:
    """Cell name -> the cell that sets its cost, perhaps itself, or the cost."""
    if isinstance(match.to, float):
        return {cell.name: match.to for cell in cells}
    by_levels = {tuple(cell.levels.items()): cell for cell in cells}
    return {
        cell.name: by_levels.get(tuple((match.target_of(cell.levels) or {}).items()))
        for cell in cells
    }


def _no_target(study: Study, match: Matching, cell: Cell) -> Exception:
    levels = match.target_of(cell.levels) or {}
    wanted = ", ".join(f"{name}={label}" for name, label in levels.items())
    left_out = ", ".join(f"{name}: {label}" for name, label in cell.levels.items())
    message = f'"{wanted}", which sets the cost of "{cell.name}", is no cell of the study'
    return study.error(("match", "to"), f"{message}; leave it out with exclude: [{{{left_out}}}]")


def _scale(cell: Cell, scale: Scale | None, target: Target, values: Mapping[str, int]) -> Cell:
    name = target.name if isinstance(target, Cell) else ""
    if scale is None:
        return dataclasses.replace(cell, matched=Matched("", None, name))
    value = values[cell.name]
    model = with_field(cell.config.model, scale.field, value)
    trials = tuple(
        dataclasses.replace(
            one, short=_with_model(one.short, model), full=_with_model(one.full, model)
        )
        for one in cell.trials  # none of them changes the model
    )
    return dataclasses.replace(
        cell,
        config=_with_model(cell.config, model),
        trials=trials,
        matched=Matched(f"model.{scale.field}", value, name),
    )


def _with_model(config: RunConfig, model: ModelConfig) -> RunConfig:
    return config.model_copy(update={"model": model})


def _check_distinct(study: Study, cells: Sequence[Cell]) -> None:
    if study.quick:
        return  # as in study/grid.py
    seen: dict[str, Cell] = {}
    for cell in cells:
        run = cell.config.model_dump_json()
        if run in seen:
            message = f'scaled, "{seen[run].name}" and "{cell.name}" are the same run; take one out'
            raise study.error(("match", "by"), f"{message} (exclude)")
        seen[run] = cell


def _choose(
    study: Study,
    match: Matching,
    cells: Sequence[Cell],
    scales: Mapping[str, Scale | None],
    targets: Mapping[str, Target],
) -> dict[str, int]:
    """Cell name -> value, of each cell that is scaled."""
    cost_of = _counter(match)
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


def _counter(match: Matching) -> CostOf:
    """Counts each architecture once."""
    from study.preflight import count_model  # loads torch, so not before something is to be counted

    seen: dict[str, float] = {}

    def cost_of(model: ModelConfig, data: DataConfig) -> float:
        key = json.dumps([model.model_dump(mode="json"), _clip(data)], sort_keys=True)
        if key not in seen:
            seen[key] = _count_of(match, count_model(model, data))
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


def ratio_to_target(match: Matching, cell: Cell, counts: Mapping[str, CellCounts]) -> float | None:
    """A cell's cost as a multiple of its target's; None where it has none."""
    if cell.matched is None:
        return None
    target = match.to if isinstance(match.to, float) else None
    if cell.matched.target:
        target = _count_of(match, counts[cell.matched.target])
    return _count_of(match, counts[cell.name]) / target if target else None


def matched_words(match: Matching, cell: Cell, counts: Mapping[str, CellCounts]) -> str:
    """What a plan says of a cell: what was chosen for it, and how near that comes."""
    ratio, matched = ratio_to_target(match, cell, counts), cell.matched
    if matched is None or ratio is None:
        return "-"
    if matched.target == cell.name:
        return "target"
    what = f"{matched.key.removeprefix('model.')} {matched.value}" if matched.key else "as it is"
    return f"{what}, {ratio:.3f}\N{MULTIPLICATION SIGN}"


def _count_of(match: Matching, counts: CellCounts) -> float:
    return counts.macs if match.metric == "macs" else float(counts.parameters)


def amount(count: float) -> str:
    """A count to four digits, as "51.23 M"."""
    for factor, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= factor:
            return f"{count / factor:.4g}{prefix}"
    return f"{count:.4g}"


def _clip(data: DataConfig) -> dict[str, int]:
    """What of the data a count depends on."""
    return {"frames": data.frames, "size": data.size, "classes": data.classes}


def values_path(match: Matching, cells: Sequence[Cell], root: Path) -> Path:
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
    """Of files that decide on an architecture; of one that is not here none, as it is not built."""
    try:
        return architecture_digests(model)
    except ConfigError:
        return {}


def _read(
    path: Path, cells: Sequence[Cell], scales: Mapping[str, Scale | None]
) -> dict[str, int] | None:
    """What was chosen before; None if nothing was, or nothing that these cells can have."""
    try:
        values: dict[str, int] = json.loads(path.read_text("utf-8"))["values"]
        for cell in cells:
            if (scale := scales[cell.name]) is not None:
                with_field(cell.config.model, scale.field, values[cell.name])
    except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: chosen anew
        return None
    return values
