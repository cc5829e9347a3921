"""Published numbers of a study's architectures, beside the measured ones."""

import re

from analysis.results.published import Published, published_of
from analysis.results.results import Results, Variant
from analysis.stats.format import NONE, fixed, interval, prefix_for, significant
from analysis.tables.table import Entry, Row, Table
from study.records.record import Record

HEADER = (
    "model", "data", "clip", "views", "parameters", "MACs a view", "top-1 (%)", "from",
)  # fmt: skip
TIMES = "\N{MULTIPLICATION SIGN}"
_COMMIT = re.compile(r"/blob/([0-9a-f]{7})[0-9a-f]{33}/")


def published_table(results: Results) -> Table | None:
    """Published rows by architecture, then our cells of it; None if none was published."""
    ours: dict[str, list[tuple[Variant, Record]]] = {}
    for variant in results.variants:
        if record := _record(results, variant):
            ours.setdefault(record.config["model"]["name"], []).append((variant, record))
    rows: list[Row] = []
    for name, cells in ours.items():
        if found := published_of({name}):
            rows += map(_published, found)
            rows += [_our(results, variant, record) for variant, record in cells]
    if not rows:
        return None
    return Table.of(
        "published",
        HEADER,
        rows,
        "Published numbers of the same architectures, and ours. Accuracies on different "
        "data do not compare; parameters and MACs compare at equal backbone, width, depth, classes "
        "and clip only.",
        ("MACs of one view; the accuracy is over the views that are told.",),
        align="llllrrrl",
    )


def _record(results: Results, variant: Variant) -> Record | None:
    """Any record of a cell that holds its model."""
    found = (one.record for one in results.jobs(variant) if one.record)
    return next((record for record in found if "name" in record.config.get("model", {})), None)


def _published(entry: Published) -> Row:
    # As "github.com/owner/name at 0123abc, folder/file", short enough for a line.
    source = _COMMIT.sub(r" at \1, ", entry.source.removeprefix("https://"))
    notes = (source, entry.counts, entry.note)
    return (
        Entry(entry.label, notes=("; ".join(filter(None, notes)),)),
        entry.data,
        _clip(entry.frames, entry.size),
        entry.views.replace("x", f" {TIMES} ") or NONE,
        NONE if entry.parameters is None else f"{entry.parameters:g} M",
        NONE if entry.macs is None else f"{entry.macs:g} G",
        NONE if entry.top1 is None else f"{entry.top1:g}",
        "published",
    )


def _our(results: Results, variant: Variant, record: Record) -> Row:
    # Where it was trained the record tells the dataset; a cost record has the clip alone.
    trained = next(
        (o.record for o in results.jobs(variant) if o.record and o.kind == "train"), None
    )
    shape = record.config.get("clip") or record.config.get("data") or {}
    accuracy = results.accuracy(variant)
    views = {
        m.conditions["views"]
        for m in (trained.measurements if trained else ())
        if m.metric == "top1" and "views" in m.conditions
    }
    return (
        variant.label,
        trained.config["data"]["name"] if trained else NONE,
        _clip(shape["frames"], shape["size"]) if "frames" in shape else NONE,
        ", ".join(map(str, sorted(views, key=str))) or NONE,
        _scaled(results.count(variant, "parameters")),
        _scaled(results.count(variant, "macs")),
        NONE if accuracy is None else interval(accuracy, 1),
        "this study",
    )


def _clip(frames: int, size: int) -> str:
    return f"{frames} {TIMES} {size} {TIMES} {size}"


def _scaled(value: float | None) -> str:
    if value is None:
        return NONE
    factor, prefix = prefix_for([value])
    return f"{significant(value / factor)} {prefix}".rstrip() if value else fixed(value, 0)
