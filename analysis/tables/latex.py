"""Any text as LaTeX that a stock pdflatex can set, numbers with their decimal points in line."""

import re
from collections.abc import Iterable

# A sign, digits, decimals; then nothing, or what follows after a space, such as an interval.
_NUMBER = re.compile("([+\N{MINUS SIGN}]?)([0-9]+)(?:[.]([0-9]+))?( .*)?")

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "[": "{[}",  # a row that starts with [ would be read as an option of \\
    "]": "{]}",
    "-": "{-}",  # two in a row stay two
    "`": r"\textasciigrave{}",
    "'": "{'}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "Δ": r"$\Delta$",
    "µ": r"$\mu$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "·": r"$\cdot$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "\N{EN DASH}": "--",
    "—": "---",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    "\N{THIN SPACE}": r"\,",
    "\N{EN QUAD}": r"\enspace{}",
}


# Letters of Latin-1 and Latin Extended-A that the default font encoding does not have.
_NOT_IN_OT1 = frozenset("ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲų")


def escape_latex(text: str) -> str:
    r"""Escape `text`; line breaks become spaces.

    A character that plain pdflatex cannot set is shown by its code point (U+65E5).
    """
    return "".join(map(_escape, text))


def number_format(texts: Iterable[str]) -> str:
    """The `table-format` of siunitx that all numbers among the texts fit in; "" without any."""
    found = [match for text in texts if (match := _NUMBER.fullmatch(text))]
    if not found:
        return ""
    sign = "+" if any(match[1] for match in found) else ""
    whole = max(len(match[2]) for match in found)
    return f"{sign}{whole}.{max(len(match[3] or '') for match in found)}"


def aligned_latex(text: str, form: str) -> str:
    r"""A text that starts with a number as `\tablenum` and the rest; any other is escaped."""
    match = _NUMBER.fullmatch(text) if form else None
    if match is None:
        return escape_latex(text)
    sign = match[1].replace("\N{MINUS SIGN}", "-")
    number = sign + match[2] + (f".{match[3]}" if match[3] else "")
    rest = escape_latex(match[4]).replace(" ", "~", 1) if match[4] else ""
    # In a box of its own, as \tablenum would stretch to the width of the column.
    return rf"\mbox{{\tablenum[table-format={form}]{{{number}}}}}{rest}"


def _escape(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isspace():
        return " "
    if " " <= character <= "~" or ("À" <= character <= "ž" and character not in _NOT_IN_OT1):
        return character
    return rf"\texttt{{U+{ord(character):04X}}}"
