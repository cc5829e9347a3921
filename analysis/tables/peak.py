"""Computing or waiting? What a model achieves of the machine's own peak, whole and by part."""

from statistics import median

from analysis.results.results import Results, Variant
from analysis.stats.format import NONE, fixed, significant
from analysis.tables.notes import aside_notes, cost_notes, quoted_batch
from analysis.tables.parts import ordered_parts
from analysis.tables.table import Entry, Row, Table

PART_TIME = "part_latency"
ARITHMETIC = {"bf16": "bf16", "fp16": "fp16", "medium": ""}  # mode -> its own; "" has no peak


def peak_table(results: Results) -> Table | None:
    """One row a cell: MACs a second, as a share of the machine's peak; None without a peak.

    Of each part: its share of the time of a call, and of the peak while it runs.
    """
    batch = quoted_batch(results)
    peaks = {v.cell: p for v in results.variants if (p := _peak(results, v))}
    if batch is None or not peaks:
        return None
    parts = [
        part
        for part in ordered_parts(results, "macs")
        if any(_times(results, variant, part, batch) for variant in results.variants)
    ]
    header = ["cell", "latency (ms)", "GMAC/s", "of the peak (%)"]
    for part in parts:
        header += [f"{part}: time (%)", f"{part}: of the peak (%)"]
    if parts:
        header.append("between parts: time (%)")
    rows = (
        (
            variant.label,
            *_whole(results, variant, batch),
            *(e for part in parts for e in _part(results, variant, part, batch)),
            *((_between(results, variant, parts, batch),) if parts else ()),
        )
        for variant in results.variants
    )
    low, high = min(peaks.values()), max(peaks.values())
    peak = significant(high) if low == high else f"{significant(low)} to {significant(high)}"
    return Table.of(
        "peak",
        header,
        rows,
        f"Achieved share of the machine's own peak at batch {batch}: multiply-accumulates "
        f"over median latency, against the fastest large matrix product beside it ({peak} GMAC/s). "
        "Parts are timed by hooks in eager calls of their own; their shares of the time are "
        "medians of shares within a call.",
        (
            "A high share computes; a low one waits for memory, small shapes or launches. More "
            "than 100 % is possible where a convolution needs fewer multiplications than it is "
            "counted for (Winograd).",
        ),
    )


def _peak(results: Results, variant: Variant, mode: str = "") -> float | None:
    """The highest rate of a product in the arithmetic of a mode, in GMAC/s."""
    arithmetic = ARITHMETIC.get(mode or results.mode, results.study.cost.precision)
    # A convolution may use TF32 where the study says fp32: then that is the ceiling.
    names = ("fp32", "tf32") if arithmetic == "fp32" else (arithmetic,)
    rates = [r for name in names for r in results.values(variant, f"peak_rate_{name}")]
    return max(rates, default=None)


def _whole(results: Results, variant: Variant, batch: int) -> Row:
    macs, latency = results.count(variant, "macs"), results.cost(variant, "latency", batch)
    peak = _peak(results, variant)
    if macs is None or latency is None:
        return NONE, NONE, NONE
    rate = macs * batch / latency.value / 1e6  # MAC a ms -> GMAC/s
    share = fixed(100 * rate / peak, 1) if peak else NONE
    notes = () if peak else aside_notes(results, variant, "machine's peak")
    shown = Entry(significant(latency.value), notes=cost_notes(results, variant))
    return shown, significant(rate), Entry(share, notes=notes)


def _part(results: Results, variant: Variant, part: str, batch: int) -> Row:
    times, shares = _times(results, variant, part, batch), _shares(results, variant, part, batch)
    macs, peak = results.count(variant, "macs", part), _peak(results, variant, "eager")
    if not times or not shares:
        return NONE, NONE
    rate = (macs or 0.0) * batch / median(times) / 1e6
    share = fixed(100 * rate / peak, 1) if macs and peak else NONE
    return fixed(100 * median(shares), 1), share


def _between(results: Results, variant: Variant, parts: list[str], batch: int) -> str:
    """Share of a call outside of its parts: 1 less the parts' shares."""
    found = [s for part in parts if (s := _shares(results, variant, part, batch))]
    if not found:
        return NONE
    return fixed(100 * median(1 - sum(call) for call in zip(*found, strict=True)), 1)


def _shares(results: Results, variant: Variant, part: str, batch: int) -> list[float]:
    """A part's share of each call, within the call: what slows a call for a while is in both."""
    whole = _times(results, variant, "", batch)
    return [a / b for a, b in zip(_times(results, variant, part, batch), whole, strict=False)]


def _times(results: Results, variant: Variant, part: str, batch: int) -> list[float]:
    return results.values(variant, results.in_mode(PART_TIME, "eager"), part, batch)
