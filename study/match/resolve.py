"""`--resolve OUT.yaml`: a study with the values that its `match` chooses, written as levels.

The file extends the study, takes out its `match`, and gives each scaled level its value, with a
comment of how near its cost came. MACs and parameters are counted. A latency is timed: candidates
beside their target in a process of their own (study/measure/timing.py), as costs are measured.
"""

import contextlib
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import yaml

from study.match.cells import scales_and_targets, with_values
from study.match.counted import Target, choose_values, counter_of
from study.match.search import around, valid_values, with_field
from study.match.timed_search import Tried, find_value
from study.match.words import amount, ratio_words
from study.measure.timing import CellTiming, time_latency
from study.records.environment import device_model, resolve_device
from study.records.files import write_synced
from study.records.store import new_attempt
from study.spec.grid import Cell, expand
from study.spec.match import Matching, Scale
from study.spec.settings import CostConfig
from study.spec.study import Study, StudyError, load_study
from vlf.config import ConfigError

TARGET = "target"
Notify = Callable[[str], None]


class Ratio(Protocol):
    """A median with its interval, as `analysis.stats.estimates.median_ratio` gives it."""

    @property
    def value(self) -> float:
        """The median."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval; None where there is none."""

    @property
    def high(self) -> float | None:
        """Upper end of its interval; None where there is none."""


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
    cells = expand(study)
    scales, targets = scales_and_targets(study, study.match, cells)
    if study.match.is_timed:
        chosen = _time_values(study, cells, scales, targets, ratio_of, notify)
    else:
        chosen = _count_values(study, study.match, cells, scales, targets)
    values = {name: choice.value for name, choice in chosen.items()}
    wanted = with_values(study, cells, scales, targets, values)
    _write(study, out, _levels_of(study, cells, scales, chosen), wanted)
    return chosen


def _count_values(
    study: Study,
    match: Matching,
    cells: Sequence[Cell],
    scales: Mapping[str, Scale | None],
    targets: Mapping[str, Target],
) -> dict[str, Chosen]:
    cost_of, chosen = counter_of(match), {}
    values = choose_values(study, match, cells, scales, targets)
    for cell in cells:
        scale, target = scales[cell.name], targets[cell.name]
        if scale is None or target is None:
            continue
        model, data = cell.config.model, cell.config.data
        ours = cost_of(with_field(model, scale.field, values[cell.name]), data)
        if isinstance(target, Cell):
            theirs, whose = cost_of(target.config.model, target.config.data), f" of {target.name}"
        else:
            theirs, whose = target, ""
        comment = f"{ours / theirs:.3f} times the {amount(theirs)} {match.metric_words}{whose}"
        chosen[cell.name] = Chosen(values[cell.name], comment)
    return chosen


def _time_values(
    study: Study,
    cells: Sequence[Cell],
    scales: Mapping[str, Scale | None],
    targets: Mapping[str, Target],
    ratio_of: RatioOf,
    notify: Notify,
) -> dict[str, Chosen]:
    """One search for each architecture and target, which several cells may share."""
    chosen: dict[str, Chosen] = {}
    known: dict[str, Chosen] = {}
    for cell in cells:
        scale, target = scales[cell.name], targets[cell.name]
        if scale is None or not isinstance(target, Cell):
            continue
        rest = {**cell.config.model.model_dump(mode="json"), scale.field: None}
        clip = cell.config.data
        question = [rest, scale.name, target.name, clip.frames, clip.size, clip.classes]
        key = json.dumps(question, sort_keys=True)
        if key not in known:
            known[key] = _Search(study, cell, scale, target, ratio_of, notify).find()
        chosen[cell.name] = known[key]
    return chosen


class _Search:
    """The value of one cell whose latency is nearest to its target's."""

    def __init__(
        self,
        study: Study,
        cell: Cell,
        scale: Scale,
        target: Cell,
        ratio_of: RatioOf,
        notify: Notify,
    ) -> None:
        assert study.match is not None
        self.study, self.match = study, study.match
        self.cell, self.scale, self.target = cell, scale, target
        self.ratio_of, self.notify = ratio_of, notify
        self.cost_of = counter_of(study.match)
        self.device = resolve_device(study.run.device)
        self.runs = 0

    def find(self) -> Chosen:
        """Time candidates until neighbours enclose the target.

        Raises:
            StudyError: If none can be run, or the nearest is too far.
        """
        model, field = self.cell.config.model, self.scale.field
        key = ("match", "by", self.scale.name)
        try:
            values = valid_values(model, field, self.scale.low, self.scale.high)
            macs = self.cost_of(self.target.config.model, self.target.config.data)
            best, tried = find_value(values, self._count, macs, self._time)
        except ValueError as error:
            message = f"model.{field}: {error} (cell {self.cell.name})"
            raise self.study.error(key, message) from None
        assert best.ratio is not None
        cost = self.study.cost
        device = device_model(self.device)
        if not self.match.is_near(best.ratio):
            wanted = f"{100 * self.match.within:g} % of the latency of {self.target.name}"
            message = f"no model.{field} brings {self.cell.name} within {wanted} on {device}"
            raise self.study.error(key, f"{message}; nearest: {_around(tried)}; widen within")
        return Chosen(
            best.value,
            f"{ratio_words(best.ratio, best.low, best.high)} the latency of {self.target.name}, "
            f"batch {cost.batch_sizes[0]}, {cost.modes[0]}, {cost.threads} threads, {device}, "
            f"torch {version('torch')}",
        )

    def _count(self, value: int) -> float | None:
        with contextlib.suppress(ConfigError):
            model = with_field(self.cell.config.model, self.scale.field, value)
            return self.cost_of(model, self.cell.config.data)
        return None

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
        timings = time_latency(builders, _protocol(self.study.cost), self.device)
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
        return Tried(value, ratio.value, ratio.low, ratio.high, run)


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
    study: Study,
    cells: Sequence[Cell],
    scales: Mapping[str, Scale | None],
    chosen: Mapping[str, Chosen],
) -> tuple[str, dict[str, tuple[str, Chosen]]]:
    """The factor whose levels decide on the values; label -> field and value.

    Raises:
        StudyError: If there is none.
    """
    for factor, levels in study.factors.items():
        by_label: dict[str, set[tuple[str, int] | None]] = {}
        held: dict[str, tuple[str, Chosen]] = {}
        for cell in cells:
            label, scale = cell.levels[factor], scales[cell.name]
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
    raise study.error(
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
