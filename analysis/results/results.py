"""Results of a study for tables, figures and sentences; every estimate is made here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis.results.artifacts import Arrays, Artifacts
from analysis.results.frame import tidy
from analysis.results.ledger import Ledger
from analysis.results.samples import Samples, record_rounds
from analysis.stats import estimates
from analysis.stats.anytime import anytime_difference, anytime_mean
from analysis.stats.clumps import Clumps, find_clumps
from analysis.stats.estimates import Difference, Estimate
from study.records.record import Elsewhere, Outcome, Record
from study.records.text_table import short_names
from study.spec.study import Study

BASELINE = "baseline"  # name of the cell that single changes start from
SAME = Estimate(1.0, None, None, 1)  # ratio of a cost to itself
SAME_MODEL = "same model, same cost"


@dataclass(frozen=True)
class Variant:
    """One cell as it is shown: its place in the study's order, its levels, and a short label."""

    cell: str
    levels: Mapping[str, str]
    numbers: Mapping[str, float]
    label: str


@dataclass
class Results:
    """A study and what is known of it so far; anything may be missing.

    Attributes:
        study: The question.
        outcomes: One a planned job.
        root: Folder that artifact paths start from.
        ledger: When the claims were written, and the looks taken at them.
    """

    study: Study
    outcomes: Sequence[Outcome]
    root: Path
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        """Make failures of runs whose stored predictions are no answers."""
        self.outcomes = [self._checked(one) for one in self.outcomes]

    def _checked(self, outcome: Outcome) -> Outcome:
        record = outcome.record
        if record is None or not outcome.is_done:
            return outcome
        artifact = record.artifacts.get("predictions")
        if artifact is None or self.artifacts.load(outcome, "predictions") is not None:
            return outcome
        if artifact not in self.artifacts.diverged:
            return outcome
        return replace(outcome, status="failed", reason=self.artifacts.diverged[artifact])

    @cached_property
    def artifacts(self) -> Artifacts:
        """Files of training runs; it knows which could not be read, as figures ask for them."""
        return Artifacts(self.root)

    @cached_property
    def samples(self) -> Samples:
        """The frame's rows that are results, by what they are of."""
        return Samples(self.frame, self.mode)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a sample (analysis/results/frame.py)."""
        return tidy(self.outcomes)

    @cached_property
    def variants(self) -> list[Variant]:
        """Every cell once, in the order of the study file's levels, not of finishing."""
        first = {outcome.cell: outcome for outcome in reversed(self.outcomes)}
        ordered = sorted(first.values(), key=lambda one: self._rank(one.levels))
        return [Variant(o.cell, o.levels, o.numbers, self.name(o.levels)) for o in ordered]

    @cached_property
    def single_changes(self) -> bool:
        """Whether cells are the baseline and single changes of two factors or more."""
        return self.study.design == "one_at_a_time" and len(self._varying) > 1

    def name(self, levels: Mapping[str, str]) -> str:
        """Shortest name that distinguishes a cell, or cells that share these levels.

        As "VLF, frames 8"; of single changes as "baseline" and "optimizer sgd". A factor of which
        all cells have the same level is not named.
        """
        if self.single_changes:
            changed = {k: x for k, x in levels.items() if self.study.baseline.get(k) != x}
            return self._words(changed) or BASELINE
        return self._words({k: x for k, x in levels.items() if k in self._varying} or levels)

    def _words(self, levels: Mapping[str, str]) -> str:
        """Level by level; without a factor's name where the level can only be of that factor."""
        names = short_names(self.factors)
        words = []
        for factor, level in levels.items():
            alone = "." not in factor and level != BASELINE
            alone &= self._level_counts[level] == 1
            words.append(level if alone else f"{names.get(factor, factor)} {level}")
        return ", ".join(words) or ("" if self.factors else "base")

    @cached_property
    def _varying(self) -> set[str]:
        """Factors of which cells have two levels or more."""
        levels = {pair for outcome in self.outcomes for pair in outcome.levels.items()}
        counts = Counter(factor for factor, _ in levels)
        return {factor for factor, count in counts.items() if count > 1}

    @cached_property
    def _level_counts(self) -> Counter[str]:
        """Level -> of how many factors it is one."""
        pairs = {pair for outcome in self.outcomes for pair in outcome.levels.items()}
        return Counter(level for _, level in pairs)

    @cached_property
    def factors(self) -> list[str]:
        """Factors in the study's order."""
        named = [name for outcome in self.outcomes for name in outcome.levels]
        return list(dict.fromkeys([*self.study.factors, *named]))

    @cached_property
    def numeric_factors(self) -> list[str]:
        """Factors whose levels are all numbers, two or more of them."""
        return [
            name
            for name in self.factors
            if len({v.numbers[name] for v in self.variants if name in v.numbers}) > 1
            and all(name in v.numbers for v in self.variants)
        ]

    @cached_property
    def series_factor(self) -> str | None:
        """The factor whose levels have colours in figures: the first that is no number."""
        words = [name for name in self.factors if name not in self.numeric_factors]
        return next(iter([*words, *self.factors]), None)

    @cached_property
    def baseline_label(self) -> str:
        """Name of the baseline in headings."""
        return self.name(self.study.baseline) if self.study.baseline else "base"

    def baseline_of(self, variant: Variant) -> Variant | None:
        """The cell that `variant` is compared with; itself for a baseline, None if not planned."""
        if not self.study.baseline:
            return None
        return self._by_levels.get(tuple({**variant.levels, **self.study.baseline}.items()))

    def by_seed(self, variant: Variant, metric: str) -> dict[int, float]:
        """Seed -> value of a metric of training, on the test split where it has one."""
        return self.samples.by_seed((variant.cell, metric, "", 0))

    def accuracy(self, variant: Variant, metric: str = "top1") -> Estimate | None:
        """Mean and interval over seeds, in percent; None without a result.

        Student's t where the seeds were fixed; the confidence sequence in a race, which chose them.
        """
        known = self.by_seed(variant, metric)
        values = [known[seed] for seed in self.study.seeds if seed in known]
        if self.study.race is not None:
            return anytime_mean(values) if values else None
        return estimates.mean_interval(values, within=estimates.PERCENT) if values else None

    def clumps(self, metric: str = "top1") -> Clumps | None:
        """Cells that a claim names whose training runs fall in two clumps; None without any."""
        claims = [claim for claim in self.study.claims if claim.kind == "accuracy"]
        sides = [side for claim in claims for side in (claim.left, claim.right) if side]
        named = [v for v in self.variants if any(side.covers(v.levels) for side in sides)]
        return find_clumps({v.cell: [*self.by_seed(v, metric).values()] for v in named})

    def paired(self, ours: Variant, theirs: Variant) -> Difference | None:
        """Difference in top-1, paired by seed; None without a common seed. As `accuracy`."""
        mine, other = self.by_seed(ours, "top1"), self.by_seed(theirs, "top1")
        if self.study.race is None:
            return estimates.paired_difference(mine, other)
        shared = mine.keys() & other.keys()
        values = [mine[seed] - other[seed] for seed in self.study.seeds if seed in shared]
        return anytime_difference(values) if values else None

    @cached_property
    def differences(self) -> dict[str, tuple[Difference, float | None]]:
        """Cell -> top-1 difference to its baseline and Holm-corrected p, over all of them."""
        found = {}
        for variant in self.variants:
            baseline = self.baseline_of(variant)
            if baseline is None or baseline is variant:
                continue
            if difference := self.paired(variant, baseline):
                found[variant.cell] = difference
        tested = {cell: d.p for cell, d in found.items() if d.p is not None}
        corrected = dict(zip(tested, estimates.holm(list(tested.values())), strict=True))
        return {cell: (d, corrected.get(cell)) for cell, d in found.items()}

    def count(self, variant: Variant, metric: str, part: str = "") -> float | None:
        """A number that has no noise: parameters or MACs, of the whole or of a part."""
        return next(iter(self.values(variant, metric, part)), None)

    def parts(self, variant: Variant, metric: str) -> list[str]:
        """Parts that a metric was counted for."""
        return self.samples.parts(variant.cell, metric)

    @property
    def mode(self) -> str:
        """The mode that latency is quoted in; `in_mode` names a metric of another one."""
        return self.study.cost.modes[0]

    def in_mode(self, metric: str, mode: str) -> str:
        """A metric's name in a mode: "latency" in the quoted one, "latency compile" in another."""
        return metric if mode == self.mode else f"{metric} {mode}"

    def batch_sizes(self, metric: str) -> list[int]:
        """Batch sizes that any cell has a metric at, ascending."""
        return self.samples.batch_sizes(metric)

    def by_round(self, variant: Variant, metric: str, batch: int) -> dict[int, float]:
        """Timing round -> median of the samples of that round."""
        return self.samples.by_round((variant.cell, metric, "", batch))

    def values(self, variant: Variant, metric: str, part: str = "", batch: int = 0) -> list[float]:
        """Every sample of a metric; none without a result."""
        return self.samples.values((variant.cell, metric, part, batch))

    def cost(self, variant: Variant, metric: str, batch: int) -> Estimate | None:
        """Median over rounds with its interval; None without a result."""
        values = list(self.by_round(variant, metric, batch).values())
        return estimates.median_interval(values) if values else None

    def model_of(self, variant: Variant) -> str:
        """Identity of the model whose costs a cell has; its own name where no record names it.

        Cells that differ in training alone have equal ones, and share one measurement of each cost.
        """
        outcome = self._costs.get(variant.cell)
        records = [outcome.record, *(o.record for o in outcome.elsewhere)] if outcome else []
        return next((record.identity for record in records if record), variant.cell)

    def same_model(self, ours: Variant, theirs: Variant) -> bool:
        """Whether two cells share a model, and so every cost, by definition."""
        return self.model_of(ours) == self.model_of(theirs)

    @cached_property
    def by_model(self) -> list[list[Variant]]:
        """The cells of each model, in the order of the first of them."""
        groups: dict[str, list[Variant]] = {}
        for variant in self.variants:
            groups.setdefault(self.model_of(variant), []).append(variant)
        return list(groups.values())

    @cached_property
    def is_one_model(self) -> bool:
        """Whether several cells all share one model: no cost can differ between them."""
        return len(self.by_model) == 1 and len(self.variants) > 1

    def compares_costs(self, metric: str, batch: int) -> bool:
        """Whether any cell's cost is compared with that of another model, its baseline."""
        ratios = (self.ratio_to_baseline(variant, metric, batch) for variant in self.variants)
        return any(ratio is not None and ratio is not SAME for ratio in ratios)

    def ratio(self, ours: Variant, theirs: Variant, metric: str, batch: int) -> Estimate | None:
        """Median of the ratios within rounds; None unless both are of one timing run.

        Exactly 1, without an interval, for cells that share a model: nothing was compared.
        """
        if self.same_model(ours, theirs):
            return SAME if self.by_round(ours, metric, batch) else None
        mine, other = self.cost_record(ours), self.cost_record(theirs)
        if mine is None or other is None or mine.timing_run != other.timing_run:
            return None
        return estimates.median_ratio(
            self.by_round(ours, metric, batch), self.by_round(theirs, metric, batch)
        )

    def ratio_to_baseline(self, variant: Variant, metric: str, batch: int) -> Estimate | None:
        """Ratio to the baseline, timed in the same run; None for a baseline itself."""
        baseline = self.baseline_of(variant)
        if baseline is None or baseline is variant:
            return None
        if ratio := self.ratio(variant, baseline, metric, batch):
            return ratio
        theirs = self.reference_rounds(variant, metric, batch)
        return estimates.median_ratio(self.by_round(variant, metric, batch), theirs)

    def reference_rounds(self, variant: Variant, metric: str, batch: int) -> dict[int, float]:
        """Rounds of the baseline in the timing run that this cell's cost is of, else none.

        The baseline's own number may be of another timing run than the one beside this cell.
        """
        outcome, mine = self._costs.get(variant.cell), self.cost_record(variant)
        reference = outcome.reference if outcome else None
        if mine is None or reference is None or mine.timing_run != reference.timing_run:
            return {}
        return record_rounds(reference, metric, batch, self.mode)

    def cost_record(self, variant: Variant) -> Record | None:
        """The cost record that a cell's costs are read from."""
        outcome = self._costs.get(variant.cell)
        return outcome.record if outcome and outcome.is_done else None

    def elsewhere(self, variant: Variant) -> Sequence[Elsewhere]:
        """Costs of a cell on other devices."""
        outcome = self._costs.get(variant.cell)
        return outcome.elsewhere if outcome else ()

    def jobs(self, variant: Variant) -> list[Outcome]:
        """All outcomes of a cell, less those of tuning: they count in nothing but its table."""
        return self._by_cell[variant.cell]

    def tuning(self, variant: Variant) -> list[Outcome]:
        """The tuning outcomes of a cell; none where the study tunes nothing."""
        return self._tuning.get(variant.cell, [])

    def views(self, variant: Variant) -> list[int]:
        """Test clips (times crops) that an answer is averaged over; [] where nobody knows yet."""
        records = [one.record for one in self.jobs(variant) if one.is_done and one.record]
        top1 = [one for record in records for one in record.measurements if one.metric == "top1"]
        return sorted({int(one.conditions["views"]) for one in top1 if "views" in one.conditions})

    def has_artifact(self, variant: Variant, name: str) -> bool:
        """Whether a finished seed left it, readable or not."""
        records = (one.record for one in self.jobs(variant) if one.is_done)
        return any(record is not None and name in record.artifacts for record in records)

    def arrays(self, variant: Variant, name: str) -> list[Arrays]:
        """An artifact of every finished seed that could be read."""
        return list(self.arrays_by_seed(variant, name).values())

    def arrays_by_seed(self, variant: Variant, name: str) -> dict[int, Arrays]:
        """Arrays as `arrays`, with the seed of each."""
        found = {}
        for outcome in self.jobs(variant):
            if outcome.seed is not None and outcome.is_done:
                arrays = self.artifacts.load(outcome, name)
                if arrays is not None:
                    found[outcome.seed] = arrays
        return found

    @cached_property
    def _by_levels(self) -> dict[tuple[tuple[str, str], ...], Variant]:
        return {tuple(variant.levels.items()): variant for variant in self.variants}

    @cached_property
    def _by_cell(self) -> dict[str, list[Outcome]]:
        return self._grouped(is_tuning=False)

    @cached_property
    def _tuning(self) -> dict[str, list[Outcome]]:
        return self._grouped(is_tuning=True)

    def _grouped(self, is_tuning: bool) -> dict[str, list[Outcome]]:
        found: dict[str, list[Outcome]] = {outcome.cell: [] for outcome in self.outcomes}
        for outcome in self.outcomes:
            if (outcome.kind == "tune") is is_tuning:
                found[outcome.cell].append(outcome)
        return found

    @cached_property
    def _costs(self) -> dict[str, Outcome]:
        return {outcome.cell: outcome for outcome in self.outcomes if outcome.kind == "cost"}

    def _rank(self, levels: Mapping[str, str]) -> tuple[int, ...]:
        ranks = []
        for name, choices in self.study.factors.items():
            labels = [choice.label for choice in choices]
            ranks.append(labels.index(levels[name]) if levels.get(name) in labels else len(labels))
        return tuple(ranks)


def short_name(factor: str) -> str:
    """The last part of a dotted key, in words: "data.frames" -> "frames"."""
    return factor.rsplit(".", 1)[-1].replace("_", " ")


def short_label(levels: Mapping[str, str]) -> str:
    """Text such as "VLF, frames 8"; names a factor only if it is a dotted key with bare levels."""
    words = [
        f"{short_name(factor)} {level}" if "." in factor else level
        for factor, level in levels.items()
    ]
    return ", ".join(words) or "base"
