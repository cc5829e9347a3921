"""The sections of a study file that are not a run: from nodes to plain, checked values."""

import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel

from study.records.metric_names import COMPARED, VIEW_METRICS
from study.spec.claims import factor_of
from study.spec.errors import InvalidError, expected, one_of, shown, unknown, validate
from study.spec.factors import Factors, find_level, read_match
from study.spec.settings import CostConfig, Race, ReportConfig, ViewConfig
from study.spec.yaml_nodes import Node, complain, resolve_scalar
from study.spec.yaml_words import composed
from vlf.config import nearest

C = TypeVar("C", bound=BaseModel)

DESIGNS = ("grid", "one_at_a_time")
SEEDS_HINT = "list each seed, such as [0, 1, 2], or race them: {from: 3, to: 20}"


def entries(node: Node | None, allowed: tuple[str, ...] = ()) -> dict[str, Node]:
    """The nodes of a mapping; one that is missing has none.

    Raises:
        StudyError: If it is no mapping, or a key is not among `allowed` (where given).
    """
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        raise node.error(expected("a mapping", node.plain()))
    for key, one in node.value.items():
        if allowed and key not in allowed:
            raise one.error(unknown(key, allowed))
    return dict(node.value)


def items(node: Node | None, what: str, hint: str = "") -> list[Node]:
    """The nodes of a list; one that is missing has none.

    Raises:
        StudyError: If it is no list of `what`.
    """
    if node is None:
        return []
    if not isinstance(node.value, list):
        written = isinstance(node.value, int | float | str)
        hint = f"; {hint}" if hint and written else ""
        raise node.error(expected(f"a list of {what}", node.plain()) + hint)
    return list(node.value)


def read_text_line(node: Node) -> str:
    """Text that says something, on one line.

    Raises:
        StudyError: If it is no text, or empty.
    """
    if not isinstance(node.value, str) or not node.value.strip():
        raise node.error(f"expected text, got {shown(node.plain())}")
    return " ".join(node.value.split())


def read_config(cls: type[C], node: Node | None) -> C:
    """A section that a pydantic class describes.

    Raises:
        StudyError: At the key that is at fault.
    """
    values = {key: one.plain() for key, one in entries(node).items()}
    try:
        return validate(cls, values)
    except InvalidError as error:
        assert node is not None, "a section that is not written has its defaults"
        at = node
        for part in error.key:
            below = dict(enumerate(at.value)) if isinstance(at.value, list) else at.value
            if not isinstance(below, dict) or part not in below:
                break
            at = below[part]
        raise complain(at.place, (*node.key, *error.key), error.message) from None


def read_seeds(node: Node | None) -> tuple[int, ...]:
    """Seeds, [0] where nothing is said; an empty list is a study of costs alone.

    Raises:
        StudyError: If they are not distinct whole numbers from 0.
    """
    if node is None:
        return (0,)
    seeds: dict[int, None] = {}  # in the file's order
    for one in items(node, "whole numbers", SEEDS_HINT):
        seed = one.value
        if not isinstance(seed, int) or isinstance(seed, bool):
            hint = f"; {SEEDS_HINT}" if isinstance(seed, str) else ""
            raise one.error(expected("a whole number", one.plain()) + hint)
        if not 0 <= seed < 2**32:
            raise one.error(f"must be from 0 to {2**32 - 1}, got {seed}")
        if seed in seeds:
            raise one.error(f"duplicate seed {seed}")
        seeds[seed] = None
    return tuple(seeds)


def read_race(node: Node | None) -> Race | None:
    """The section `seeds` where it is a race.

    Raises:
        StudyError: At the key that is at fault.
    """
    is_race = node is not None and isinstance(node.value, dict)
    return read_config(Race, node) if is_race else None


def read_design(node: Node | None) -> str:
    """The design, "grid" where none is given.

    Raises:
        StudyError: If it is none of the designs.
    """
    if node is not None and node.value not in DESIGNS:
        raise node.error(one_of(node.plain(), DESIGNS))
    return "grid" if node is None else str(node.value)


def read_paired(node: Node | None, factors: Factors) -> tuple[tuple[str, ...], ...]:
    """Groups of factors whose levels move together.

    Raises:
        StudyError: If a factor is unknown or in two groups, or their levels differ in number.
    """
    seen: set[str] = set()
    groups = []
    for group in items(node, "groups of factors"):
        names = [_read_factor_name(one, factors, seen) for one in items(group, "factors")]
        counts = [len(factors[name]) for name in names]
        if len(names) < 2:
            raise group.error(f"needs at least two factors, got {len(names)}")
        if len(set(counts)) > 1:
            each = ", ".join(f"{n} has {count}" for n, count in zip(names, counts, strict=True))
            raise group.error(f"needs factors with as many levels as each other, but {each}")
        groups.append(tuple(names))
    return tuple(groups)


def _read_factor_name(node: Node, factors: Factors, seen: set[str]) -> str:
    name = composed(node.text)
    if not factors:
        raise node.error("there are no factors to pair")
    if name not in factors:
        raise node.error(one_of(node.plain(), factors))
    if name in seen:
        raise node.error(f"the factor {name} is paired twice")
    seen.add(name)
    return name


def read_report(
    node: Node | None, factors: Factors, design: str, paired: tuple[tuple[str, ...], ...]
) -> ReportConfig:
    """The section `report`, its baseline resolved to labels.

    Raises:
        StudyError: If the baseline's levels do not exist, or paired ones do not belong together.
    """
    parts = entries(node)
    baseline_node = parts.pop("baseline", None)
    rest = None if node is None else Node(parts, "", node.key, node.place)
    report = read_config(ReportConfig, rest)
    baseline: dict[str, str] = {}
    if baseline_node is not None and entries(baseline_node):
        baseline = read_match(baseline_node, factors)
        for group in paired:
            _follow_pair(baseline_node, baseline, factors, group)
    baseline = complete_baseline(baseline, factors, design)
    return report.model_copy(update={"baseline": baseline})


def _follow_pair(
    node: Node, baseline: dict[str, str], factors: Factors, group: tuple[str, ...]
) -> None:
    """A baseline that names one of a pair names all of it."""
    named = {
        [level.label for level in factors[name]].index(baseline[name])
        for name in group
        if name in baseline
    }
    if len(named) > 1:
        raise node.error(f"the levels of {', '.join(group)} are not of one pair")
    for index in named:
        baseline.update({name: factors[name][index].label for name in group})


def complete_baseline(baseline: Mapping[str, str], factors: Factors, design: str) -> dict[str, str]:
    """Fill in the baseline: first levels for one_at_a_time, the first factor's for a grid."""
    first = {name: levels[0].label for name, levels in factors.items()}
    if design == "one_at_a_time":
        return {**first, **baseline}
    return dict(baseline) or dict(list(first.items())[:1])


TO_BASELINE = "to baseline"  # top1: difference in points; latency, throughput: ratio

_METRIC = re.compile(r"(?P<name>\w+)(?: (?P<rest>[\w ]+?))?(?:@(?P<batch>\w+))?")


def settle_views(
    report: ReportConfig, node: Node | None, factors: Factors, cost: CostConfig
) -> ReportConfig:
    """The section `report` with its views complete: metrics checked, variants "factor=label".

    Raises:
        StudyError: At the first view that shows what the study does not have.
    """
    nodes = items(entries(node).get("views"), "views")
    seen: set[str] = set()
    views = []
    for view, one in zip(report.views, nodes, strict=True):
        parts = entries(one)
        if view.name in seen:
            raise parts["name"].error(f'two views have the name "{view.name}"')
        seen.add(view.name)
        views.append(_settle(view, parts, factors, cost))
    return report.model_copy(update={"views": views})


def _settle(
    view: ViewConfig, parts: Mapping[str, Node], factors: Factors, cost: CostConfig
) -> ViewConfig:
    axes = {axis: _settle_metric(getattr(view, axis), parts.get(axis), cost) for axis in "xy"}
    variants = [_settle_level(one, factors) for one in items(parts.get("variants"), "levels")]
    return view.model_copy(update={**axes, "variants": list(dict.fromkeys(variants))})


def _settle_metric(text: str, node: Node | None, cost: CostConfig) -> str:
    """A metric in full: "latency" is "latency@1" where 1 is the first batch size."""
    if node is None:
        return text  # a default: has no batch size
    found = _METRIC.fullmatch(text.strip())
    name = found["name"] if found else text
    if found is None or name not in VIEW_METRICS:
        allowed = ", ".join(VIEW_METRICS)
        raise node.error(f'unknown metric "{name}"{nearest(name, VIEW_METRICS)} ({allowed})')
    rest, batch = found["rest"] or "", found["batch"]
    is_timed = VIEW_METRICS[name] == "rounds"
    if rest == TO_BASELINE:
        if name not in COMPARED:
            allowed = ", ".join(COMPARED)
            raise node.error(f"{name} is not compared with the baseline (allowed: {allowed})")
    elif rest and not (is_timed and rest in cost.modes):
        known = [TO_BASELINE, *cost.modes]
        raise node.error(f'{name} has no "{rest}"{nearest(rest, known)} ({", ".join(known)})')
    rest = "" if rest == cost.modes[0] else f" {rest}" if rest else ""
    if not is_timed:
        if batch:
            raise node.error(f"{name} has no batch size")
        return f"{name}{rest}"
    sizes = [str(size) for size in cost.batch_sizes]
    if batch and batch not in sizes:
        raise node.error(
            f"batch size {batch} is not measured (cost.batch_sizes: {', '.join(sizes)})"
        )
    return f"{name}{rest}@{batch or sizes[0]}"


def _settle_level(node: Node, factors: Factors) -> str:
    name, equals, label = (part.strip() for part in composed(node.text).partition("="))
    if equals and name not in factors:
        allowed = ", ".join(factors) or "none"
        raise node.error(f'unknown factor "{name}"{nearest(name, factors)} ({allowed})')
    factor = name if equals else factor_of(node, name, factors)
    text = label if equals else name
    named = Node(resolve_scalar(text), text, node.key, node.place)
    return f"{factor}={find_level(named, factor, factors[factor])}"
