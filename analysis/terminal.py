"""The main table in a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from analysis.report import Report
from analysis.tables.table import Entry, Table

STYLES = {"": "", "best": "bold green", "tie": "underline"}


def show_report(report: Report, console: Console) -> None:
    """Print the main table, then where the report, its tables and its figures are."""
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


def show(table: Table, console: Console) -> None:
    """Print a table with its footnotes; text is shown as it is, never as markup."""
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, align in zip(table.header, table.align, strict=True):
        grid.add_column(Text(heading), justify=align, overflow="fold")
    letters = table.footnotes
    for row in table.rows:
        grid.add_row(*(_text(entry, letters) for entry in row))
    console.print(grid)
    for note, letter in letters.items():
        console.print(Text(f"({letter}) {note}"))


def _text(entry: Entry, letters: dict[str, str]) -> Text:
    text = Text(entry.text, style=STYLES[entry.mark])
    if entry.notes:
        text.append(f" ({','.join(letters[note] for note in entry.notes)})", style="dim")
    return text
