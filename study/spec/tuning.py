"""The section `tune` of a study file, and the choice from its runs. Pure: no files, no torch.

Every cell gets the same budget: the product of the listed values, each run once a tuning seed. The
choice is made from validation accuracy alone, in runs whose records hold no other, so that neither
the seeds that count nor the test split have a say in it.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from study.records.record import Outcome
from study.spec.errors import expected, one_of, unknown
from study.spec.factors import Factors, Level, Setting, read_factors
from study.spec.sections import entries, read_seeds
from study.spec.yaml_nodes import Node

WORDS = ("seeds", "epochs", "metric")
METRICS = ("val_top1",)
RATE = "train.lr"
# What changes neither the architecture, whose costs are measured once, nor the clips that choose.
TUNABLE = (
    RATE, "train.muon_lr", "train.weight_decay", "train.batch_size", "train.optimizer",
    "train.momentum", "train.schedule", "train.milestones", "train.warmup_epochs",
    "train.label_smoothing", "train.mixup", "train.cutmix", "train.clip_norm", "data.crop",
    "data.crop_scales", "data.jitter", "data.flip", "data.rand_augment", "data.rand_magnitude",
)  # fmt: skip
MAX_BUDGET = 100  # combinations of a cell
QUICK_VALUES = 2
DIGITS = 9  # of a mean in percent: what differs less is a tie, whatever the order of its sum

Edges = dict[str, str]  # tuned key -> "smallest" or "largest" of its values


@dataclass(frozen=True)
class Score:
    """Results of the runs of one combination of values.

    Attributes:
        tried: Dotted key -> label of its value.
        values: Validation top-1 of each seed that ended well, in percent.
        diverged: Seeds whose loss or scores were not finite.
        missing: Runs that have neither.
    """

    tried: Mapping[str, str]
    values: tuple[float, ...]
    diverged: int
    missing: tuple[Outcome, ...]

    @property
    def mean(self) -> float | None:
        """Over the seeds that did not diverge; None without one."""
        # fsum: the same however the seeds are ordered.
        return round(math.fsum(self.values) / len(self.values), DIGITS) if self.values else None


@dataclass(frozen=True)
class Decision:
    """Result of tuning for one cell.

    Attributes:
        chosen: Position of the combination among `combinations`; None where there is none.
        is_failed: Whether every run has ended, and every one has diverged.
        reason: Why there is no choice.
    """

    chosen: int | None
    is_failed: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Tuning:
    """The section `tune`.

    Attributes:
        values: Dotted key of a run -> the values that each cell tries, in the file's order.
        seeds: Of tuning runs; none is a seed of the study.
        epochs: Of tuning runs; None takes as many as the cell has.
        metric: What decides: its mean over the seeds, higher is better.
    """

    values: Mapping[str, tuple[Level, ...]]
    seeds: tuple[int, ...]
    epochs: int | None = None
    metric: str = "val_top1"

    @property
    def budget(self) -> int:
        """Combinations that every cell tries."""
        return math.prod(map(len, self.values.values()))

    def combinations(self) -> Iterator[tuple[Level, ...]]:
        """One level of each key, in the file's order, the last key fastest."""
        return product(*self.values.values())

    def shortened(self) -> tuple[Level, ...]:
        """Levels that make a run a tuning run, besides its values."""
        if self.epochs is None:
            return ()
        setting = Setting(3, "train", "epochs", self.epochs, ("tune", "epochs"))
        return (Level("epochs", {}, None, (setting,)),)

    def quick(self) -> "Tuning":
        """The smoke version: one seed, two values a key, as many epochs as a smoke run has."""
        few = {key: levels[:QUICK_VALUES] for key, levels in self.values.items()}
        return dataclasses.replace(self, values=few, seeds=self.seeds[:1], epochs=None)

    def labels(self, levels: Sequence[Level]) -> dict[str, str]:
        """Dotted key -> label of a combination."""
        return {key: level.label for key, level in zip(self.values, levels, strict=True)}

    def scores(self, outcomes: Sequence[Outcome]) -> list[Score]:
        """One a combination, in order, from the tuning outcomes of one cell."""
        found: list[Score] = []
        for levels in self.combinations():
            tried = self.labels(levels)
            own = [one for one in outcomes if one.kind == "tune" and one.tried == tried]
            values = {id(one): self._value(one) for one in own}
            ended = tuple(value for value in values.values() if value is not None)
            diverged = sum(one.is_diverged for one in own)
            missing = [one for one in own if values[id(one)] is None and not one.is_diverged]
            found.append(Score(tried, ended, diverged, tuple(missing)))
        return found

    def decide(self, outcomes: Sequence[Outcome]) -> Decision:
        """The choice of one cell from its tuning outcomes.

        Of combinations with the fewest seeds that diverged the one with the highest mean; of equal
        ones that with the smallest learning rate, then the first in the file. A run that has no
        result for another reason than divergence leaves the cell without a choice: it would have
        had less than the budget of the others.
        """
        scores = self.scores(outcomes)
        missing = [one for score in scores for one in score.missing]
        runs = self.budget * len(self.seeds)
        if missing:
            return Decision(None, False, _why_missing(missing, runs))
        ended = sum(len(score.values) + score.diverged for score in scores)
        if ended < runs:
            return Decision(None, False, f"waits for {runs - ended} of {runs} tuning runs")
        ranks = [
            (score.diverged, -score.mean, self._rate(score), at)
            for at, score in enumerate(scores)
            if score.mean is not None
        ]
        if not ranks:
            return Decision(None, True, f"every one of its {runs} tuning runs diverged")
        return Decision(min(ranks)[-1])

    def edges(self, tried: Mapping[str, str]) -> Edges:
        """End of its range at which each chosen number is; a lower end of 0 does not count."""
        found = {}
        for key, levels in self.values.items():
            numbers = [level.number for level in levels if level.number is not None]
            own = next(level.number for level in levels if level.label == tried[key])
            if own is None or len(numbers) < len(levels):
                continue
            if own == max(numbers):
                found[key] = "largest"
            elif own == min(numbers) and own != 0:
                found[key] = "smallest"
        return found

    def _value(self, outcome: Outcome) -> float | None:
        if not outcome.is_done or outcome.record is None:
            return None
        measured = outcome.record.measurements
        return next((one.samples[0] for one in measured if one.metric == self.metric), None)

    def _rate(self, score: Score) -> float:
        levels = self.values.get(RATE, ())
        return next((one.number or 0.0 for one in levels if one.label == score.tried[RATE]), 0.0)


def values_of(score: Score) -> str:
    """Text such as "train.lr=1e-3, train.momentum=0.9"."""
    return ", ".join(f"{key}={label}" for key, label in score.tried.items())


def _why_missing(missing: Sequence[Outcome], runs: int) -> str:
    broken = [one for one in missing if one.is_failed]
    if not broken:
        return f"waits for {len(missing)} of {runs} tuning runs"
    first = broken[0]
    why = first.record.reason if first.record else first.reason
    return f"not tuned: {len(broken)} of {runs} tuning runs failed; {first.job}: {why}"


def read_tune(node: Node | None, factors: Factors, seeds: tuple[int, ...]) -> Tuning | None:
    """The section `tune`; None where there is none.

    Raises:
        StudyError: At the key that cannot be tuned, or the value or seed that cannot be used.
    """
    parts = entries(node)
    if node is None:
        return None
    if not seeds:
        raise node.error("needs training, and seeds is empty")
    keys = {name: one for name, one in parts.items() if name not in WORDS}
    for name, one in keys.items():
        _check_key(name, one, factors)
    if not keys:
        raise node.error("names no key to choose, such as train.lr: [1.0e-3, 2.0e-3]")
    values = read_factors(dataclasses.replace(node, value=keys))
    for name, one in keys.items():
        _check_distinct(one, values[name])
    tuning = Tuning(
        values, _read_seeds(node, parts.get("seeds"), seeds), _read_epochs(parts.get("epochs"))
    )
    if tuning.budget > MAX_BUDGET:
        sizes = " x ".join(str(len(levels)) for levels in values.values())
        message = f"{sizes} = {tuning.budget:,} combinations a cell, more than {MAX_BUDGET}"
        raise node.error(f"{message}; list fewer values")
    metric = parts.get("metric")
    if metric is not None and metric.value not in METRICS:
        raise metric.error(one_of(metric.plain(), METRICS))
    return tuning


def _check_key(name: str, node: Node, factors: Factors) -> None:
    section = name.partition(".")[0]
    if section == "model":
        raise node.error(
            "changes what is built, and so its costs, which do not wait for tuning; "
            "make it a factor"
        )
    if name not in TUNABLE:
        raise node.error(unknown(name, (*WORDS, *TUNABLE)))
    for factor, levels in factors.items():
        for level in levels:
            if any(f"{one.section}.{one.field}" == name for one in level.settings):
                raise node.error(
                    f"is set by {factor}={level.label} too; vary it or tune it, not both"
                )
    if not isinstance(node.value, list):
        raise node.error(expected("a list of values", node.plain()))
    if len(node.value) < 2:
        raise node.error(f"needs at least two values to choose from, got {len(node.value)}")


def _check_distinct(node: Node, levels: Sequence[Level]) -> None:
    """1e-3 and 0.001 have two labels and are one value."""
    for at, one in enumerate(node.value):
        if any(one.plain() == other.plain() for other in node.value[:at]):
            raise one.error(f"duplicate value {levels[at].label}")


def _read_seeds(tune: Node, node: Node | None, seeds: tuple[int, ...]) -> tuple[int, ...]:
    known = ", ".join(map(str, seeds[:20]))
    needed = f"needs at least one seed that is none of the study's ({known})"
    if node is None:
        raise tune.error(f"seeds: {needed}")
    if node.value == []:
        raise node.error(needed)
    own = read_seeds(node)
    for seed, one in zip(own, node.value, strict=True):
        if seed in seeds:
            raise one.error(f"the seed {seed} is one of the study's ({known}); take another")
    return own


def _read_epochs(node: Node | None) -> int | None:
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, int) or isinstance(node.value, bool):
        raise node.error(expected("a whole number", node.plain()))
    if node.value < 1:
        raise node.error(f"must be at least 1, got {node.value}")
    return node.value


MOST_LINES = 20


def choice_lines(tune: Tuning, tuned: Sequence[Outcome]) -> list[str]:
    """One line a cell: what was chosen, or why nothing was."""
    by_cell: dict[str, list[Outcome]] = {}
    for one in tuned:
        by_cell.setdefault(one.cell, []).append(one)
    lines = list(_lines(tune, by_cell))
    hidden = len(lines) - MOST_LINES
    return lines if hidden <= 0 else [*lines[:MOST_LINES], f"and {hidden:,} more cells"]


def _lines(tune: Tuning, by_cell: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    for cell, outcomes in by_cell.items():
        decision, scores = tune.decide(outcomes), tune.scores(outcomes)
        if decision.chosen is None:
            line = f"no choice for {cell}: {decision.reason}"
        else:
            line = f"chosen for {cell}: {_words(tune, scores[decision.chosen])}"
        diverged = [values_of(score) for score in scores if score.diverged]
        yield f"{line}; diverged: {' and '.join(diverged)}" if diverged else line


def _words(tune: Tuning, score: Score) -> str:
    edges = (f"the {end} {key} that was tried" for key, end in tune.edges(score.tried).items())
    return "; ".join((f"{values_of(score)} ({tune.metric} {score.mean:.1f} %)", *edges))
