"""The metrics that records hold: title, unit, better direction, spread, and where each can be used.

A new metric is its file in study/measure/metrics, a line in METRICS of that package, and an entry
here (docs/internals/extending.md). The order is that of menus and messages.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Spread = Literal["seeds", "rounds", "none"]
Kind = Literal["accuracy", "timing", "count"]
Better = Literal["lower", "higher"] | None


@dataclass(frozen=True)
class MetricInfo:
    """Facts about one metric.

    Attributes:
        title: Name on an axis.
        unit: Unit of each sample; "1" for a pure number.
        better: The direction of an improvement; None if neither is one.
        spread: What its samples vary over: training runs, timing rounds, or nothing.
        claims: How a claim about it is tested; None if claims cannot name it.
        in_views: Whether `report.views` can show it.
        to_baseline: Whether a view can show it relative to the baseline.
    """

    title: str
    unit: str
    better: Better
    spread: Spread = "none"
    claims: Kind | None = None
    in_views: bool = True
    to_baseline: bool = False

    @property
    def unit_shown(self) -> str:
        """The unit beside a title; "" for counts."""
        return "" if self.unit in ("1", "MAC") else self.unit


def _accuracy(title: str, to_baseline: bool = False) -> MetricInfo:
    return MetricInfo(title, "%", "higher", "seeds", "accuracy", to_baseline=to_baseline)


def _hidden(title: str, unit: str, better: Better = "lower") -> MetricInfo:
    return MetricInfo(title, unit, better, in_views=False)


METRIC_INFO: dict[str, MetricInfo] = {
    "top1": _accuracy("Top-1", to_baseline=True),
    "top5": _accuracy("Top-5"),
    "verb_top1": _accuracy("Verb top-1"),  # of data with a verb head and a noun head
    "verb_top5": _accuracy("Verb top-5"),
    "noun_top1": _accuracy("Noun top-1"),
    "noun_top5": _accuracy("Noun top-5"),
    "val_top1": MetricInfo("Validation top-1", "%", "higher", "seeds"),
    "training_time": MetricInfo("Training time", "s", "lower", "seeds"),
    "parameters": MetricInfo("Parameters", "1", "lower", "none", "count"),
    "macs": MetricInfo("MACs per clip", "MAC", "lower", "none", "count"),
    "latency": MetricInfo("Latency", "ms", "lower", "rounds", "timing", to_baseline=True),
    "throughput": MetricInfo(
        "Throughput", "clips/s", "higher", "rounds", "timing", to_baseline=True
    ),
    "energy": MetricInfo("Energy", "J", "lower", "rounds"),
    "peak_memory": MetricInfo("Peak memory", "MiB", "lower", "rounds", "timing"),
    "training_memory": MetricInfo("Training memory", "MiB", "lower", "rounds"),
    "fvcore_macs": _hidden("MACs, counted by fvcore", "MAC"),
    "fvcore_extras": _hidden("Other operations, counted by fvcore", "1"),
    "activations": _hidden("Activations", "1"),
    "part_latency": _hidden("Latency inside the whole model", "ms"),
    "logit_difference": _hidden("Difference of logits to eager mode", "1"),
    "peak_rate": _hidden("Peak rate of the machine", "GMAC/s", "higher"),
    "sweep_throughput": _hidden("Throughput, by batch size", "clips/s", "higher"),
    "sweep_memory": _hidden("Peak memory, by batch size", "MiB"),
    "trained_parameters": _hidden("Trained parameters", "1", None),
    "feature_storage": _hidden("Disk space of stored features", "MiB"),
}
CLAIM_METRICS: dict[str, Kind] = {
    name: info.claims for name, info in METRIC_INFO.items() if info.claims is not None
}
VIEW_METRICS: dict[str, Spread] = {
    name: info.spread for name, info in METRIC_INFO.items() if info.in_views
}
COMPARED = tuple(name for name, info in METRIC_INFO.items() if info.to_baseline)
TOP = (1, 5)


def info_of(metric: str) -> MetricInfo:
    """Facts about a metric; "peak_rate_bf16" and "action_top1" are of a family with one entry.

    Raises:
        KeyError: If there is no such metric.
    """
    head, _, accuracy = metric.rpartition("_")
    if metric.startswith("peak_rate_"):
        metric = "peak_rate"
    elif metric not in METRIC_INFO and head and accuracy in ("top1", "top5"):
        metric = accuracy
    return METRIC_INFO[metric]


def accuracies_of(heads: Mapping[str, int]) -> list[str]:
    """Accuracies of data with these heads (name -> classes), such as "top1", "verb_top5".

    Beyond top-1, k is below the number of classes: otherwise every answer is right.
    """
    names = [f"top{k}" for k in TOP if k == 1 or math.prod(heads.values()) > k]
    for name, classes in heads.items() if len(heads) > 1 else ():
        names += [f"{name}_top{k}" for k in TOP if classes > k]
    return names
