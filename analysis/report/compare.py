"""Changes between two results folders: two commits, machines, or versions of torch.

Costs of two timing runs are not paired: an interval of their ratio holds the noise of both, and not
the drift of the machine between them. The ratio to the baseline, which each run timed beside the
cell, is free of what slows all cells alike; so both stand in the table.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analysis.report.terminal import show
from analysis.results.results import SAME, Results, Variant
from analysis.stats import estimates
from analysis.stats.estimates import Estimate
from analysis.stats.format import NONE, fixed, signed, significant
from analysis.tables.table import Align, Entry, Table
from study.records.record import Outcome
from study.spec.study import Study

HEADER = ("cell", "metric", "there", "here", "change", "")
MEMORY_NOISE_MIB = 2.0  # of a peak that is taken once
GATED = 3  # exit code


@dataclass(frozen=True)
class Change:
    """One metric of one cell in both folders.

    Attributes:
        cell: Its label.
        metric: With its unit and batch size.
        there: Of the other folder; None where it has none.
        here: Of this one.
        ratio: here / there with its interval; a difference in points for top-1.
        is_cost: Whether more is worse.
    """

    cell: str
    metric: str
    there: float | None
    here: float | None
    ratio: Estimate | None
    is_cost: bool = True

    @property
    def verdict(self) -> str:
        """Beyond noise or not, and which way."""
        still = 1.0 if self.is_cost else 0.0
        if self.ratio is None or self.ratio.low is None or self.ratio.high is None:
            return ""
        if self.ratio.low <= still <= self.ratio.high:
            return "no difference seen" if self.ratio.low < self.ratio.high else "the same"
        grew = self.ratio.low > still
        return "worse" if grew == self.is_cost else "better"

    def is_worse_by(self, share: float) -> bool:
        """True if a cost has grown by more than this share with 95 % confidence."""
        low = self.ratio.low if self.ratio else None
        return self.is_cost and low is not None and low > 1 + share


def compare_results(
    study: Study,
    here: Sequence[Outcome],
    there: Sequence[Outcome],
    gate: float | None,
    console: Console,
    roots: tuple[Path, Path] = (Path(), Path()),
) -> int:
    """Print what changed from there to here.

    Args:
        study: The question.
        here: Its outcomes in this results folder.
        there: In the other one.
        gate: As a share: 0.05 is 5 %.
        console: Where to print.
        roots: The two results folders.

    Returns:
        3 if `gate` is given and a cost has grown by more than it with confidence, else 0.
    """
    both = zip((here, there), roots, strict=True)
    changes = find_changes(*(Results(study, outcomes, root) for outcomes, root in both))
    show(changes_table(changes), console)
    if gate is None:
        return 0
    worse = [(one, one.ratio) for one in changes if one.ratio and one.is_worse_by(gate)]
    for one, ratio in worse:
        text = f"worse by more than {gate:.1%}: {one.cell}, {one.metric}: {ratio.value - 1:+.1%}"
        console.print(text, markup=False, soft_wrap=True)
    if not worse:
        console.print(f"no cost is worse by more than {gate:.1%} with 95 % confidence")
    return GATED if worse else 0


def find_changes(here: Results, there: Results) -> list[Change]:
    """Every metric that both folders have, cell by cell."""
    by_cell = {variant.cell: variant for variant in there.variants}
    pairs = [(variant, by_cell[variant.cell]) for variant in here.variants]
    return [change for mine, other in pairs for change in _changes(here, mine, there, other)]


def changes_table(changes: Sequence[Change]) -> Table:
    """One row a change; a cell's name stands once."""
    rows, before = [], ""
    for one in changes:
        name, before = ("" if one.cell == before else one.cell), one.cell
        values = [NONE if v is None else significant(v) for v in (one.there, one.here)]
        entries = [name, one.metric, *values, _change_text(one), one.verdict]
        rows.append(tuple(Entry(text) for text in entries))
    right: Align = "right"
    return Table(
        name="compare",
        header=HEADER,
        rows=tuple(rows),
        align=("left", "left", right, right, right, "left"),
        caption="Two results folders: change [95 % interval]; of top-1 in points, else in percent. "
        "Latencies of two timing runs also differ by what the machine did in between; the "
        "ratio to the baseline does not.",
    )


def _changes(here: Results, mine: Variant, there: Results, other: Variant) -> Iterator[Change]:
    label = mine.label
    for metric in ("parameters", "macs"):
        now, then = here.count(mine, metric), there.count(other, metric)
        if now is not None and then:
            yield Change(label, metric, then, now, Estimate(now / then, now / then, now / then, 1))
    for batch in sorted({*here.batch_sizes("latency"), *there.batch_sizes("latency")}):
        at = f"batch {batch}"
        yield from _cost(label, f"latency (ms), {at}", *_both(here, mine, there, other, batch))
        ratio = here.ratio_to_baseline(mine, "latency", batch)
        if ratio is not SAME:
            before = there.ratio_to_baseline(other, "latency", batch)
            yield from _cost(label, f"latency / baseline, {at}", ratio, before)
    for batch in sorted({*here.batch_sizes("peak_memory"), *there.batch_sizes("peak_memory")}):
        pair = [r.cost(v, "peak_memory", batch) for r, v in ((here, mine), (there, other))]
        if pair[0] and pair[1] and pair[1].value:
            ratio = _ratio_within(pair[0].value, pair[1].value, MEMORY_NOISE_MIB)
            name = f"peak memory (MiB), batch {batch}"
            yield Change(label, name, pair[1].value, pair[0].value, ratio)
    yield from _accuracy(here, mine, there, other)


def _both(
    here: Results, mine: Variant, there: Results, other: Variant, batch: int
) -> tuple[Estimate | None, Estimate | None]:
    return here.cost(mine, "latency", batch), there.cost(other, "latency", batch)


def _cost(label: str, metric: str, now: Estimate | None, then: Estimate | None) -> Iterator[Change]:
    if now is not None and then is not None:
        yield Change(label, metric, then.value, now.value, ratio_of_estimates(now, then))


def ratio_of_estimates(ours: Estimate, theirs: Estimate) -> Estimate:
    """Ratio of two independent estimates; their half widths added in quadrature, as logarithms."""
    value = ours.value / theirs.value
    if None in (ours.low, ours.high, theirs.low, theirs.high):
        return Estimate(value, None, None, 1)
    assert ours.low is not None
    assert ours.high is not None
    assert theirs.low is not None
    assert theirs.high is not None
    down = math.hypot(math.log(ours.value / ours.low), math.log(theirs.high / theirs.value))
    up = math.hypot(math.log(ours.high / ours.value), math.log(theirs.value / theirs.low))
    return Estimate(value, value * math.exp(-down), value * math.exp(up), min(ours.n, theirs.n))


def _ratio_within(now: float, then: float, noise: float) -> Estimate:
    low, high = max(now - noise, 0.0) / (then + noise), (now + noise) / max(then - noise, 1e-9)
    return Estimate(now / then, low, high, 1)


def _accuracy(here: Results, mine: Variant, there: Results, other: Variant) -> Iterator[Change]:
    now, then = here.by_seed(mine, "top1"), there.by_seed(other, "top1")
    difference = estimates.paired_difference(now, then)
    if difference is None:
        return
    before, after = (sum(values.values()) / len(values) for values in (then, now))
    low, high = difference.low, difference.high
    if difference.value == 0 and now == then:
        low = high = 0.0
    ratio = Estimate(difference.value, low, high, difference.n)
    yield Change(mine.label, "top-1 (%)", before, after, ratio, is_cost=False)


def _change_text(one: Change) -> str:
    if one.ratio is None:
        return NONE
    numbers = [one.ratio.value, one.ratio.low, one.ratio.high]
    if one.is_cost:
        numbers = [None if number is None else 100 * (number - 1) for number in numbers]
    unit = " %" if one.is_cost else ""
    value, low, high = numbers
    assert value is not None
    if low is None or high is None or low == high:
        return f"{signed(value, 1)}{unit}"
    return f"{signed(value, 1)}{unit} [{fixed(low, 1)}, {fixed(high, 1)}]"
