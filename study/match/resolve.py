"""`--resolve OUT.yaml`: a study with the values that its `match` chooses, written as levels.

The file extends the study, takes out its `match`, and gives each scaled level its value, with a
comment of how near its cost came. MACs and parameters are counted. A latency is timed: candidates
beside their target in a process of their own (study/measure/timing.py), as costs are measured.
"""

import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import yaml

from study.match.cells import scaling_of, with_values
from study.match.counted import CostOf, Scaling, choose_values, cost_with, counter_of
from study.match.search import around, valid_values, with_field
from study.match.timed_search import Tried, find_value
from study.match.words import amount, ratio_words
from study.measure.timing import CellTiming, time_latency
from study.records.environment import device_model, resolve_device
from study.records.files import write_synced
from study.records.store import new_attempt
from study.spec.grid import Cell, expand
from study.spec.match import Scale
from study.spec.settings import CostConfig
from study.spec.study import Study, StudyError, load_study

TARGET = "target"
Notify = Callable[[str], None]


# Median, ends of its interval and rounds, as `analysis.stats.estimates.median_ratio` gives them.
Ratio = tuple[float, float | None, float | None, int]
RatioOf = Callable[[Mapping[int, float], Mapping[int, float]], Ratio | None]  # by timing round


@dataclass(frozen=True)
class Chosen:
    """A value for a cell.

    Attributes:
        value: Of the key that is scaled.
        comment: How near the cost comes, for a person.
    """

    value: int
    comment: str


def resolve_study(
    study: Study, out: Path, ratio_of: RatioOf, notify: Notify = lambda text: None
) -> dict[str, Chosen]:
    """Write the resolved study; the values by cell name.

    Args:
        study: With `match`.
        out: The file to write; the report of its study goes by its name.
        ratio_of: The ratio of two latencies by timing round.
        notify: Called with a line for each timing run.

    Raises:
        StudyError: If there is nothing to resolve, the file exists, a value cannot be chosen, or
            no level can hold it.
        OSError: If the file cannot be written.
    """
    if study.match is None:
        raise StudyError(f"{study.path}: --resolve: the study has no match, nothing is to resolve")
    if out.exists():
        raise StudyError(f"--resolve: {out} exists; name another file, or remove it first")
    scaling = scaling_of(study, study.match, expand(study))
    cost_of = counter_of(study.match)
    if study.match.is_timed:
        device = resolve_device(study.run.device)

        def find(cell: Cell, scale: Scale, target: Cell | float) -> Chosen:
            assert isinstance(target, Cell)
            return _Search(scaling, cell, scale, target, ratio_of, notify, cost_of, device).find()

        chosen = scaling.choose(find)
    else:
        chosen = _count_values(scaling, cost_of)
    wanted = with_values(scaling, {name: choice.value for name, choice in chosen.items()})
    _write(study, out, _levels_of(scaling, chosen), wanted)
    return chosen


def _count_values(scaling: Scaling, cost_of: CostOf) -> dict[str, Chosen]:
    cells, chosen = {cell.name: cell for cell in scaling.cells}, {}
    for name, value in choose_values(scaling).items():
        cell, scale, target = cells[name], scaling.scales[name], scaling.targets[name]
        assert scale is not None
        ours = cost_of(with_field(cell.config.model, scale.field, value), cell.config.data)
        theirs, whose = 0.0 if isinstance(target, Cell) else target or 0.0, ""
        if isinstance(target, Cell):
            theirs, whose = cost_of(target.config.model, target.config.data), f" of {target.name}"
        what = f"{amount(theirs)} {scaling.match.metric_words}{whose}"
        chosen[name] = Chosen(value, f"{ours / theirs:.3f} times the {what}")
    return chosen


@dataclass
class _Search:
    """The value of one cell whose latency is nearest to its target's."""

    scaling: Scaling
    cell: Cell
    scale: Scale
    target: Cell
    ratio_of: RatioOf
    notify: Notify
    cost_of: CostOf
    device: str
    runs: int = 0

    def find(self) -> Chosen:
        """Time candidates until neighbours enclose the target.

        Raises:
            StudyError: If none can be run, or the nearest is too far.
        """
        model, field = self.cell.config.model, self.scale.field
        count = functools.partial(cost_with, self.cost_of, self.cell, self.scale)
        try:
            values = valid_values(model, field, self.scale.low, self.scale.high)
            macs = self.cost_of(self.target.config.model, self.target.config.data)
            best, tried = find_value(values, count, macs, self._time)
        except ValueError as error:
            message = f"model.{field}: {error} (cell {self.cell.name})"
            raise self.scaling.error(self.scale, message) from None
        assert best.ratio is not None
        cost, match = self.scaling.study.cost, self.scaling.match
        device = device_model(self.device)
        if not match.is_near(best.ratio):
            wanted = f"{100 * match.within:g} % of the latency of {self.target.name}"
            message = f"no model.{field} brings {self.cell.name} within {wanted} on {device}"
            text = f"{message}; nearest: {_around(tried)}; widen within"
            raise self.scaling.error(self.scale, text)
        return Chosen(
            best.value,
            f"{ratio_words(best.ratio, best.low, best.high)} the latency of {self.target.name}, "
            f"batch {cost.batch_sizes[0]}, {cost.modes[0]}, {cost.threads} threads, {device}, "
            f"torch {version('torch')}",
        )

    def _time(self, values: Sequence[int]) -> dict[int, Tried]:
        """One timing run of candidates beside the target.

        Raises:
            ValueError: If the target cannot be run.
        """
        from study.plan.preflight import build_for_cost  # loads torch

        run, self.runs = self.runs, self.runs + 1
        candidates = ", ".join(map(str, values))
        self.notify(f"{self.cell.name}: {self.scale.field} {candidates} beside {self.target.name}")
        target, cell = self.target.config, self.cell.config
        builders = [(TARGET, functools.partial(build_for_cost, target.model, target.data))]
        for value in values:
            model = with_field(cell.model, self.scale.field, value)
            builders.append((str(value), functools.partial(build_for_cost, model, cell.data)))
        timings = time_latency(builders, _protocol(self.scaling.study.cost), self.device)
        if reason := timings[TARGET].reason:
            raise ValueError(f"its target, {self.target.name}, cannot be timed: {reason}")
        theirs = _by_round(timings[TARGET])
        return {value: self._tried(value, timings[str(value)], theirs, run) for value in values}

    def _tried(
        self, value: int, timing: CellTiming, theirs: Mapping[int, float], run: int
    ) -> Tried:
        if timing.reason:
            return Tried(value, None, run=run, reason=timing.reason)
        ratio = self.ratio_of(_by_round(timing), theirs)
        if ratio is None:
            return Tried(value, None, run=run, reason="shares no timing round with its target")
        return Tried(value, *ratio[:3], run)


def _protocol(cost: CostConfig) -> CostConfig:
    """The cost protocol less what does not decide: the first batch size, in the quoted mode."""
    return cost.model_copy(
        update={"batch_sizes": cost.batch_sizes[:1], "modes": cost.modes[:1], "sweep_to": None}
    )


def _by_round(timing: CellTiming) -> dict[int, float]:
    (latency,) = (m for m in timing.measurements if m.metric == "latency")
    return dict(zip(latency.rounds, latency.samples, strict=True))


def _around(tried: Sequence[Tried]) -> str:
    """The values of the last timing run on both sides of the target, with their ratios."""
    last = {each.value: each for each in tried if each.run == tried[-1].run and each.ratio}
    ratios = {value: each.ratio or 0.0 for value, each in last.items()}
    return " and ".join(
        f"{value} has {ratio_words(last[value].ratio, last[value].low, last[value].high)}"
        for value in around(ratios, 1.0)
    )


def _levels_of(
    scaling: Scaling, chosen: Mapping[str, Chosen]
) -> tuple[str, dict[str, tuple[str, Chosen]]]:
    """The factor whose levels decide on the values; label -> field and value.

    Raises:
        StudyError: If there is none.
    """
    for factor, levels in scaling.study.factors.items():
        by_label: dict[str, set[tuple[str, int] | None]] = {}
        held: dict[str, tuple[str, Chosen]] = {}
        for cell in scaling.cells:
            label, scale = cell.levels[factor], scaling.scales[cell.name]
            field = scale.field if scale else ""
            value = (field, chosen[cell.name].value) if scale else None
            by_label.setdefault(label, set()).add(value)
            if scale:
                choice, before = chosen[cell.name], held.get(label)
                if before and choice.comment != before[1].comment:
                    choice = Chosen(choice.value, f"{before[1].comment}; {choice.comment}")
                held[label] = field, choice
        is_labelled = all(factor not in level.patch for level in levels)
        if is_labelled and all(len(values) == 1 for values in by_label.values()):
            return factor, held
    raise scaling.study.error(
        ("match", "by"),
        "--resolve: no factor with labelled levels decides on the values alone, so no level can "
        "hold them; write a study for each level of the other factors",
    )


def _write(
    study: Study,
    out: Path,
    levels: tuple[str, dict[str, tuple[str, Chosen]]],
    wanted: Sequence[Cell],
) -> None:
    """Write the file if it comes to the cells that are wanted; never half of it."""
    assert study.match is not None
    factor, held = levels
    match = study.match
    base = os.path.relpath(study.path, out.parent)
    lines = [
        f"# {base} with its match resolved: {match.metric_words} within {100 * match.within:g} %.",
        f"extends: {json.dumps(base, ensure_ascii=False)}",
        "match: null",
        "factors:",
        f"  {_scalar(factor)}:",
    ]
    for level in study.factors[factor]:
        if level.label not in held:
            continue
        field, choice = held[level.label]
        # A patch with a `model` section has the value there: a dotted key beside it is a duplicate.
        patch = f"model: {{{field}: {choice.value}}}"
        if "model" not in level.patch:
            patch = f"model.{field}: {choice.value}"
        lines.append(f"    {_scalar(level.label)}: {{{patch}}}  # {choice.comment}")
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.stem}-{new_attempt()}.yaml")
    try:
        write_synced(draft, ("\n".join(lines) + "\n").encode())
        runs = {cell.name: cell.config for cell in expand(load_study(draft))}
        if runs != {cell.name: cell.config for cell in wanted}:
            raise RuntimeError(f"{draft} does not come to the cells that match chose")
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)


def _scalar(text: str) -> str:
    """A label as YAML that reads back as the same text."""
    return yaml.safe_dump(text, allow_unicode=True, width=10**6).removesuffix("\n...\n").strip()
