"""One self-contained HTML page, its Markdown twin, and the tables and figures as files."""

import base64
import html
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analysis.figures import FIGURES
from analysis.figures.fonts import missing_words
from analysis.figures.save import SavedFigure, remove_stale
from analysis.figures.side_by_side import draw_figures
from analysis.findings.tuning import diverged_lines, tuning_lines
from analysis.findings.verdicts import Judgement, judge, verdict_words
from analysis.prose.answer import answer_lines
from analysis.prose.methods import write_methods
from analysis.prose.rendering import environment
from analysis.prose.verdict import verdict
from analysis.report.page.cells import cell_sections, study_command
from analysis.report.page.embed import embedded, read_assets
from analysis.report.registry import chosen_figures, chosen_tables
from analysis.results.ledger import register_claims
from analysis.results.provenance import Place, Spent, hours, places, spent, unique_records
from analysis.results.results import Results
from analysis.stats.format import significant
from analysis.tables import TABLES
from analysis.tables.status import status_counts, status_sentence
from analysis.tables.table import Table, escape_markdown
from study.records.files import write_atomic
from study.records.record import Outcome
from study.spec.study import Study
from vlf.config import load_object

ENDINGS = ("csv", "md", "tex", "html")
FIRST = ("claims", "main")  # tables that every report has, if there is anything to show in them
PLACED = (*FIRST, "power", "status")  # in the templates, in places of their own
LARGEST_SVG = 500_000  # bytes; thousands of marks also take a browser seconds to draw
MOST_FAILED = 100  # with their details, which are tracebacks
MOST_MISSING = 200  # lines in the list of what is missing; records.csv has all


@dataclass(frozen=True)
class Report:
    """Files and results of a written report.

    Attributes:
        main: The main table, for the terminal.
        paths: Every file, the HTML page first.
        claims: The verdicts, for the terminal; None if the study makes no claims.
        judgement: The verdicts.
        damaged: Outcomes with the name of an artifact of theirs that was found damaged.
        verdict: The answer in one sentence.
        unreadable: What characters of figures no installed font has, in words; "" if all are shown.
    """

    main: Table
    paths: list[Path]
    claims: Table | None
    judgement: Judgement
    damaged: Sequence[tuple[Outcome, str]]
    verdict: str
    unreadable: str = ""


def write_report(
    study: Study, outcomes: Sequence[Outcome], folder: Path, results_root: Path
) -> Report:
    """Write everything that the outcomes so far allow; any of them may be missing.

    Args:
        study: The question; names the tables and figures wanted.
        outcomes: One a planned job.
        folder: Where the report goes; files of an earlier one are replaced one by one.
        results_root: Where paths of artifacts start.

    Raises:
        ConfigError: At "report.tables" or "report.figures", if a name is unknown.
    """
    table_names = chosen_tables(study.report)
    figure_names = chosen_figures(study.report)
    results, judgement = look_at_claims(study, outcomes, folder, results_root)
    paths = [write_atomic(folder / "records.csv", results.frame.to_csv(index=False))]
    made = {
        name: load_object(TABLES[name])(results) for name in dict.fromkeys((*FIRST, *table_names))
    }
    tables: dict[str, Table] = {name: table for name, table in made.items() if table is not None}
    for name, table in tables.items():
        paths += _write_table(folder if name == "main" else folder / "tables", table)
    _remove_stale_tables(folder / "tables", TABLES.keys() - tables.keys())
    figures = draw_figures(figure_names, results, folder / "figures")
    remove_stale(folder / "figures", set(FIGURES), {figure.name for figure in figures})
    paths += [path for figure in figures for path in figure.paths]
    paths += write_methods(results, folder)
    values = _values(results, tables, figures)
    pages = [
        write_atomic(folder / "report.html", _render("report.html", values)),
        write_atomic(folder / "report.md", _render("report.md", values)),
    ]
    return Report(
        tables["main"],
        [*pages, *paths],
        tables.get("claims"),
        judgement,
        sorted(results.artifacts.damaged, key=lambda found: (found[0].job, found[1])),
        values["verdict"],
        _unreadable(figures),
    )


def look_at_claims(
    study: Study, outcomes: Sequence[Outcome], folder: Path, results_root: Path
) -> tuple[Results, Judgement]:
    """Judge the claims and note, beside the report, that they were judged on this data.

    Raises:
        LedgerError: If the ledger of claims in the folder cannot be read.
    """
    results = Results(study, outcomes, results_root, ledger=register_claims(study, folder))
    judgement = judge(results)
    if judgement.data:
        results.ledger.add(judgement.data, verdict_words(judgement), datetime.now(UTC))
        results.ledger.save(folder)
    return results, judgement


def _unreadable(figures: Sequence[SavedFigure]) -> str:
    return missing_words(set().union(*(figure.missing for figure in figures)))


def _remove_stale_tables(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        for ending in ENDINGS:
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


def _write_table(folder: Path, table: Table) -> list[Path]:
    content = {
        "csv": table.to_csv(),
        "md": table.to_markdown(),
        "tex": table.to_latex(),
        "html": _page(table),
    }
    return [write_atomic(folder / f"{table.name}.{e}", content[e]) for e in ENDINGS]


def _page(table: Table) -> str:
    title = html.escape(table.name)
    return f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n{table.to_html()}'


def _values(
    results: Results, tables: dict[str, Table], figures: list[SavedFigure]
) -> dict[str, Any]:
    """Everything that the templates show."""
    study = results.study
    counts = status_counts(results)
    ran = places(results)
    missing = [one for one in results.outcomes if one.status not in ("done", "reused")]
    records = unique_records(results)
    took = spent(records)
    answer = [*answer_lines(results), *tuning_lines(results), *diverged_lines(results)]
    return {
        "title": study.report.title or study.question,
        "question": study.question,
        "quick": study.quick,
        "verdict": verdict(results),
        "answer": answer,
        "main": tables["main"],
        "others": [table for name, table in tables.items() if name not in PLACED],
        "status": tables.get("status"),
        "claims": tables.get("claims"),
        "power": tables.get("power"),
        "figures": figures,
        "places": [_place(place) for place in ran],
        "cells": cell_sections(results, ran),
        "has_numbers": any(one.record and one.record.measurements for one in results.outcomes),
        "assets": read_assets(),
        "data": embedded(results, tables),
        "seconds": hours(took.wall_hours * 3600),
        "spent": _spent(took),
        "first": min((record.started for record in records), default=""),
        "last": max((record.started for record in records), default=""),
        "failed": [_failure(one) for one in missing if one.status == "failed"][:MOST_FAILED],
        "failed_more": max(0, counts["failed"] - MOST_FAILED),
        "missing": [_line(one) for one in missing if one.status != "failed"][:MOST_MISSING],
        "missing_more": max(0, sum(o.status != "failed" for o in missing) - MOST_MISSING),
        "problems": [*sorted(results.artifacts.problems), *filter(None, [_unreadable(figures)])],
        "sum": status_sentence(counts),
        "path": str(study.path),
        "command": shlex.join(study_command(study, results.root)),
        "digest": study.digest,
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "kind": place.kind,
        "device": place.device,
        "records": place.records,
        "hours": hours(place.hours * 3600),
        "facts": place.facts,
    }


def _spent(took: Spent) -> str:
    gpu, core = significant(took.gpu_hours, 3), significant(took.core_hours, 3)
    return f"{gpu} GPU-hours, and {core} CPU-hours (hours of one core) of jobs without a GPU"


def _failure(outcome: Outcome) -> dict[str, str]:
    return {"line": _line(outcome), "detail": outcome.record.detail if outcome.record else ""}


def _line(outcome: Outcome) -> str:
    seed = "cost" if outcome.seed is None else f"seed {outcome.seed}"
    if outcome.kind == "tune":
        seed = f"tuning {', '.join(f'{k}={v}' for k, v in outcome.tried.items())}, {seed}"
    reason = outcome.reason or (outcome.record.reason if outcome.record else "")
    return f"{outcome.cell}, {seed}: {outcome.status}" + (f": {reason}" if reason else "")


def _render(name: str, values: dict[str, Any]) -> str:
    templates = environment(is_html=name.endswith(".html"))
    templates.filters["md"] = escape_markdown
    templates.filters["data_uri"] = _data_uri
    templates.filters["html"] = lambda table: Markup(table.to_html())  # it escapes
    return templates.get_template(f"{name}.j2").render(values)


def _data_uri(figure: SavedFigure) -> str:
    """The figure as SVG, or as PNG where it holds so many parts that this is smaller."""
    # As an image, a figure's ids cannot clash with those of the next, and nothing in it runs.
    kind, content = "svg+xml", figure.svg
    if len(content) > LARGEST_SVG:
        png = next(path for path in figure.paths if path.suffix == ".png").read_bytes()
        if len(png) < len(content):
            kind, content = "png", png
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
