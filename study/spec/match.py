"""The section `match`: variants that are scaled to equal cost before they are compared.

What it may say is read here, and which cell is scaled by which key; study/match/cells.py finds the
values (docs/study_format.md).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from study.spec.errors import expected, one_of, shown, unknown
from study.spec.factors import Factors, fields_of, find_level, kinds, read_match
from study.spec.sections import entries
from study.spec.yaml_nodes import BLANK, Node, resolve_scalar
from vlf.config import nearest

Metric = Literal["macs", "parameters", "latency"]

KEYS = ("metric", "to", "by", "within")
SCALE_KEYS = ("key", "min", "max")
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {  # -> in words, and units of a target
    "macs": ("MACs", ("mac", "macs")),
    "parameters": ("parameters", ("parameter", "parameters")),
    "latency": ("latency", ()),
}
TIMED = "latency"  # chosen by timing, the others by counting
WITHIN = 0.05
PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}

_AMOUNT = re.compile(r"(?P<number>[0-9.][0-9.eE+\-]*)\s*(?P<prefix>[kMG]?)\s*(?P<unit>[A-Za-z]*)")
_SHARE = re.compile(r"(?P<number>[0-9.][0-9.eE+\-]*)\s*%")


@dataclass(frozen=True)
class Scale:
    """A key by which some cells may be scaled.

    Attributes:
        name: As the file names the cells: "vlf", "no g", "variant=no g".
        levels: Factor -> label that they have; empty where an architecture is named.
        architecture: That they have, or "".
        field: Of `model`, a whole number; "" where they stay as they are.
        low: Smallest value tried; None takes the config's own bound.
        high: Largest, alike.
    """

    name: str
    levels: Mapping[str, str]
    architecture: str
    field: str
    low: int | None = None
    high: int | None = None

    def covers(self, levels: Mapping[str, str], architecture: str) -> bool:
        """True if a cell is among those that are named."""
        named = self.levels.items() <= levels.items()
        return named if self.levels else self.architecture == architecture


@dataclass(frozen=True)
class Matching:
    """The section `match`: cells to scale, keys to scale them by, and the target cost.

    Attributes:
        metric: What is made equal.
        to: Factor -> label of the cells that set the cost, each for those that have its levels of
            all other factors; or the cost itself, unless it is timed.
        by: What may be scaled; a level's entry goes before an architecture's.
        within: How far from the target a cost may be, as a share of it.
    """

    metric: Metric
    to: Mapping[str, str] | float
    by: tuple[Scale, ...]
    within: float = WITHIN

    @property
    def metric_words(self) -> str:
        """The metric as a sentence has it."""
        return METRICS[self.metric][0]

    @property
    def is_timed(self) -> bool:
        """Whether values are chosen by timing (study/match/resolve.py), not counting."""
        return self.metric == TIMED

    def is_near(self, ratio: float) -> bool:
        """True if a cost, as a multiple of its target, is within the tolerance."""
        return abs(ratio - 1) <= self.within + 1e-9  # 0.95 is within 5 %

    def target_of(self, levels: Mapping[str, str]) -> dict[str, str] | None:
        """Levels of the cell that sets a cell's cost, perhaps itself; None where a number does."""
        return None if isinstance(self.to, float) else {**levels, **self.to}

    def scales_of(self, levels: Mapping[str, str], architecture: str) -> list[Scale]:
        """Entries that name a cell, those that count: of levels, else of its architecture.

        A target has none: it stays as it is.
        """
        if self.target_of(levels) == dict(levels):
            return []
        found = [one for one in self.by if one.covers(levels, architecture)]
        return [one for one in found if one.levels] or found


def read_matching(
    node: Node | None, factors: Factors, baseline: Mapping[str, object]
) -> Matching | None:
    """The section `match`; None where there is none.

    Args:
        node: Of the file.
        factors: Of the study.
        baseline: Whose costs are the target, where the section does not say.

    Raises:
        StudyError: At the key that is at fault.
    """
    parts = entries(node, KEYS)
    if node is None:
        return None
    if not factors:
        raise node.error("needs factors: one cell has nothing to be matched with")
    for name in ("metric", "by"):
        if name not in parts:
            raise node.error(f"{name} is required")
    metric = _read_metric(parts["metric"])
    by = tuple(_read_scale(name, one, factors) for name, one in entries(parts["by"]).items())
    if not any(one.field for one in by):
        raise parts["by"].error("names nothing that may be scaled")
    to = _read_target(parts.get("to"), metric, factors, baseline)
    return Matching(metric, to, by, _read_within(parts.get("within")))


def _read_metric(node: Node) -> Metric:
    if node.value not in METRICS:
        raise node.error(one_of(node.plain(), METRICS))
    return cast(Metric, node.value)


def _read_target(
    node: Node | None, metric: str, factors: Factors, baseline: Mapping[str, object]
) -> Mapping[str, str] | float:
    if node is None:
        return {name: str(label) for name, label in baseline.items()}
    if isinstance(node.value, dict):
        return read_match(node, factors)
    words, units = METRICS[metric]
    if metric == TIMED:
        message = "expected {factor: level}: a latency is compared with one timed beside it, got "
        raise node.error(message + shown(node.plain()))
    found = _AMOUNT.fullmatch(node.text.strip())
    amount = found and _positive(found["number"])
    if not found or not amount or found["unit"].lower() not in ("", *units):
        wanted = f"{{factor: level}}, or {words} such as 40e6 or 40 M"
        raise node.error(expected(wanted, node.plain()))
    return amount * PREFIXES[found["prefix"]]


def _read_within(node: Node | None) -> float:
    if node is None:
        return WITHIN
    found = _SHARE.fullmatch(node.text.strip())
    number = _positive(found["number"]) if found else None
    if number is None or number >= 100:
        raise node.error(f"expected a share of the target such as 5%, got {shown(node.plain())}")
    return number / 100


def _positive(text: str) -> float | None:
    value = resolve_scalar(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
        return None
    return float(value)


def _read_scale(name: str, node: Node, factors: Factors) -> Scale:
    """One entry of `by`: what it names, and a key or {key: model.width, min: 8, max: 96}."""
    levels, architecture = _read_name(name, node, factors)
    if node.value in (None, BLANK):
        return Scale(name, levels, architecture, "")
    if isinstance(node.value, dict):
        parts = entries(node, SCALE_KEYS)
        if "key" not in parts:
            raise node.error("key is required")
        field = _read_key(parts["key"], architecture, factors)
        low, high = _read_bound(parts.get("min")), _read_bound(parts.get("max"))
        if low is not None and high is not None and low >= high:
            raise node.error(f"min must be less than max, got {low} and {high}")
        return Scale(name, levels, architecture, field, low, high)
    return Scale(name, levels, architecture, _read_key(node, architecture, factors))


def _read_name(name: str, node: Node, factors: Factors) -> tuple[dict[str, str], str]:
    """The level, or the architecture, that an entry is about."""
    factor, equals, label = (part.strip() for part in name.partition("="))
    if equals and factor in factors:
        named = Node(resolve_scalar(label), label, node.key, node.place)
        return {factor: find_level(named, factor, factors[factor])}, ""
    having = [one for one, levels in factors.items() if name in {each.label for each in levels}]
    if len(having) > 1:
        ways = " or ".join(f'"{one}={name}"' for one in having)
        raise node.error(f'the level "{name}" is of several factors; write {ways}')
    if having:
        return {having[0]: name}, ""
    if name in kinds("model"):
        return {}, name
    labels = [each.label for levels in factors.values() for each in levels]
    near = nearest(name, [*labels, *kinds("model")])
    allowed = f"levels: {', '.join(dict.fromkeys(labels))}; architectures: "
    raise node.error(f"is no level or architecture{near} ({allowed}{', '.join(kinds('model'))})")


def _read_key(node: Node, architecture: str, factors: Factors) -> str:
    section, _, field = node.text.strip().partition(".")
    known = list(kinds("model")[architecture].model_fields) if architecture else fields_of("model")
    if section != "model" or not field:
        near = nearest(node.text, [f"model.{one}" for one in known])
        raise node.error(f"expected a key of the model, got {shown(node.plain())}{near}")
    if field not in known:
        what = f'{architecture} has no "model.{field}": ' if architecture else ""
        raise node.error(what + unknown(field, known))
    if f"model.{field}" in factors:
        raise node.error(f"model.{field} is a factor of this study, which sets it")
    return field


def _read_bound(node: Node | None) -> int | None:
    if node is None:
        return None
    if isinstance(node.value, bool) or not isinstance(node.value, int):
        raise node.error(expected("a whole number", node.plain()))
    return node.value
