"""The main table and the claims in a terminal."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from analysis.report.report import Report, write_report
from analysis.tables.table import Entry, Table
from study.records.record import Outcome
from study.records.text_table import Column, fits, print_table
from study.spec.study import Study

MAIN = "table"  # name of the main table
# How the columns of numbers begin, in the order in which a wider terminal gets them.
ALWAYS = ("top-1", "MACs", "latency (")
PRIORITY = (*ALWAYS, "Δ top-1", "latency /", "p (", "parameters", "seeds")
WHOLE_NAME = 40  # characters of a level that are rather shown on one line than another column
INTERVAL = re.compile(r" \[[^\]]*\]")
STYLES = {"": "", "best": "bold green", "tie": "underline", "second": ""}


def report_study(
    study: Study,
    outcomes: Sequence[Outcome],
    console: Console,
    folder: Path,
    results_root: Path,
    claims_only: bool = False,
    as_json: bool = False,
) -> tuple[int, Sequence[tuple[Outcome, str]]]:
    """Write the report, and print what of it a terminal can show; as JSON, the answer alone.

    Returns:
        `show_report`'s code, and outcomes with the name of an artifact that is damaged.
    """
    report = write_report(study, outcomes, folder, results_root)
    if as_json:
        print(json.dumps(answer_values(study, report), indent=1))
        return 3 if claims_only and report.judgement.is_contradicted else 0, report.damaged
    return show_report(report, console, claims_only), report.damaged


def answer_values(study: Study, report: Report) -> dict[str, Any]:
    """The question, its answer in one sentence, and every claim with its verdict."""
    return {
        "question": study.question,
        "answer": report.verdict,
        "report": str(report.paths[0]),
        "claims": [
            {
                "claim": one.claim.text,
                "verdict": one.word,
                "reason": one.reason,
                "p": one.p,
                "p_holm": one.p_holm,
                "comparisons": [
                    {
                        "left": pair.left.cell,
                        "right": pair.right.cell if pair.right else None,
                        **(pair.evidence._asdict() if pair.evidence else {}),
                    }
                    for pair in one.comparisons
                ],
            }
            for one in report.judgement.verdicts
        ],
    }


def show_report(report: Report, console: Console, claims_only: bool = False) -> int:
    """Print the main table, or the claims alone, then where report, tables and figures are.

    Returns:
        3 if only the claims are asked for and one is contradicted, else 0.
    """
    if claims_only:
        return _show_claims(report, console)
    console.print(Text(report.verdict, style="bold"), soft_wrap=True)
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
    if report.unreadable:
        text = f"warning: {report.unreadable}"
        console.print(text, style="yellow", markup=False, soft_wrap=True)
    return 0


def _show_claims(report: Report, console: Console) -> int:
    if report.claims is None:
        console.print("the study makes no claims", markup=False)
        return 0
    show(report.claims, console)
    for remark in report.claims.remarks:
        console.print(Text(remark))
    return 3 if report.judgement.is_contradicted else 0


def show(table: Table, console: Console) -> None:
    """Print a table with its footnotes; text is shown as it is, never as markup.

    Of the main table, what has no room is left out as `PRIORITY` has it, and named.
    """
    letters = table.footnotes
    columns = [
        Column(
            heading,
            [_text(row[i], letters) for row in table.rows],
            is_number=table.align[i] == "right",
        )
        for i, heading in enumerate(table.header)
    ]
    shown = dict(enumerate(columns))
    if table.name == MAIN:
        shown = _fitting(columns, console.width)
    print_table(list(shown.values()), console)
    if rest := _left_out(columns, shown):
        text = f"left out for the width of this terminal: {', '.join(rest)}"
        console.print(Text(text, style="dim"))
    noted = {note for row in table.rows for i in shown for note in row[i].notes}
    for note, letter in letters.items():
        if note in noted:
            console.print(Text(f"({letter}) {note}"))


def _fitting(columns: Sequence[Column], room: int) -> dict[int, Column]:
    """Columns of the main table that fit: number of a column -> the column.

    Levels and the columns of `ALWAYS` without intervals, then, as far as they fit, intervals and
    the other columns. All of them if the first do not fit: as lists, nothing is too wide.
    """
    bare = [replace(one, cells=[_without_interval(cell) for cell in one.cells]) for one in columns]
    shown = {
        i: one for i, one in enumerate(bare) if not one.is_number or one.heading.startswith(ALWAYS)
    }
    if not fits(list(shown.values()), room):
        return dict(enumerate(columns))
    for i in sorted(range(len(columns)), key=lambda i: (_rank(columns[i].heading), i)):
        for candidate in (bare[i], columns[i]):
            larger = {**shown, i: candidate}
            if fits(list(larger.values()), room, names=WHOLE_NAME):
                shown = larger
    return dict(sorted(shown.items()))


def _left_out(columns: Sequence[Column], shown: Mapping[int, Column]) -> list[str]:
    """Headings of what is not shown, and whether intervals are among it."""
    rest = [one.heading for i, one in enumerate(columns) if i not in shown]
    full = [[cell.plain for cell in columns[i].cells] for i in shown]
    if full != [[cell.plain for cell in one.cells] for one in shown.values()]:
        rest.insert(0, "intervals")
    return rest


def _rank(heading: str) -> int:
    return next((i for i, start in enumerate(PRIORITY) if heading.startswith(start)), len(PRIORITY))


def _without_interval(cell: Text) -> Text:
    """A number alone, with its remarks."""
    found = INTERVAL.search(cell.plain)
    return cell if found is None else cell[: found.start()] + cell[found.end() :]


def _text(entry: Entry, letters: dict[str, str]) -> Text:
    text = Text(entry.text, style=STYLES[entry.mark])
    if entry.mark == "second":
        text.append(" 2nd", style="dim")
    if entry.notes:
        text.append(f" ({','.join(letters[note] for note in entry.notes)})", style="dim")
    return text
