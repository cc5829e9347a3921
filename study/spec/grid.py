"""Study -> cells. Pure: no files, no clock, no torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, product

from study.records.metric_names import accuracies_of
from study.spec.errors import InvalidError
from study.spec.factors import Level
from study.spec.resolve import draft_run, fault, resolve
from study.spec.study import MAX_COMPARISONS, Study
from vlf.config import DataConfig, RunConfig, nearest

MAX_CELLS = 100_000
MAX_RUNS = 300_000  # cells x seeds
QUICK_CLIPS = 64
QUICK_EPOCHS = 2

Axis = tuple[str, ...]  # a factor, or several whose levels move together
Index = tuple[int, ...]  # one level of each axis


@dataclass(frozen=True)
class Matched:
    """Result of `match` for a cell (study/match/cells.py).

    Attributes:
        key: That was scaled ("model.width"), or "" where the cell stays as it is.
        value: Chosen for it, or None.
        target: Name of the cell that sets the cost, perhaps the cell itself; "" where it is a
            number, or not in the study.
    """

    key: str
    value: int | None
    target: str


@dataclass(frozen=True)
class Cell:
    """One combination of levels, with the run it resolves to.

    Attributes:
        levels: Factor -> label, in the study's order of factors.
        numbers: Factor -> value, for factors whose levels are all numbers.
        config: The validated run.
        resources: Settings of the executor that a level changes; outside the identity.
        matched: In a study with `match`: how the cell was scaled.
        trials: What tuning tries, where the study tunes; `config` is then without its choice.
    """

    levels: Mapping[str, str]
    numbers: Mapping[str, float]
    config: RunConfig
    resources: Mapping[str, object] = field(default_factory=dict)
    matched: Matched | None = None
    trials: tuple["Trial", ...] = ()

    @cached_property
    def name(self) -> str:
        """Unique in the study: "variant=VLF, data.frames=8", or "base" without factors."""
        return ", ".join(f"{k}={v}" for k, v in self.levels.items()) or "base"


@dataclass(frozen=True)
class Trial:
    """One combination of the values that a study tunes, for one cell.

    Attributes:
        tried: Dotted key -> label of its value.
        short: The run that tries it, of `tune.epochs`.
        full: The run that counts if it is chosen.
    """

    tried: Mapping[str, str]
    short: RunConfig
    full: RunConfig


def expand(study: Study) -> list[Cell]:
    """All cells of a study, first factor slowest, each found valid.

    A quick study's cells have few clips and epochs, whatever a factor says; two of them may then
    hold the same run, and share its records.

    Raises:
        StudyError: At the line of the level or key that is at fault; if there are too many cells,
            none, or two with the same run.
    """
    numeric = {
        name
        for name, levels in study.factors.items()
        if all(level.number is not None for level in levels)
    }
    cells: list[Cell] = []
    seen: dict[str, Cell] = {}
    for levels in _combinations(study):
        cell, run = _make_cell(study, levels, numeric)
        if run in seen:
            raise _same_run(study, seen[run], cell)
        seen[run] = cell
        cells.append(cell)
    _check_baseline(study, cells)
    _check_claims(study, cells)
    check_claims_are_scored(study, [(cell.levels, cell.config.data) for cell in cells])
    return cells


def _make_cell(study: Study, levels: Mapping[str, Level], numeric: set[str]) -> tuple[Cell, str]:
    labels = {name: level.label for name, level in levels.items()}
    draft = draft_run(study.base, levels.values())
    try:
        config, run = resolve(draft)
    except InvalidError as error:
        raise fault(draft, error, study.places, labels) from None
    numbers = {name: levels[name].number or 0.0 for name in levels if name in numeric}
    trials = tuple(_trials(study, levels, config))
    config = _shorten(config) if study.quick else config
    return Cell(labels, numbers, config, draft.resources, trials=trials), run


def _trials(study: Study, levels: Mapping[str, Level], config: RunConfig) -> Iterable[Trial]:
    """Combinations that a cell tries, each validated."""
    if study.tune is None:
        return
    labels = {name: level.label for name, level in levels.items()}
    cell = f" (cell {shown})" if (shown := ", ".join(f"{k}={v}" for k, v in labels.items())) else ""
    for key in study.tune.values:
        section, _, name = key.partition(".")
        part = getattr(config, section)
        if name not in type(part).model_fields:
            raise study.error(("tune", key), f'{part.name} has no "{key}"{cell}')
    if (epochs := study.tune.epochs or 0) > config.train.epochs:
        most = f"must be at most the {config.train.epochs} of the runs that it chooses for"
        raise study.error(("tune", "epochs"), f"{most}, got {epochs}{cell}")
    for values in study.tune.combinations():
        found = []
        for more in (study.tune.shortened(), ()):
            draft = draft_run(study.base, (*levels.values(), *values, *more))
            try:
                run, _ = resolve(draft)
            except InvalidError as error:
                raise fault(draft, error, study.places, labels) from None
            found.append(_shorten(run) if study.quick else run)
        yield Trial(study.tune.labels(values), *found)


def _shorten(config: RunConfig) -> RunConfig:
    limit = min(config.data.limit or QUICK_CLIPS, QUICK_CLIPS)
    epochs = min(config.train.epochs, QUICK_EPOCHS)
    data = config.data.model_copy(update={"limit": limit})
    train = config.train.model_copy(update={"epochs": epochs})
    return config.model_copy(update={"data": data, "train": train})


def _combinations(study: Study) -> Iterable[dict[str, Level]]:
    """One level of every factor for each cell: (design - exclude) + include, in grid order."""
    axes = _axes(study)
    counts = [len(study.factors[axis[0]]) for axis in axes]
    if study.design == "grid":
        _check_count(study, counts)
        planned = dict.fromkeys(product(*map(range, counts)))
    else:
        planned = dict.fromkeys(_single_changes(study, axes, counts))
    _check_comparisons(study, "exclude", len(study.exclude), len(planned))
    kept = _exclude(study, axes, planned)
    added_at_most = 0
    for number, match in enumerate(study.include):
        choices = _choices(study, axes, match)
        _check_count(study, [len(one) for one in choices], ("include", number))
        added_at_most += math.prod(len(one) for one in choices)
        _check_comparisons(study, "include", 1, added_at_most)
        added = [index for index in product(*choices) if index not in kept]
        if not added:
            message = "adds no cell: the study has them all, or the levels are not of one pair"
            raise study.error(("include", number), message)
        kept.update(dict.fromkeys(added))
    if not kept:
        raise study.error(("exclude",), "leaves no cell")
    if (runs := len(kept) * len(study.seeds)) > MAX_RUNS:
        message = f"{len(kept):,} cells x {len(study.seeds):,} seeds = {runs:,} training runs"
        raise study.error(("seeds",), f"{message}, more than {MAX_RUNS:,}; use fewer seeds")
    _check_tuning_runs(study, len(kept))
    for index in sorted(kept):
        chosen = {
            name: study.factors[name][level]
            for axis, level in zip(axes, index, strict=True)
            for name in axis
        }
        yield {name: chosen[name] for name in study.factors}


def _check_tuning_runs(study: Study, cells: int) -> None:
    if study.tune is None:
        return
    budget, seeds = study.tune.budget, len(study.tune.seeds)
    if (runs := cells * budget * seeds) > MAX_RUNS:
        message = f"{cells:,} cells x {budget} x {seeds:,} seeds = {runs:,} tuning runs"
        raise study.error(("tune",), f"{message}, more than {MAX_RUNS:,}")


def _axes(study: Study) -> list[Axis]:
    """Factors in the file's order; a pair stands where its first factor does."""
    group_of = {name: group for group in study.paired for name in group}
    return list(dict.fromkeys(group_of.get(name, (name,)) for name in study.factors))


def _check_count(study: Study, counts: Sequence[int], key: tuple[str | int, ...] = ()) -> None:
    # Counted before anything is made: a grid of ten factors would fill the memory first.
    if (cells := math.prod(counts)) > MAX_CELLS:
        sizes = " x ".join(map(str, counts))
        message = f"{sizes} = {cells:,} cells, more than {MAX_CELLS:,}; use fewer levels"
        raise study.error(key or ("factors",), f"{message} or design: one_at_a_time")


def _check_comparisons(study: Study, key: str, entries: int, cells: int) -> None:
    if (comparisons := entries * cells) > MAX_COMPARISONS:
        many = f"{entries:,} x {cells:,} cells = {comparisons:,} comparisons"
        raise study.error((key,), f"{many}, more than {MAX_COMPARISONS:,}")


def _single_changes(study: Study, axes: list[Axis], counts: list[int]) -> Iterable[Index]:
    baseline = tuple(
        [level.label for level in study.factors[axis[0]]].index(study.baseline[axis[0]])
        for axis in axes
    )
    if (cells := sum(counts)) > MAX_CELLS:
        raise study.error(("factors",), f"{cells:,} cells, more than {MAX_CELLS:,}")
    yield baseline
    for position, count in enumerate(counts):
        for level in range(count):
            yield (*baseline[:position], level, *baseline[position + 1 :])


def _choices(study: Study, axes: list[Axis], match: Mapping[str, str]) -> list[list[int]]:
    """The levels of each axis that a partial match leaves open."""
    return [
        [
            i
            for i in range(len(study.factors[axis[0]]))
            if all(
                study.factors[name][i].label == match.get(name, study.factors[name][i].label)
                for name in axis
            )
        ]
        for axis in axes
    ]


def _exclude(study: Study, axes: list[Axis], planned: dict[Index, None]) -> dict[Index, None]:
    kept = dict(planned)
    for number, match in enumerate(study.exclude):
        choices = [set(one) for one in _choices(study, axes, match)]
        matched = [
            index
            for index in planned
            if all(level in one for level, one in zip(index, choices, strict=True))
        ]
        if not matched:
            raise study.error(("exclude", number), "matches no cell of the design")
        for index in matched:
            kept.pop(index, None)
    return kept


def _same_run(study: Study, first: Cell, second: Cell) -> Exception:
    factor = next(name for name in first.levels if first.levels[name] != second.levels[name])
    labels = [level.label for level in study.factors[factor]]
    position = labels.index(second.levels[factor])
    plain = ("factors", factor, position)
    key = plain if plain in study.places else ("factors", factor, second.levels[factor])
    message = f'cells "{first.name}" and "{second.name}" are the same run; take one out'
    return study.error(key, f"{message} (exclude)")


def _check_baseline(study: Study, cells: Sequence[Cell]) -> None:
    wanted = study.baseline.items()
    if not any(wanted <= cell.levels.items() for cell in cells):
        named = ", ".join(f"{name}={label}" for name, label in wanted)
        raise study.error(("report", "baseline"), f"no cell of the study has {named}")


def _check_claims(study: Study, cells: Sequence[Cell]) -> None:
    _check_comparisons(study, "claims", len(study.claims), len(cells))
    for number, claim in enumerate(study.claims):
        if next(claim.pairs(cell.levels for cell in cells), None) is None:
            raise study.error(("claims", number), f'"{claim.text}" compares no cells of the study')


def check_claims_are_scored(
    study: Study, cells: Sequence[tuple[Mapping[str, str], DataConfig]]
) -> None:
    """Refuse claims about accuracies that the data of a compared cell does not allow.

    Args:
        study: The question.
        cells: Levels and data of each.

    Raises:
        StudyError: At the claim, which would stay without a verdict for ever.
    """
    scored = {id(levels): accuracies_of(data.heads) for levels, data in cells}
    everywhere = set.intersection(*map(set, scored.values()))
    for number, claim in enumerate(study.claims):
        if claim.kind != "accuracy" or claim.metric in everywhere:
            continue
        pairs = claim.pairs(levels for levels, _ in cells)
        compared = {id(levels) for levels in chain.from_iterable(pairs) if levels is not None}
        for levels, data in cells:
            known = scored[id(levels)]
            if id(levels) in compared and claim.metric not in known:
                hint = nearest(claim.metric, known)
                message = f"{data.name} ({data.classes} classes) is not scored by {claim.metric}"
                allowed = ", ".join(known)
                raise study.error(("claims", number), f"{message}{hint} (allowed: {allowed})")
