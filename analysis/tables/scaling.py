"""Growth of costs with a numeric factor: exponents, and the fit of a power law."""

from analysis.findings.scaling import FEWEST_CELLS, Fit, fit_exponents, scaled_factor
from analysis.results.results import Results, short_name
from analysis.stats.format import fixed, interval, plain
from analysis.tables.notes import quoted_batch, spread_notes
from analysis.tables.table import Entry, Row, Table


def scaling_table(results: Results) -> Table | None:
    """One row a series and cost; None unless a factor is a number with three levels or more."""
    factor, batch = scaled_factor(results), quoted_batch(results)
    if factor is None:
        return None
    fits = [("MACs", fit) for fit in fit_exponents(results, "macs")]
    if batch is not None:
        name = f"latency (batch {batch})"
        fits += [(name, fit) for fit in fit_exponents(results, "latency", batch)]
    if not fits:
        return None
    size = short_name(factor)
    return Table.of(
        "scaling",
        ("series", "cost", "exponent [95 %]", "between neighbours", size, "rounds"),
        (_row(name, fit, factor) for name, fit in fits),
        f"How costs grow with {size}: the exponent of a power law fitted to "
        f"{FEWEST_CELLS} or more cells. Latency: median over timing rounds of each round's own "
        "exponent [95 % interval].",
        (
            "The interval is of the timing's noise alone. Where the slopes between neighbours lie "
            "far apart the cost follows no power law, and the exponent is an average over these "
            f"levels of {size}, not to be carried beyond them.",
        ),
        align="ll",
    )


def _row(name: str, fit: Fit, factor: str) -> Row:
    low, high = (fixed(one, 2) for one in fit.local)
    sizes = [cell.numbers[factor] for cell in fit.cells]
    exact = name == "MACs"
    notes = spread_notes(fit.exponent, "round")
    if not exact and fit.exponent.n == 1:
        notes = ("no interval: not all timed in one timing run",)
    return (
        fit.label or "all cells",
        name,
        Entry(interval(fit.exponent, 2), notes=notes),
        f"{low} to {high}" if low != high else low,
        f"{plain(sizes[0])} to {plain(sizes[-1])}",
        "exact" if exact else str(fit.exponent.n),
    )
