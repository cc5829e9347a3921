"""The step of a run that `match: {metric: latency}` asks for: values are timed, and written down.

Each value is found beside its target in processes of their own (study/measure/timing.py), as costs
are measured. It is on disk as soon as it is found, so that a run that was stopped goes on with the
next one, and later runs take what is there (study/match/timed_values.py).
"""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from study.match.cells import Asked, asked_values
from study.match.counted import CostOf, counter_of
from study.match.latency_search import find_value
from study.match.open_cells import device_words, wanted_open
from study.match.search import valid_values, with_field
from study.match.timed_values import Timed, Tried, read_timed, write_timed
from study.match.words import ratio_words
from study.measure.timing import CellTiming, time_latency
from study.plan.planner import CostPlace, Plan
from study.records.record import Reached
from study.spec.grid import expand
from study.spec.settings import CostConfig
from study.spec.study import Study
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
        """Upper end, alike."""


RatioOf = Callable[[Mapping[int, float], Mapping[int, float]], Ratio | None]  # by timing round


def match_latency(plan: Plan, root: Path, ratio_of: RatioOf, notify: Notify, say: Notify) -> None:
    """Find the value of every cell of a plan that waits for one and is asked for.

    Args:
        plan: Of a study that matches latency.
        root: The results folder.
        ratio_of: Of two latencies by round.
        notify: Told what goes on, a few times a minute.
        say: Told a line of each value that was found.

    Raises:
        StudyError: If no value of a cell can be run.
        OSError: If the folder cannot be written.
    """
    study = plan.study
    assert study.match is not None
    cost_of = counter_of(study.match)
    wanted = wanted_open(plan)
    todo = {
        one.path: one for one in asked_values(study, expand(study), root) if one.cell.name in wanted
    }
    for number, (path, one) in enumerate(todo.items(), 1):
        if read_timed(path) is not None:  # another command was at it
            continue
        notify(f"{one.scale.field} of {one.cell.name} ({number} of {len(todo)})")
        timed = _find(study, plan.place, one, cost_of, ratio_of, notify)
        write_timed(path, timed)
        words = ratio_words(timed.reached.ratio, timed.reached.low, timed.reached.high)
        say(
            f"{one.cell.name}: {one.scale.field} {timed.value} has {words} the latency of "
            f"{one.target.name}"
        )


def _find(
    study: Study, place: CostPlace, one: Asked, cost_of: CostOf, ratio_of: RatioOf, notify: Notify
) -> Timed:
    """Search one value.

    Raises:
        StudyError: If the target, or no value, can be run.
    """
    model, data, field = one.cell.config.model, one.cell.config.data, one.scale.field
    key = ("match", "by", one.scale.name)
    runs = _Runs(study, place, one, ratio_of, notify)

    def count(value: int) -> float | None:
        with contextlib.suppress(ConfigError):
            return cost_of(with_field(model, field, value), data)
        return None

    try:
        values = valid_values(model, field, one.scale.low, one.scale.high)
        target = cost_of(one.target.config.model, one.target.config.data)
        best, tried = find_value(values, count, target, runs.time)
    except ValueError as error:
        raise study.error(key, f"model.{field}: {error} (cell {one.cell.name})") from None
    assert best.ratio is not None
    reached = Reached(best.ratio, best.low, best.high, device_words(place))
    samples = {"value": runs.samples[best.value], TARGET: runs.samples[TARGET]}
    return Timed(best.value, reached, tuple(tried), samples, runs.environment)


class _Runs:
    """Timing runs of candidates beside their target; keeps the samples of the last one."""

    def __init__(
        self, study: Study, place: CostPlace, one: Asked, ratio_of: RatioOf, notify: Notify
    ) -> None:
        self.one, self.place, self.ratio_of, self.notify = one, place, ratio_of, notify
        self.protocol = protocol_of(study.cost)
        self.count = 0
        self.samples: dict[int | str, dict[int, float]] = {}
        self.environment: Mapping[str, str] = {}

    def time(self, values: Sequence[int]) -> dict[int, Tried]:
        """One run.

        Raises:
            ValueError: If the target cannot be run.
        """
        from study.plan.preflight import build_for_cost  # loads torch

        run, self.count = self.count, self.count + 1
        self.notify(f"timing {', '.join(map(str, values))} beside {self.one.target.name}")
        target, cell = self.one.target.config, self.one.cell.config
        models = {v: with_field(cell.model, self.one.scale.field, v) for v in values}
        cells = [(TARGET, functools.partial(build_for_cost, target.model, target.data))]
        cells += [
            (str(value), functools.partial(build_for_cost, model, cell.data))
            for value, model in models.items()
        ]
        timings = time_latency(cells, self.protocol, self.place.device, self.notify)
        if reason := timings[TARGET].reason:
            raise ValueError(f"its target, {self.one.target.name}, cannot be timed: {reason}")
        self.environment = timings[TARGET].environment
        self.samples = {TARGET: _by_round(timings[TARGET])}
        return {value: self._tried(value, timings[str(value)], run) for value in values}

    def _tried(self, value: int, timing: CellTiming, run: int) -> Tried:
        if timing.reason:
            return Tried(value, None, run=run, reason=timing.reason)
        self.samples[value] = _by_round(timing)
        ratio = self.ratio_of(self.samples[value], self.samples[TARGET])
        if ratio is None:
            return Tried(value, None, run=run, reason="shares no timing round with its target")
        return Tried(value, ratio.value, ratio.low, ratio.high, run)


def protocol_of(cost: CostConfig) -> CostConfig:
    """The cost protocol less what does not decide: the first batch size, in the quoted mode."""
    return cost.model_copy(
        update={"batch_sizes": cost.batch_sizes[:1], "modes": cost.modes[:1], "sweep_to": None}
    )


def _by_round(timing: CellTiming) -> dict[int, float]:
    (latency,) = (m for m in timing.measurements if m.metric == "latency")
    return dict(zip(latency.rounds, latency.samples, strict=True))
