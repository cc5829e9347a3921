"""The numbers that the page's selectors draw: every estimate is made here, none in the browser.

A value is [estimate, low, high, n]; low and high are null where there is no interval.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from analysis.figures.style import looks
from analysis.results.frame import device_label
from analysis.results.results import SAME, Results, Variant, short_name
from analysis.results.samples import record_rounds
from analysis.stats import estimates
from analysis.stats.estimates import Difference, Estimate
from analysis.tables.notes import cost_notes, quoted_batch, train_notes, unstable
from study.records.metric_names import METRIC_INFO, VIEW_METRICS
from study.records.record import Record

Spread = Literal["seeds", "rounds", "none", "paired seeds", "paired rounds"]
Values = dict[str, list[float | None]]

TO_BASELINE = "to baseline"
RATIOS = ("latency", "throughput")  # compared with the baseline within a timing run


@dataclass(frozen=True)
class Key:
    """A quantity for an axis; its text is the one in a view of the study file.

    Attributes:
        metric: Of VIEW_METRICS.
        rest: "", a mode other than the quoted one, or "to baseline".
        batch: 0 where the metric has no batch size.
    """

    metric: str
    rest: str = ""
    batch: int = 0

    @property
    def text(self) -> str:
        """Text such as "latency compile@8"."""
        return " ".join(filter(None, (self.metric, self.rest))) + (
            f"@{self.batch}" if self.batch else ""
        )

    @property
    def spread(self) -> Spread:
        """The variation that its interval covers."""
        over = VIEW_METRICS[self.metric]
        if self.rest != TO_BASELINE:
            return over
        return "paired seeds" if over == "seeds" else "paired rounds"

    def describe(self, results: Results) -> dict[str, Any]:
        """Label and spread for the page."""
        info = METRIC_INFO[self.metric]
        name, unit = info.title, info.unit_shown
        if self.rest == TO_BASELINE and self.metric in RATIOS:
            name, unit = f"{name} / {results.baseline_label}", "ratio"
        elif self.rest == TO_BASELINE:
            name, unit = f"Δ {name} to {results.baseline_label}", "points"
        elif self.rest:
            name = f"{name}, {self.rest}"
        about = ", ".join(filter(None, (unit, f"batch {self.batch}" if self.batch else "")))
        return {
            "key": self.text,
            "label": f"{name} ({about})" if about else name,
            "spread": self.spread,
            "device": self.spread in ("rounds", "paired rounds"),
        }


def measures(results: Results) -> dict[str, Any]:
    """Metrics, devices, factors, looks and every cell's values, as plain JSON values."""
    devices: dict[str, int] = {}
    keys: dict[Key, None] = {}
    cells = [_cell(results, variant, devices, keys) for variant in results.variants]
    order = list(VIEW_METRICS)
    ordered = sorted(keys, key=lambda k: (order.index(k.metric), k.rest != "", k.rest, k.batch))
    factors = _levels(results)
    for cell, variant in zip(cells, results.variants, strict=True):
        cell["levels"] = [
            factors[name].index(variant.levels[name]) if name in variant.levels else -1
            for name in factors
        ]
    return {
        "metrics": [key.describe(results) for key in ordered],
        "devices": list(devices),
        "factors": [
            {"name": name, "title": short_name(name), "levels": levels}
            for name, levels in factors.items()
        ],
        "series": results.series_factor,
        "looks": {name: [look.color, look.marker] for name, look in looks(results).items()},
        "cells": cells,
    }


def _levels(results: Results) -> dict[str, list[str]]:
    """Factor -> the labels that any cell has, in the study's order."""
    found: dict[str, dict[str, None]] = {name: {} for name in results.factors}
    for name, levels in results.study.factors.items():
        found[name] = {level.label: None for level in levels}
    for variant in results.variants:
        for name, label in variant.levels.items():
            found[name][label] = None
    met = {(n, label) for variant in results.variants for n, label in variant.levels.items()}
    return {n: [label for label in labels if (n, label) in met] for n, labels in found.items()}


def _cell(
    results: Results, variant: Variant, devices: dict[str, int], keys: dict[Key, None]
) -> dict[str, Any]:
    costs, runs, remarks = {}, {}, {"train": train_notes(results, variant)}
    # Costs that all cells share are no axis.
    records = [] if results.is_one_model else list(_cost_records(results, variant))
    for record, reference, notes in records:
        at = devices.setdefault(device_label(record), len(devices))
        values = dict(_timings(results, variant, record, reference))
        if at not in costs and values:
            keys.update(dict.fromkeys(values))
            costs[at] = {key.text: _packed(one) for key, one in values.items()}
            runs[at] = record.timing_run[:8]
            remarks[str(at)] = notes
    own = dict(_own(results, variant))
    keys.update(dict.fromkeys(own))
    packed = {key.text: _packed(one) for key, one in own.items()}
    said = {about: notes for about, notes in remarks.items() if notes}
    return {
        "label": variant.label, "values": packed, "costs": costs, "runs": runs, "remarks": said
    }  # fmt: skip


def _own(results: Results, variant: Variant) -> Iterator[tuple[Key, Estimate | Difference]]:
    """Values of a cell on any device: accuracy over seeds, and counts."""
    for metric, spread in VIEW_METRICS.items():
        if spread == "seeds":
            samples = list(results.by_seed(variant, metric).values())
            if METRIC_INFO[metric].claims == "accuracy":
                if estimate := results.accuracy(variant, metric):
                    yield Key(metric), estimate
            elif samples:
                is_share = METRIC_INFO[metric].unit == "%"
                possible = estimates.PERCENT if is_share else (0.0, float("inf"))
                yield Key(metric), estimates.mean_interval(samples, within=possible)
        elif results.is_one_model:
            continue
        elif spread == "none" and (count := results.count(variant, metric)) is not None:
            yield Key(metric), Estimate(count, None, None, 1)
    if found := results.differences.get(variant.cell):
        yield Key("top1", TO_BASELINE), found[0]


def _cost_records(
    results: Results, variant: Variant
) -> Iterator[tuple[Record, Record | None, tuple[str, ...]]]:
    """Each cost record, the baseline's of the same timing run, and remarks; the study's first."""
    for outcome in results.jobs(variant):
        if outcome.kind == "cost" and outcome.record and outcome.status in ("done", "reused"):
            yield outcome.record, outcome.reference, cost_notes(results, variant)
    batch = quoted_batch(results) or results.study.cost.batch_sizes[0]
    for one in results.elsewhere(variant):
        if one.record.status == "done":
            rounds = record_rounds(one.record, "latency", batch, results.mode)
            notes = unstable(list(rounds.values()), batch)
            notes += ["made by other code or versions"] if one.is_other_code else []
            yield one.record, one.reference, tuple(notes)


def _timings(
    results: Results, variant: Variant, record: Record, reference: Record | None
) -> Iterator[tuple[Key, Estimate]]:
    for key, rounds in _rounds(results, record).items():
        yield key, estimates.median_interval(list(rounds.values()))
        if key.metric in RATIOS and not key.rest:
            if record is results.cost_record(variant):
                ratio = results.ratio_to_baseline(variant, key.metric, key.batch)
            else:
                ratio = _ratio(results, variant, key, record, reference, rounds)
            if ratio:
                yield Key(key.metric, TO_BASELINE, key.batch), ratio


def _ratio(
    results: Results,
    variant: Variant,
    key: Key,
    record: Record,
    reference: Record | None,
    ours: Mapping[int, float],
) -> Estimate | None:
    if reference is None or reference.timing_run != record.timing_run:
        return None
    if reference.identity == record.identity:
        return None if results.baseline_of(variant) is variant else SAME
    theirs = record_rounds(reference, key.metric, key.batch, results.mode)
    return estimates.median_ratio(ours, theirs)


def _rounds(results: Results, record: Record) -> dict[Key, dict[int, float]]:
    """Metric, mode and batch -> timing round -> median of its samples."""
    samples: dict[Key, dict[int, list[float]]] = {}
    for one in record.measurements:
        if VIEW_METRICS.get(one.metric) == "rounds" and one.part is None:
            mode = str(one.conditions.get("mode", results.mode))
            batch = int(one.conditions.get("batch_size", 0))
            key = Key(one.metric, "" if mode == results.mode else mode, batch)
            into, rounds = samples.setdefault(key, {}), one.rounds or range(len(one.samples))
            for round_, value in zip(rounds, one.samples, strict=True):
                into.setdefault(round_, []).append(value)
    return {key: {r: median(v) for r, v in found.items()} for key, found in samples.items()}


def _packed(found: Estimate | Difference) -> list[float | None]:
    return [_short(found.value), _short(found.low), _short(found.high), found.n]


def _short(value: float | None) -> float | None:
    """Whole numbers as they are, others to seven digits: half the page's size."""
    if value is None:
        return None
    return int(value) if float(value).is_integer() else float(f"{value:.7g}")
