"""Numbers as text: significant digits, intervals, and the prefix that suits a column."""

import math
from collections.abc import Callable, Iterable
from typing import Protocol

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"  # an entry that has no number

FINER = 3  # decimals that a narrow interval may add

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


class Spread(Protocol):
    """A value with an optional interval: an estimate, a difference, evidence."""

    @property
    def value(self) -> float:
        """The point estimate."""

    @property
    def low(self) -> float | None:
        """Lower end of the interval; None without one."""

    @property
    def high(self) -> float | None:
        """Upper end of the interval; None without one."""


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
    """Format as `fixed`, with a plus where positive."""
    text = fixed(value, decimals)
    return f"+{text}" if value > 0 and float(text.replace(MINUS, "-")) else text


def interval(
    found: Spread, decimals: int, show: Callable[[float, int], str] = fixed, unit: str = ""
) -> str:
    """Text such as "84.2 [81.0, 87.4]", or the value alone without an interval.

    An interval so narrow that both ends would read alike gets more decimals, up to `FINER`.
    """
    if found.low is None or found.high is None:
        return show(found.value, decimals) + unit
    for more in range(FINER + 1):
        low, high = (show(end, decimals + more) for end in (found.low, found.high))
        if low != high:
            decimals += more
            break
    return f"{show(found.value, decimals)}{unit} [{low}, {high}]"


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
    """Text such as "0.034", or "< 0.001"; more digits where three would hide its side of 0.05."""
    text = fixed(p, 3)
    return "< 0.001" if p < 0.001 else fixed(p, 4) if text == "0.050" and p != 0.05 else text


def prefix_for(values: Iterable[float]) -> tuple[float, str]:
    """Factor and SI prefix under which the median of `values` reads as 1 to 1000."""
    ordered = sorted(abs(value) for value in values)
    middle = ordered[len(ordered) // 2] if ordered else 0.0
    return next(((f, name) for f, name in _PREFIXES if middle >= f), (1.0, ""))


def plural(count: int, word: str) -> str:
    """Text such as "1 seed", "3 seeds"."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
