"""Claims of a study file: what its author says the numbers will show (docs/study_format.md).

    METRIC[LEVEL, ...] OP [NUMBER *] METRIC[LEVEL, ...] [within MARGIN]
    METRIC[LEVEL, ...] OP NUMBER
    wins[LEVEL, ... over LEVEL, ...] > 0.5          of training runs, in top-1

Parsed when the file is read, so that a claim about what the study does not have is an error now and
not a silence in the report. Judged by `analysis`.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from study.records.metric_names import CLAIM_METRICS, Kind
from study.spec.errors import shown
from study.spec.factors import Factors, find_level
from study.spec.settings import CostConfig
from study.spec.yaml_nodes import Node, resolve_scalar
from study.spec.yaml_words import composed
from vlf.config import nearest

Operator = Literal[">", "<", ">=", "<=", "=="]
BATCH = "batch_size"

_SIDE = r"(?P<{0}>[A-Za-z_]\w*)\s*\[(?P<{0}_levels>[^\[\]]*)\]"
_NUMBER = r"[0-9.][0-9.eE+\-]*"
_CLAIM = re.compile(
    rf"{_SIDE.format('left')}\s*(?P<operator>>=|<=|==|>|<)\s*"
    rf"(?:(?:(?P<factor>{_NUMBER})\s*\*\s*)?{_SIDE.format('right')}|(?P<constant>{_NUMBER}))"
    rf"(?:\s+within\s+(?P<margin>{_NUMBER})\s*(?P<percent>%)?)?"
)
_FORM = "METRIC[LEVEL, ...] OP [NUMBER *] METRIC[LEVEL, ...] with OP >, <, >=, <= or =="
_WINS = re.compile(r"wins\s*\[(?P<left>[^\[\]]*)\]\s*(?P<rest>.*)")
_WINS_FORM = "wins[LEVEL, ... over LEVEL, ...] > 0.5"


@dataclass(frozen=True)
class Side:
    """The cells that one side of a claim names.

    Attributes:
        levels: Factor -> label of the factors that are named; the others are free.
        batch_size: Of a metric that has one; None takes the first that the study measures.
    """

    levels: Mapping[str, str]
    batch_size: int | None = None

    def covers(self, levels: Mapping[str, str]) -> bool:
        """True if a cell is among them."""
        return self.levels.items() <= levels.items()


@dataclass(frozen=True)
class Claim:
    """`left OP factor * right`, or `left OP factor` where there is no right side.

    Attributes:
        text: As written, on one line.
        metric: A key of CLAIM_METRICS.
        left: Cells on the left.
        operator: How they compare.
        factor: What the right side is multiplied by, or the number on the right.
        right: Cells on the right; each is compared with the cell on the left that has the same
            levels of all factors that neither side names.
        margin: How far the left may miss the right and still count as equal (or, for >= and <=, as
            no worse): points of an accuracy, a share (0.05 is 5 %) of a timing; 0 is none.
        is_wins: The left is better than the right in more than half of all training runs; a claim
            about the sign of each difference, not about their mean.
    """

    text: str
    metric: str
    left: Side
    operator: Operator
    factor: float
    right: Side | None
    margin: float = 0.0
    is_wins: bool = False

    @property
    def kind(self) -> Kind:
        """The variation that its numbers have."""
        return CLAIM_METRICS[self.metric]

    @property
    def canonical(self) -> str:
        """The same for claims that say the same, however they are written."""
        if self.is_wins and self.right is not None:
            return f"wins[{_levels(self.left)} over {_levels(self.right)}] > 0.5"
        right = "" if self.right is None else f" * {_shown(self.metric, self.right)}"
        within = f" within {self.margin:g}" if self.margin else ""
        left = _shown(self.metric, self.left)
        return f"{left} {self.operator} {self.factor:g}{right}{within}"

    @property
    def region(self) -> tuple[float, float]:
        """Region of the effect if the claim is true.

        The effect of an accuracy is the left minus `factor` times the right, in points; of anything
        else it is the left over the right, or the left alone beside a number.
        """
        if self.kind == "accuracy":
            low, high = -self.margin, self.margin
        else:
            low, high = self.factor * (1 - self.margin), self.factor * (1 + self.margin)
        if self.operator == "==":
            return low, high
        return (low, math.inf) if self.operator in (">", ">=") else (-math.inf, high)

    @property
    def possible(self) -> tuple[float, float]:
        """Smallest and largest effect of an accuracy, in points."""
        if self.right is None:
            return -self.factor, 100 - self.factor
        return -100 * self.factor, 100.0

    def effects(
        self,
        ours: Mapping[int, float],
        theirs: Mapping[int, float] | None,
        seeds: Iterable[int],
    ) -> list[float]:
        """Effect of an accuracy at each common seed, in the order of seeds.

        Args:
            ours: Seed -> accuracy of the left cell, in percent.
            theirs: As much of the right cell; None where a number is on the right.
            seeds: In the order of collection.
        """
        if theirs is None:
            return [ours[seed] - self.factor for seed in seeds if seed in ours]
        shared = ours.keys() & theirs.keys()
        return [ours[seed] - self.factor * theirs[seed] for seed in seeds if seed in shared]

    def pairs(
        self, cells: Iterable[Mapping[str, str]]
    ) -> Iterator[tuple[Mapping[str, str], Mapping[str, str] | None]]:
        """Left and right cell of every comparison that the claim makes, by their levels."""
        every = list(cells)
        if self.right is None:
            yield from ((one, None) for one in every if self.left.covers(one))
            return
        there = {tuple(sorted(one.items())): one for one in every}
        for one in every:
            if self.left.covers(one):
                wanted = tuple(sorted({**one, **self.right.levels}.items()))
                if wanted in there:
                    yield one, there[wanted]


def read_claims(nodes: Sequence[Node], factors: Factors, cost: CostConfig) -> tuple[Claim, ...]:
    """The section `claims`.

    Raises:
        StudyError: At the first claim that is no claim, or is about what the study does not have.
    """
    claims: dict[str, Claim] = {}
    for node in nodes:
        claim = _read_claim(node, factors, cost)
        if claim.canonical in claims:
            raise node.error(f'"{claim.text}" says what another claim says')
        claims[claim.canonical] = claim
    return tuple(claims.values())


def _read_claim(node: Node, factors: Factors, cost: CostConfig) -> Claim:
    if not isinstance(node.value, str) or not node.value.strip():
        raise node.error(f"expected a claim, {_FORM}; got {shown(node.plain())}")
    text = composed(" ".join(node.value.split()))
    if wins := _WINS.fullmatch(text):
        return _read_wins(node, text, wins, factors, cost)
    found = _CLAIM.fullmatch(text)
    if found is None:
        raise node.error(f'"{text}" is no claim; expected {_FORM}')
    metric = found["left"]
    for name in filter(None, (metric, found["right"])):
        if name not in CLAIM_METRICS:
            allowed = ", ".join(CLAIM_METRICS)
            raise node.error(f'unknown metric "{name}"{nearest(name, CLAIM_METRICS)} ({allowed})')
    left, right = _read_side(node, metric, found["left_levels"], factors, cost), None
    if found["right"] is not None:
        if found["right"] != metric:
            raise node.error(f"compares {metric} with {found['right']}, which is another quantity")
        right = _read_side(node, metric, found["right_levels"], factors, cost)
        _check_sides(node, left, right)
    operator = cast(Operator, found["operator"])
    factor = _read_number(node, found["factor"] or found["constant"] or "1")
    margin = _read_margin(node, CLAIM_METRICS[metric], operator, found["margin"], found["percent"])
    return Claim(text, metric, left, operator, factor, right, margin)


def _read_wins(
    node: Node, text: str, found: re.Match[str], factors: Factors, cost: CostConfig
) -> Claim:
    sides = re.split(r"\s+over\s+", found["left"].strip())
    if len(sides) != 2 or not re.fullmatch(r">\s*0\.50*", found["rest"].strip()):
        raise node.error(f'"{text}" is no claim about wins; expected {_WINS_FORM}')
    left, right = (_read_side(node, "top1", side, factors, cost) for side in sides)
    _check_sides(node, left, right)
    return Claim(text, "top1", left, ">", 1.0, right, is_wins=True)


def _read_side(node: Node, metric: str, text: str, factors: Factors, cost: CostConfig) -> Side:
    levels: dict[str, str] = {}
    batch: int | None = None
    for part in text.split(",") if text.strip() else ():
        name, equals, label = (one.strip() for one in part.partition("="))
        if equals and name == BATCH and name not in factors:
            batch = _read_batch(node, metric, label, cost)
            continue
        if equals and name not in factors:
            allowed = ", ".join(factors) or "none"
            raise node.error(f'unknown factor "{name}"{nearest(name, factors)} ({allowed})')
        if equals and not label:
            raise node.error(f"expected a level behind {name}=, got nothing")
        factor = name if equals else factor_of(node, name, factors)
        if factor in levels:
            raise node.error(f"names {factor} twice in [{text.strip()}]")
        named = Node(resolve_scalar(label or name), label or name, node.key, node.place)
        levels[factor] = find_level(named, factor, factors[factor])
    return Side(levels, batch)


def factor_of(node: Node, label: str, factors: Factors) -> str:
    """The one factor that has a level of this label.

    Raises:
        StudyError: If no factor has it, or several have.
    """
    having = [name for name, levels in factors.items() if any(one.label == label for one in levels)]
    if not having:
        labels = [one.label for levels in factors.values() for one in levels]
        allowed = ", ".join(dict.fromkeys(labels)) or "none"
        raise node.error(f'no factor has the level "{label}"{nearest(label, labels)} ({allowed})')
    if len(having) > 1:
        ways = " or ".join(f"{name}={label}" for name in having)
        raise node.error(f'the level "{label}" is of several factors; write {ways}')
    return having[0]


def _read_batch(node: Node, metric: str, text: str, cost: CostConfig) -> int:
    if CLAIM_METRICS[metric] != "timing":
        raise node.error(f"{metric} has no {BATCH}")
    value = resolve_scalar(text)
    if value not in cost.batch_sizes:
        allowed = ", ".join(map(str, cost.batch_sizes))
        raise node.error(f"{BATCH} {text} is not measured (cost.batch_sizes: {allowed})")
    return int(value)


def _check_sides(node: Node, left: Side, right: Side) -> None:
    if left == right:
        raise node.error("compares cells with themselves")
    odd = left.levels.keys() ^ right.levels.keys()
    if odd:
        names = ", ".join(sorted(odd))
        raise node.error(f"names {names} on one side only; name it on both, or on neither")


def _read_margin(
    node: Node, kind: Kind, operator: Operator, text: str | None, percent: str | None
) -> float:
    if text is None:
        if operator == "==" and kind != "count":
            raise node.error("no two measured numbers are equal; say == ... within a margin")
        return 0.0
    if operator in (">", "<"):
        raise node.error(f"within goes with ==, >= or <=, not with {operator}")
    if kind == "accuracy" and percent:
        raise node.error("the margin of an accuracy is in points; write it without %")
    if kind != "accuracy" and not percent:
        raise node.error("the margin of a cost is a share of it; write it with %")
    margin = _read_number(node, text)
    return margin / 100 if percent else margin


def _read_number(node: Node, text: str) -> float:
    value = resolve_scalar(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
        raise node.error(f"expected a number above 0, got {text}")
    return float(value)


def _shown(metric: str, side: Side) -> str:
    batch = [] if side.batch_size is None else [f"{BATCH}={side.batch_size}"]
    return f"{metric}[{', '.join(filter(None, [_levels(side), *batch]))}]"


def _levels(side: Side) -> str:
    return ", ".join(f"{name}={label}" for name, label in sorted(side.levels.items()))


class Named(NamedTuple):
    """A cell: its name, and factor -> label."""

    name: str
    levels: Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """A claim about an accuracy, or a cell against its baseline.

    Attributes:
        claim: What is tested.
        pairs: Names of the cells of each comparison; None on the right where a number stands.
    """

    claim: Claim
    pairs: tuple[tuple[str, str | None], ...]

    @property
    def cells(self) -> set[str]:
        """Cells that it compares."""
        return {cell for pair in self.pairs for cell in pair if cell is not None}


def questions_of(
    claims: Sequence[Claim], baseline: Mapping[str, str], cells: Sequence[Named]
) -> tuple[Question, ...]:
    """The claims about accuracies; without one, every cell against its baseline."""
    by_levels = {tuple(sorted(cell.levels.items())): cell.name for cell in cells}

    def name_of(levels: Mapping[str, str]) -> str:
        return by_levels[tuple(sorted(levels.items()))]

    raced = [claim for claim in claims if claim.kind == "accuracy"]
    questions = [Question(claim, tuple(_pairs(claim, cells, name_of))) for claim in raced]
    if questions:
        return tuple(questions)
    for cell in cells:
        other = by_levels.get(tuple(sorted({**cell.levels, **baseline}.items())))
        if other is not None and other != cell.name:
            text = f"{cell.name} against {other}"
            claim = Claim(
                text, "top1", Side(cell.levels), ">", 1.0, Side({**cell.levels, **baseline})
            )
            questions.append(Question(claim, ((cell.name, other),)))
    return tuple(questions)


def _pairs(
    claim: Claim, cells: Sequence[Named], name_of: Callable[[Mapping[str, str]], str]
) -> Iterator[tuple[str, str | None]]:
    for left, right in claim.pairs(cell.levels for cell in cells):
        yield name_of(left), None if right is None else name_of(right)
