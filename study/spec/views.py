"""Views of the report's page (`report.views`): checked against what the study has."""

import re
from collections.abc import Mapping

from study.spec.claims import factor_of
from study.spec.factors import Factors, find_level
from study.spec.sections import entries, items
from study.spec.settings import VIEW_METRICS, CostConfig, ReportConfig, ViewConfig
from study.spec.yaml_nodes import Node, resolve_scalar
from study.spec.yaml_words import composed
from vlf.config import nearest

TO_BASELINE = "to baseline"  # top1: difference in points; latency, throughput: ratio
WITH_BASELINE = ("top1", "latency", "throughput")

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
        if name not in WITH_BASELINE:
            allowed = ", ".join(WITH_BASELINE)
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
