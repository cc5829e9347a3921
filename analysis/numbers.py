"""Numbers as text: significant digits, intervals, and the prefix that suits a column."""

import math
from collections.abc import Iterable

from analysis.statistics import Estimate

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"  # an entry that has no number

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def significant(value: float, digits: int = 3) -> str:
    """`value` to so many significant digits, never in exponent form: 0.01234 -> "0.0123"."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return fixed(value, decimals)


def fixed(value: float, decimals: int) -> str:
    """`value` to so many decimals, with a true minus sign and no negative zero."""
    text = f"{value:.{decimals}f}"
    return text.replace("-", MINUS) if float(text) else text.removeprefix("-")


def signed(value: float, decimals: int) -> str:
    """As `fixed`, with a plus where positive."""
    text = fixed(value, decimals)
    return f"+{text}" if value > 0 and float(text.replace(MINUS, "-")) else text


def interval(estimate: Estimate, decimals: int) -> str:
    """As "84.2 [81.0, 87.4]", or the value alone where there is no interval."""
    if estimate.low is None or estimate.high is None:
        return fixed(estimate.value, decimals)
    return (
        f"{fixed(estimate.value, decimals)} "
        f"[{fixed(estimate.low, decimals)}, {fixed(estimate.high, decimals)}]"
    )


def decimals_for(values: Iterable[float], digits: int = 3) -> int:
    """Decimals that show `digits` significant digits of the smallest value that is not 0."""
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    if not sizes:
        return 0
    return max(0, digits - 1 - math.floor(math.log10(min(sizes))))


def plain(value: float) -> str:
    """A number of an axis or a level, without exponents: 2e7 -> "20 M", 0.5 -> "0.5"."""
    for factor, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor:
            return _trim(significant(value / factor)) + prefix
    return _trim(significant(value))


def p_value(p: float) -> str:
    """As "0.034", or "< 0.001"."""
    return "< 0.001" if p < 0.001 else fixed(p, 3)


def prefix_for(values: Iterable[float]) -> tuple[float, str]:
    """Factor and SI prefix under which the median of `values` reads as 1 to 1000."""
    ordered = sorted(abs(value) for value in values)
    middle = ordered[len(ordered) // 2] if ordered else 0.0
    return next(((f, name) for f, name in _PREFIXES if middle >= f), (1.0, ""))


def plural(count: int, word: str) -> str:
    """As "1 seed", "3 seeds"."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
