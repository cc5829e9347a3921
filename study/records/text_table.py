"""Tables on a terminal of any width: nothing in them is ever cut."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2  # between columns
HEADING = 16  # characters of a heading's line, where its cells are narrower


@dataclass(frozen=True)
class Column:
    """A heading with the cells below it.

    Attributes:
        heading: Broken at spaces where it is wider than its cells.
        cells: Shown as they are, never as markup.
        is_number: Whether cells stand at the right, and those that start with a digit or a sign on
            one line; all others may be broken at spaces.
    """

    heading: str
    cells: Sequence[Text]
    is_number: bool = False

    @property
    def full(self) -> int:
        """Width at which no cell is broken, and the heading in lines of `HEADING`."""
        lines = textwrap.wrap(self.heading, HEADING, break_long_words=False)
        heading = max((Text(line).cell_len for line in lines), default=1)
        return max([heading, *(cell.cell_len for cell in self.cells)])

    @property
    def least(self) -> int:
        """Width at which nothing is broken but at spaces."""
        heading = max((Text(word).cell_len for word in self.heading.split()), default=1)
        return max([heading, *map(self._least_of, self.cells)])

    def _least_of(self, cell: Text) -> int:
        if self.is_number and cell.plain[:1] and not cell.plain[0].isalpha():
            return cell.cell_len
        return max((Text(word).cell_len for word in cell.plain.split(" ")), default=1)


def fits(columns: Sequence[Column], width: int, names: int = 0) -> bool:
    """True if a table of these columns needs no more than so many characters a line.

    Args:
        columns: Of the table.
        width: Of the terminal.
        names: Characters of a cell without numbers that are not to be broken.
    """
    needed = [
        column.least if column.is_number else max(column.least, min(column.full, names))
        for column in columns
    ]
    return sum(needed) + GAP * (len(columns) - 1) <= width


def print_table(columns: Sequence[Column], console: Console, title: str = "") -> None:
    """Print a table; where it is too wide even with its words below each other, as lists.

    A list has a block a row and a line a column: the first cell, then "heading: cell".
    """
    if title:
        console.print(Text(title, style="bold"))
    if fits(columns, console.width):
        console.print(_grid(columns, _widths(columns, console.width)))
        return
    first, *others = columns
    for number, cell in enumerate(first.cells):
        console.print(Text(f"{first.heading}: ", style="dim").append_text(cell))
        for column in others:
            if column.cells[number].plain.strip():
                line = Text(f"  {column.heading}: ", style="dim")
                console.print(line.append_text(column.cells[number]))


def print_rows(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    console: Console,
    title: str = "",
    words: int = 1,
) -> None:
    """Print rows of plain text; all columns but the first `words` hold numbers."""
    columns = [
        Column(heading, [Text(row[i]) for row in rows], is_number=i >= words)
        for i, heading in enumerate(headings)
    ]
    print_table(columns, console, title)


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """The last part of each dotted key in words, or all of it where two keys end alike.

    As "train.weight_decay" -> "weight decay".
    """
    ends = {key: key.rsplit(".", 1)[-1] for key in keys}
    return {
        key: end.replace("_", " ") if "." in key and list(ends.values()).count(end) == 1 else key
        for key, end in ends.items()
    }


def _grid(columns: Sequence[Column], widths: Sequence[int]) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.is_number else "left"
        grid.add_column(Text(column.heading), justify=justify, width=width, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*row)
    return grid


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """Full widths, or narrower ones of the widest columns whose cells may be broken."""
    widths = [column.full for column in columns]
    room -= GAP * (len(columns) - 1)
    while sum(widths) > room:
        spare = [
            (width, i) for i, width in enumerate(widths) if width > columns[i].least
        ]  # fits() has seen that there are some
        widths[max(spare)[1]] -= 1
    return widths
