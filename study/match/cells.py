"""Cells scaled to equal cost (`match`, study/spec/match.py): which value of a key comes nearest.

Costs are counted on the meta device, as for the plan. What was chosen is kept in the results folder
when a study is run, by all that it depends on, so that a report of it loads no torch. A latency is
not counted: study/match/resolve.py times it before a study is run.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from study.match.counted import (
    Scaling,
    Target,
    choose_values,
    counted_path,
    read_counted,
    write_counted,
)
from study.match.search import whole_fields, with_field
from study.spec.grid import Cell, Matched
from study.spec.match import Matching, Scale
from study.spec.study import Study
from vlf.config import RunConfig


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
    scaling = scaling_of(study, study.match, cells)
    if study.match.is_timed:
        out = study.path.with_name(f"{study.path.stem}_resolved.yaml")
        command = f"python run_study.py {study.path} --resolve {out}"
        raise study.error(
            ("match", "metric"),
            f"a latency is matched before the study is run: {command}; then run {out.name}",
        )
    values = read_counted(counted_path(study.match, cells, root), cells, scaling.scales)
    return with_values(scaling, choose_values(scaling) if values is None else values)


def with_values(scaling: Scaling, values: Mapping[str, int]) -> list[Cell]:
    """Scale cells to the values that were chosen, by name.

    Raises:
        StudyError: If two cells come to the same run.
    """
    matched = [
        _scale(cell, scaling.scales[cell.name], scaling.targets[cell.name], values)
        for cell in scaling.cells
    ]
    _check_distinct(scaling.study, matched)
    return matched


def values_files(study: Study, cells: Sequence[Cell], root: Path) -> list[Path]:
    """Paths of the stored choices of `match`, which may not exist yet.

    Raises:
        StudyError: As `match_cells`, but for the tolerance.
    """
    if study.match is None:
        return []
    return [counted_path(study.match, cells, root)]


def scaling_of(study: Study, match: Matching, cells: Sequence[Cell]) -> Scaling:
    """The key of each cell that may be scaled, and the cost to reach.

    Raises:
        StudyError: If an entry names no cell, or a cell has no target or no such key.
    """
    for scale in match.by:  # an entry that names no cell does not say what its author thinks
        if not any(scale.covers(cell.levels, cell.config.model.name) for cell in cells):
            raise study.error(("match", "by", scale.name), "names no cell of the study")
    scales = {cell.name: _scale_of(study, match, cell) for cell in cells}
    targets = _targets(match, cells)
    for cell in cells:
        if scales[cell.name] is not None and targets[cell.name] is None:
            raise _no_target(study, match, cell)
    return Scaling(study, match, cells, scales, targets)


def keep_values(study: Study, cells: Sequence[Cell], matched: Sequence[Cell], root: Path) -> None:
    """Write down what was counted and chosen for a study that is about to run.

    Raises:
        OSError: If the folder cannot be written.
    """
    if study.match is None:
        return
    path = counted_path(study.match, cells, root)
    if not path.exists():
        chosen = {cell.name: cell.matched.value for cell in matched if cell.matched}
        write_counted(path, {name: value for name, value in chosen.items() if value is not None})


def _scale_of(study: Study, match: Matching, cell: Cell) -> Scale | None:
    """The key by which a cell is scaled; None if it stays as it is."""
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

    def changed(config: RunConfig) -> RunConfig:
        return config.model_copy(update={"model": model})

    trials = tuple(
        dataclasses.replace(one, short=changed(one.short), full=changed(one.full))
        for one in cell.trials  # none of them changes the model
    )
    matched = Matched(f"model.{scale.field}", value, name)
    return dataclasses.replace(cell, config=changed(cell.config), trials=trials, matched=matched)


def _check_distinct(study: Study, cells: Sequence[Cell]) -> None:
    if study.quick:
        return  # as in study/spec/grid.py
    seen: dict[str, Cell] = {}
    for cell in cells:
        run = cell.config.model_dump_json()
        if run in seen:
            message = f'scaled, "{seen[run].name}" and "{cell.name}" are the same run; take one out'
            raise study.error(("match", "by"), f"{message} (exclude)")
        seen[run] = cell
