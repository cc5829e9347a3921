"""The main table and the claims in a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from analysis.report import Report, write_report
from analysis.tables.table import Entry, Table
from study.record import Outcome
from study.spec import Study

STYLES = {"": "", "best": "bold green", "tie": "underline", "second": ""}


def report_study(
    study: Study,
    outcomes: Sequence[Outcome],
    console: Console,
    folder: Path,
    results_root: Path,
    claims_only: bool = False,
) -> tuple[int, Sequence[tuple[Outcome, str]]]:
    """Write the report, and print what of it a terminal can show.

    Returns:
        `show_report`'s code, and outcomes with the name of an artifact that is damaged.
    """
    report = write_report(study, outcomes, folder, results_root)
    return show_report(report, console, claims_only), report.damaged


def show_report(report: Report, console: Console, claims_only: bool = False) -> int:
    """Print the main table, or the claims alone, then where report, tables and figures are.

    Returns:
        3 if only the claims are asked for and one is contradicted, else 0.
    """
    if claims_only:
        return _show_claims(report, console)
    show(report.main, console)
    folder = report.paths[0].parent
    figures = [path for path in report.paths if path.suffix == ".pdf"]
    console.print(f"report   {report.paths[0]}", style="bold", markup=False, soft_wrap=True)
    tables = f"tables   {folder}/table.csv .md .tex .html, records.csv; more in {folder}/tables"
    console.print(tables, markup=False, soft_wrap=True)
    if figures:
        names = ", ".join(path.stem for path in figures)
        text = f"figures  {figures[0].parent}/*.pdf .svg .png: {names}"
        console.print(text, markup=False, soft_wrap=True)
    return 0


def _show_claims(report: Report, console: Console) -> int:
    if report.claims is None:
        console.print("the study makes no claims", markup=False)
        return 0
    show(report.claims, console)
    for remark in report.claims.remarks:
        console.print(Text(remark))
    return 3 if report.is_contradicted else 0


def show(table: Table, console: Console) -> None:
    """Print a table with its footnotes; text is shown as it is, never as markup.

    Columns that do not fit are left out from the right, and named.
    """
    letters = table.footnotes
    texts = [[_text(entry, letters) for entry in row] for row in table.rows]
    widths = _widths(table.header, texts)
    shown = _fitting(widths, console.width)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = zip(table.header, table.align, widths, strict=True)
    for heading, align, width in list(columns)[:shown]:
        grid.add_column(Text(heading), justify=align, min_width=min(width, console.width))
    for row in texts:
        grid.add_row(*row[:shown])
    console.print(grid)
    if shown < len(table.header):
        rest = ", ".join(table.header[shown:])
        console.print(Text(f"left out for the width of this terminal: {rest}", style="dim"))
    for note, letter in letters.items():
        console.print(Text(f"({letter}) {note}"))


def _widths(header: Sequence[str], rows: Sequence[Sequence[Text]]) -> list[int]:
    """What each column needs to have its cells on one line and its heading broken at spaces."""
    return [
        max([*(row[i].cell_len for row in rows), *(len(word) for word in heading.split())])
        for i, heading in enumerate(header)
    ]


def _fitting(widths: Sequence[int], room: int) -> int:
    """How many columns fit, at least one."""
    used = 0
    for number, width in enumerate(widths):
        used += width + (2 if number else 0)  # between columns
        if used > room and number:
            return number
    return len(widths)


def _text(entry: Entry, letters: dict[str, str]) -> Text:
    text = Text(entry.text, style=STYLES[entry.mark])
    if entry.mark == "second":
        text.append(" 2nd", style="dim")
    if entry.notes:
        text.append(f" ({','.join(letters[note] for note in entry.notes)})", style="dim")
    return text
