"""A table as data, and its renderings: Markdown, CSV, LaTeX, HTML."""

import csv
import html
import io
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.tables.latex import aligned_latex, escape_latex, number_format

Mark = Literal["", "best", "tie", "second"]
Align = Literal["left", "right"]

HEADING_WIDTH = 14

_MARKDOWN = {"": "{}", "best": "**{}**", "tie": "_{}_", "second": "{} <sup>2nd</sup>"}
_LATEX = {
    "": "{}",
    "best": r"\textbf{{{}}}",
    "tie": r"\underline{{{}}}",
    "second": r"{}\,\textsuperscript{{2nd}}",
}
_HTML = {
    "": "{}",
    "best": "<strong>{}</strong>",
    "tie": "<u>{}</u>",
    "second": "{} <sup>2nd</sup>",
}
_MARKDOWN_SPECIAL = str.maketrans(
    {c: "\\" + c for c in "\\`*_[]|~$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)


@dataclass(frozen=True)
class Entry:
    """One display string.

    Attributes:
        text: As shown, without markup.
        mark: "best": significantly best; "tie": not significantly different from the best;
            "second": the best of the rest, or not significantly different from it.
        notes: Remarks that the reader of this number must see, in full.
    """

    text: str
    mark: Mark = ""
    notes: tuple[str, ...] = ()


Row = tuple[Entry | str, ...]


@dataclass(frozen=True)
class Table:
    """Header and rows of display strings; every row is as long as the header.

    Attributes:
        name: File name without ending, and LaTeX label.
        header: Column names with unit and direction.
        rows: Entries; their notes become lettered footnotes, equal notes sharing a letter.
        align: Of each column.
        caption: What is shown, with what interval.
        remarks: Sentences below the table that belong to no entry.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    align: tuple[Align, ...]
    caption: str
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        header: Sequence[str],
        rows: Iterable[Row],
        caption: str,
        remarks: Iterable[str] = (),
        align: str = "l",
    ) -> "Table":
        """A table of entries and plain texts.

        `align` has a letter a column, "l" or "r"; columns that it has none for are right-aligned.
        """
        entries = (
            tuple(Entry(one) if isinstance(one, str) else one for one in row) for row in rows
        )
        sides: list[Align] = ["left" if letter == "l" else "right" for letter in align]
        sides += ["right"] * (len(header) - len(sides))
        return cls(name, tuple(header), tuple(entries), tuple(sides), caption, tuple(remarks))

    def __post_init__(self) -> None:
        widths = {len(self.header), len(self.align), *(len(row) for row in self.rows)}
        if len(widths) != 1:
            raise ValueError(f"table {self.name}: rows of different lengths {sorted(widths)}")

    @property
    def footnotes(self) -> dict[str, str]:
        """Note -> its letter, in order of appearance: a, b, ..., z, aa, ab, ..."""
        notes = dict.fromkeys(n for row in self.rows for entry in row for n in entry.notes)
        return {note: _letters(number) for number, note in enumerate(notes)}

    def to_csv(self) -> str:
        """Display strings and, where there are any, a last column with each row's notes."""
        with_notes = bool(self.footnotes)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*self.header, "notes"] if with_notes else self.header)
        for row in self.rows:
            notes = "; ".join(dict.fromkeys(n for entry in row for n in entry.notes))
            texts = [entry.text for entry in row]
            writer.writerow([*texts, notes] if with_notes else texts)
        return out.getvalue()

    def to_markdown(self) -> str:
        """GitHub-flavoured Markdown: bold is "best", italic is "tie"."""
        letters = self.footnotes
        rule = ["---:" if align == "right" else ":---" for align in self.align]
        lines = [[escape_markdown(text) for text in self.header], rule]
        for row in self.rows:
            lines.append(
                [
                    _marked(_MARKDOWN, entry, escape_markdown(entry.text))
                    + _raised(entry, letters, "<sup>{}</sup>")
                    for entry in row
                ]
            )
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        notes = [f"<sup>{x}</sup> {escape_markdown(note)}" for note, x in letters.items()]
        below = [escape_markdown(self.caption), *map(escape_markdown, self.remarks), *notes]
        return "\n\n".join([table, *below]) + "\n"

    def to_html(self) -> str:
        """A `<figure>` with the table, its caption and footnotes; every text is escaped."""
        letters = self.footnotes
        head = "".join(
            f'<th class="{align}">{html.escape(heading)}</th>'
            for heading, align in zip(self.header, self.align, strict=True)
        )
        body = "\n".join(
            "<tr>"
            + "".join(
                f'<td class="{align}">{_marked(_HTML, entry, html.escape(entry.text))}'
                f"{_raised(entry, letters, '<sup>{}</sup>')}</td>"
                for entry, align in zip(row, self.align, strict=True)
            )
            + "</tr>"
            for row in self.rows
        )
        notes = "".join(f"<p>{html.escape(remark)}</p>" for remark in self.remarks)
        notes += "".join(f"<p><sup>{x}</sup> {html.escape(n)}</p>" for n, x in letters.items())
        return (
            f'<figure class="table"><figcaption>{html.escape(self.caption)}</figcaption>\n'
            f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n'
            f'</tbody>\n</table></div>\n<div class="notes">{notes}</div></figure>\n'
        )

    def _repr_html_(self) -> str:
        return self.to_html()  # what a notebook shows

    def to_latex(self) -> str:
        r"""A `table*` for `\input`; needs the packages booktabs, graphicx and siunitx.

        Numbers of a right-aligned column stand with their decimal points in line, whatever follows
        them. A table wider than the page is scaled down to it.
        """
        letters, formats = self.footnotes, self._formats()
        aligns = [
            "left" if form else align for form, align in zip(formats, self.align, strict=True)
        ]
        columns = "".join("r" if align == "right" else "l" for align in aligns)
        lines = [" & ".join(map(_stacked, self.header, aligns))]
        for row in self.rows:
            lines.append(
                " & ".join(
                    _marked(_LATEX, entry, aligned_latex(entry.text, form))
                    + _raised(entry, letters, r"\textsuperscript{{{}}}")
                    for entry, form in zip(row, formats, strict=True)
                )
            )
        head, *body = [line + r" \\" for line in lines]
        notes = [escape_latex(remark) for remark in self.remarks]
        notes += [rf"\textsuperscript{{{x}}}~{escape_latex(n)}" for n, x in letters.items()]
        below = [r"\par\smallskip\raggedright\footnotesize " + r"\\ ".join(notes)] if notes else []
        fit = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%"
        return "\n".join(
            [
                r"% needs \usepackage{booktabs,graphicx,siunitx}",
                r"\begin{table*}",
                r"\centering\small\setlength{\tabcolsep}{4pt}",
                r"\sisetup{mode=text,detect-weight,retain-explicit-plus,group-digits=none}",
                rf"\caption{{{escape_latex(self.caption)}}}\label{{tab:{self.name}}}",
                fit,
                rf"\begin{{tabular}}{{{columns}}}",
                *[r"\toprule", head, r"\midrule", *body, r"\bottomrule"],
                r"\end{tabular}}",
                *below,
                r"\end{table*}",
                "",
            ]
        )

    def _formats(self) -> list[str]:
        """Number format of each column by its width; "" without numbers."""
        return [
            number_format([row[i].text for row in self.rows]) if align == "right" else ""
            for i, align in enumerate(self.align)
        ]


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line, also inside a table."""
    return " ".join(text.split()).translate(_MARKDOWN_SPECIAL)


def _stacked(heading: str, align: str) -> str:
    """A heading in lines of up to `HEADING_WIDTH` characters, so that numbers set the width."""
    glued = heading.replace(" \N{UPWARDS ARROW}", "\N{NO-BREAK SPACE}\N{UPWARDS ARROW}")
    glued = glued.replace(" \N{DOWNWARDS ARROW}", "\N{NO-BREAK SPACE}\N{DOWNWARDS ARROW}")
    glued = glued.replace("95 %", "95\N{NO-BREAK SPACE}%")
    lines = textwrap.wrap(glued, HEADING_WIDTH, break_long_words=False) or [""]
    if len(lines) == 1:
        return escape_latex(heading)
    stack = r" \\ ".join(map(escape_latex, lines))
    return rf"\shortstack[{align[0]}]{{{stack}}}"


def _marked(styles: dict[str, str], entry: Entry, escaped: str) -> str:
    return styles[entry.mark].format(escaped) if escaped else escaped


def _raised(entry: Entry, letters: dict[str, str], style: str) -> str:
    return style.format(",".join(letters[n] for n in entry.notes)) if entry.notes else ""


def _letters(number: int) -> str:
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text
