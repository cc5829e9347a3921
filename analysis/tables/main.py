"""The answer in one table: what each cell reaches, and what it costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from analysis.results.provenance import cost_machines
from analysis.results.results import Results, Variant
from analysis.stats.estimates import ALPHA
from analysis.stats.format import (
    NONE,
    interval,
    p_value,
    prefix_for,
    signed,
    significant,
)
from analysis.tables.matched import matched_columns, matched_remarks
from analysis.tables.notes import (
    absent,
    cost_notes,
    count_notes,
    design_remarks,
    eager_remarks,
    interval_name,
    main_remarks,
    one_model_words,
    quoted_batch,
    ratio_notes,
    seed_notes,
    spread_notes,
    timing_entry,
    train_notes,
)
from analysis.tables.table import Entry, Mark, Table
from study.records.text_table import short_names

HEADS = ("verb", "noun")


@dataclass(frozen=True)
class Column:
    """A heading, its alignment ("l" or "r"), and what stands in it for a cell."""

    header: str
    show: Callable[[Variant], Entry | str]
    align: str = "r"


def main_table(results: Results) -> Table:
    """One row a cell: levels, accuracy over seeds, difference to the baseline, and costs.

    A cell without a result keeps its row and shows why.
    """
    columns = _level_columns(results)
    columns += [Column(name, show, "l") for name, show in matched_columns(results)]
    if any(one.kind == "train" for one in results.outcomes):
        columns += _accuracy_columns(results)
    columns += [*_view_columns(results), *_count_columns(results), *_cost_columns(results)]
    return Table.of(
        "table",
        [column.header for column in columns],
        (tuple(column.show(variant) for column in columns) for variant in results.variants),
        _caption(results),
        (
            *main_remarks(results),
            *design_remarks(results),
            *_cost_remarks(results),
            *matched_remarks(results),
        ),
        align="".join(column.align for column in columns),
    )


def _level_columns(results: Results) -> list[Column]:
    def level(factor: str, variant: Variant) -> str:
        return variant.levels.get(factor, NONE)

    names = short_names(results.factors)
    columns = [Column(names[one], partial(level, one), "l") for one in results.factors]
    return columns or [Column("cell", lambda variant: variant.label, "l")]


def _accuracy_columns(results: Results) -> list[Column]:
    marks = mark_accuracy(results)

    def seeds(variant: Variant) -> str:
        planned = sum(one.kind == "train" for one in results.jobs(variant))
        done = len(results.by_seed(variant, "top1"))
        return str(done) if done == planned else f"{done} of {planned}"

    def top1(variant: Variant) -> Entry:
        notes = train_notes(results, variant)
        estimate = results.accuracy(variant)
        if estimate is None:
            return absent(results, variant, "train", notes)
        notes += seed_notes(results, estimate)
        return Entry(interval(estimate, 1), marks.get(variant.cell, ""), notes)

    columns = [Column("seeds", seeds), Column("top-1 (%) ↑", top1), *_head_columns(results)]
    if not results.differences:
        return columns
    name = results.baseline_label
    columns.append(Column(f"Δ top-1 to {name} (points) ↑", lambda v: _difference(results, v)))
    if any(p is not None for _, p in results.differences.values()):
        columns.append(Column("p (Holm)", lambda v: _corrected_p(results, v)))
    return columns


def _head_columns(results: Results) -> list[Column]:
    """Verb and noun by themselves, where models answer both."""

    def show(metric: str, variant: Variant) -> Entry:
        found = results.accuracy(variant, metric)
        return Entry(interval(found, 1) if found else NONE, notes=seed_notes(results, found))

    return [
        Column(f"{head} top-1 (%) ↑", partial(show, f"{head}_top1"))
        for head in HEADS
        if any(results.by_seed(variant, f"{head}_top1") for variant in results.variants)
    ]


def _difference(results: Results, variant: Variant) -> Entry:
    if results.baseline_of(variant) is variant:
        return Entry("baseline")
    found = results.differences.get(variant.cell)
    if found is None:
        return Entry(NONE)
    difference, _ = found
    notes: tuple[str, ...] = ()
    if difference.n < len(results.by_seed(variant, "top1")):
        notes = (f"paired over the {difference.n} of its seeds that the baseline has too",)
    return Entry(interval(difference, 1, signed), notes=notes + seed_notes(results, difference))


def _corrected_p(results: Results, variant: Variant) -> Entry:
    difference, p = results.differences.get(variant.cell, (None, None))
    if p is None:
        return Entry(NONE)
    flip = difference.p_flip if difference else None
    notes = (f"exact sign-flip p = {p_value(flip)}, not corrected",) if flip is not None else ()
    return Entry(p_value(p), notes=notes)


def _view_columns(results: Results) -> list[Column]:
    """Number of views of an answer, if it differs between cells."""
    if all(views == 1 for variant in results.variants for views in results.views(variant)):
        return []

    return [Column("views", lambda variant: ", ".join(map(str, results.views(variant))) or NONE)]


def _count_columns(results: Results) -> list[Column]:
    if results.is_one_model:
        return []
    columns = []
    for metric, name in (("parameters", "parameters"), ("macs", "MACs a clip")):
        counts = {v.cell: results.count(v, metric) for v in results.variants}
        known = {cell: value for cell, value in counts.items() if value is not None}
        if known:
            factor, prefix = prefix_for(known.values())
            unit = f" ({prefix})" if prefix else ""
            columns.append(Column(f"{name}{unit} ↓", _count(results, metric, known, factor)))
    return columns


def _count(
    results: Results, metric: str, counts: Mapping[str, float], factor: float
) -> Callable[[Variant], Entry]:
    marks = mark_counts(counts)

    def show(variant: Variant) -> Entry:
        value = counts.get(variant.cell)
        if value is None:
            return Entry(NONE)
        notes = count_notes(results, variant, metric)
        return Entry(significant(value / factor), marks.get(variant.cell, ""), notes)

    return show


def _cost_columns(results: Results) -> list[Column]:
    if results.is_one_model:
        return []
    columns = []
    batch = quoted_batch(results)
    if batch is not None:
        heading = f"latency (ms, batch {batch}) ↓"
        columns.append(Column(heading, _timing(results, "latency", batch)))
        if results.compares_costs("latency", batch):
            heading = f"latency / {results.baseline_label} ↓"
            columns.append(Column(heading, lambda variant: _ratio(results, variant, batch)))
    if sizes := results.batch_sizes("throughput"):
        heading = f"throughput (clips/s, batch {sizes[-1]}) ↑"
        columns.append(Column(heading, _timing(results, "throughput", sizes[-1])))
    if sizes := results.batch_sizes("peak_memory"):
        heading = f"peak memory (MiB, batch {sizes[-1]}) ↓"
        columns.append(Column(heading, _timing(results, "peak_memory", sizes[-1])))
    return columns


def _timing(results: Results, metric: str, batch: int) -> Callable[[Variant], Entry]:
    marks = mark_costs(results, metric, batch)
    is_first = metric == "latency"  # remarks on a cost stand once a row

    def show(variant: Variant) -> Entry:
        notes = cost_notes(results, variant) if is_first else ()
        estimate = results.cost(variant, metric, batch)
        if estimate is None and is_first:
            return absent(results, variant, "cost", notes)
        return timing_entry(estimate, marks.get(variant.cell, ""), notes)

    return show


def _ratio(results: Results, variant: Variant, batch: int) -> Entry:
    baseline = results.baseline_of(variant)
    if baseline is variant:
        return Entry("baseline")
    if baseline is not None and results.same_model(variant, baseline):
        return Entry("same model")
    if ratio := results.ratio_to_baseline(variant, "latency", batch):
        return Entry(interval(ratio, 2), notes=spread_notes(ratio, "round"))
    return Entry(NONE, notes=ratio_notes(results, variant))


def _cost_remarks(results: Results) -> tuple[str, ...]:
    """The costs of a study of one model with their remarks; what is not of the quoted mode."""
    remarks = []
    if words := one_model_words(results):
        first = results.variants[0]
        notes = [*count_notes(results, first, "parameters"), *count_notes(results, first, "macs")]
        notes += cost_notes(results, first)
        remarks.append(" ".join([words, *(f"({note})" for note in notes)]))
    return (*remarks, *eager_remarks(results))


def _caption(results: Results) -> str:
    """Caption: the kind of intervals and the conditions of the costs."""
    sentences = [results.study.question]
    if results.frame["metric"].eq("top1").any():
        sentences.append(
            f"Top-1 on the test split: mean over seeds [95 % {interval_name(results)}]"
            + ("; differences are paired by seed." if results.differences else ".")
        )
    if results.frame["metric"].isin([f"{head}_top1" for head in HEADS]).any():
        sentences.append("Where there are verb and noun, top-1 counts clips with both right.")
    if results.batch_sizes("latency") and not results.is_one_model:
        sentences.append(
            "Latency, throughput: median over timing rounds [95 % interval]"
            + (
                "; ratios are paired by round."
                if results.compares_costs("latency", quoted_batch(results) or 0)
                else "."
            )
        )
    if machines := cost_machines(results):
        sentences.append(f"Costs measured on {' and on '.join(machines)}.")
    return " ".join(sentences)


def mark_counts(counts: Mapping[str, float]) -> dict[str, Mark]:
    """The smallest of numbers without noise, and the next; equal ones share a place."""
    ordered = sorted(counts, key=lambda cell: counts[cell])
    return _marks(ordered, lambda one, other: counts[one] != counts[other])


def mark_accuracy(results: Results) -> dict[str, Mark]:
    """The highest mean top-1; best only if it beats all other cells, second as `_marks`.

    Each p is multiplied by the number of comparisons, as the best was picked by looking. This is
    never milder than the table's Holm correction, so a mark cannot contradict the p beside it.
    """
    means = {v.cell: found for v in results.variants if (found := results.accuracy(v))}
    by_cell = {v.cell: v for v in results.variants}

    def differs(one: str, other: str) -> bool:
        difference = results.paired(by_cell[one], by_cell[other])
        p = None if difference is None else difference.p
        return p is not None and p * (len(means) - 1) < ALPHA  # untested: not significant

    return _marks(sorted(means, key=lambda cell: -means[cell].value), differs)


def mark_costs(results: Results, metric: str, batch: int) -> dict[str, Mark]:
    """The best median of a timing; ties are those whose ratio to it does not exclude 1."""
    groups = {cells[0].cell: cells for cells in results.by_model}
    firsts = (cells[0] for cells in groups.values())
    medians = {v.cell: found for v in firsts if (found := results.cost(v, metric, batch))}
    sign = -1 if metric == "throughput" else 1
    variants = {v.cell: v for v in results.variants}

    def differs(one: str, other: str) -> bool:
        ratio = results.ratio(variants[other], variants[one], metric, batch)
        if ratio is None or ratio.low is None or ratio.high is None:
            return False  # of two timing runs, or one sample each: not testable
        return not ratio.low <= 1 <= ratio.high

    marks = _marks(sorted(medians, key=lambda cell: sign * medians[cell].value), differs)
    return {one.cell: mark for cell, mark in marks.items() for one in groups[cell]}


def _marks(ordered: Sequence[str], differs: Callable[[str, str], bool]) -> dict[str, Mark]:
    """Marks of cells from the best value to the worst.

    Cells that are not significantly different from the best share the first place ("tie"). A
    second place exists only where the first is one cell's; cells that are not significantly
    different from the best of the rest share it.
    """
    first = _leaders(ordered, differs)
    if len(first) == len(ordered):  # no significant difference, or one cell alone
        return {}
    if len(first) > 1:
        return dict.fromkeys(first, "tie")
    rest = ordered[1:]
    second = _leaders(rest, differs)
    found: dict[str, Mark] = {first[0]: "best"}
    if len(second) < len(rest):
        found.update(dict.fromkeys(second, "second"))
    return found


def _leaders(ordered: Sequence[str], differs: Callable[[str, str], bool]) -> list[str]:
    return [cell for cell in ordered if cell == ordered[0] or not differs(ordered[0], cell)]
