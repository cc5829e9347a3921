"""Figures as files: PDF for the paper, SVG for the screen, PNG for everything else."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools import subset
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG

from analysis.figures.style import DPI, Drawing, freeze_layout, house_style, is_page
from analysis.results.results import Results
from study.records.files import write_atomic
from vlf.config import load_object

# Without dates and versions, so that the same records give the same bytes.
FORMATS: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}

TYPESETTING = ("GDEF", "GPOS", "GSUB", "MATH")  # tables of a font

CANVASES: dict[str, type[FigureCanvasBase]] = {
    "pdf": FigureCanvasPdf,
    "svg": FigureCanvasSVG,
    "png": FigureCanvasAgg,
}


@dataclass(frozen=True)
class SavedFigure:
    """A figure that has been written.

    Attributes:
        name: As in FIGURES.
        caption: What is shown.
        paths: One a format.
        svg: Content of the SVG file.
        is_wide: Whether it takes the width of a page and not of a column.
        missing: Characters that no installed font has.
    """

    name: str
    caption: str
    paths: tuple[Path, ...]
    svg: bytes
    is_wide: bool
    missing: frozenset[str]


def save_figure(name: str, entry: str, results: Results, folder: Path) -> SavedFigure | None:
    """Draw one figure of FIGURES and write it in all formats; None where it has no data."""
    with house_style() as missing:
        drawing: Drawing | None = load_object(entry)(results)
        if drawing is None:
            return None
        freeze_layout(drawing.figure)
        with _fonts_as_drawn():
            content = {ending: _render(drawing, ending) for ending in FORMATS}
    paths = tuple(
        write_atomic(folder / f"{name}.{ending}", data) for ending, data in content.items()
    )
    is_wide = is_page(drawing.figure.get_figwidth())
    return SavedFigure(name, drawing.caption, paths, content["svg"], is_wide, frozenset(missing))


def remove_stale(folder: Path, names: set[str], kept: set[str]) -> None:
    """Take away figures of an earlier report that this one does not have."""
    for name in names - kept:
        for ending in FORMATS:
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


@contextmanager
def _fonts_as_drawn() -> Iterator[None]:
    """Cut fonts down without their tables of typesetting, which take most of a PDF's time.

    Every glyph has its place when it comes to a file: nobody asks the tables.
    """
    usual = subset.Options

    def options(**given: object) -> Any:
        made = usual(**given)
        made.drop_tables = [*made.drop_tables, *TYPESETTING]
        return made

    subset.Options = options
    log = logging.getLogger("fontTools")
    level = log.level
    log.setLevel(logging.ERROR)  # installed fonts may have odd dates, which nobody can change
    try:
        yield
    finally:
        log.setLevel(level)
        subset.Options = usual


def _render(drawing: Drawing, ending: str) -> bytes:
    # The canvas itself, not savefig, which draws everything once more to lay it out.
    canvas, metadata = CANVASES[ending](drawing.figure), FORMATS[ending]
    drawing.figure.set_dpi(DPI)  # print_pdf and print_svg leave their own 72 behind
    buffer = io.BytesIO()
    getattr(canvas, f"print_{ending}")(buffer, metadata=metadata)
    return buffer.getvalue()
