"""A study's results in a notebook: the frame, and every table and figure by its name.

Nothing is written: no report, no record, and no entry in the ledger of claims, which `--report`
judges.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import FIGURES
from analysis.figures.save import CANVASES
from analysis.figures.style import DPI, Drawing, freeze_layout, house_style
from analysis.results.ledger import read_ledger
from analysis.results.results import Results
from analysis.tables import TABLES
from analysis.tables.table import Table
from study.plan.jobs import Choice
from study.plan.known_studies import report_parts
from study.plan.other_records import with_other_devices
from study.run.prepare import prepare
from study.spec.study import StudyError, load_study
from vlf.config import load_object, nearest

WHOLE = ("seed", "round", "batch_size", "views")  # columns of records.csv that hold whole numbers


@dataclass(frozen=True)
class Picture:
    """A figure that a notebook shows.

    Attributes:
        figure: To be changed or saved by matplotlib.
        caption: What is shown, with what interval.
    """

    figure: Figure
    caption: str

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.set_dpi(DPI)
        CANVASES["png"](self.figure).print_png(buffer)  # type: ignore[attr-defined]
        return buffer.getvalue()


def open_study(
    study: str | Path, results: str | Path = "results", accept_code: bool = False
) -> Results:
    """Results of a study as its report would show them now; any may be missing.

    Args:
        study: The study file.
        results: The results folder.
        accept_code: Reuse records made by a different version of the code.

    Raises:
        StudyError: If the study file is wrong.
    """
    loaded = load_study(Path(study))
    plan, store = prepare(loaded, Path(results), Choice(accept_code=accept_code))
    outcomes = with_other_devices(plan.outcomes(), plan, store)
    ledger = read_ledger(store.root.joinpath(*report_parts(loaded.path)))
    return Results(loaded, outcomes, store.root, ledger=ledger)


def read_records(path: Path) -> pd.DataFrame:
    """The frame of a report's `records.csv`; text that is missing is "".

    Raises:
        FileNotFoundError: If there is none.
    """
    file = path / "records.csv" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file; name a study file, or a report's folder")
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    whole = {name: "Int64" for name in WHOLE if name in frame}
    for name in (*whole, "value"):
        frame[name] = pd.to_numeric(frame[name].replace("", None))
    return frame.astype({**whole, "value": "float64"})


def table(results: Results, name: str = "main") -> Table | None:
    """A table of the report by its name; None where the study has nothing for it.

    Raises:
        StudyError: If there is no such table.
    """
    made: Table | None = load_object(_known(name, TABLES))(results)
    return made


def figure(results: Results, name: str) -> Picture | None:
    """A figure of the report by its name, in its style; None where the study has no data for it.

    Raises:
        StudyError: If there is no such figure.
    """
    entry = _known(name, FIGURES)
    with house_style():
        drawing: Drawing | None = load_object(entry)(results)
        if drawing is None:
            return None
        freeze_layout(drawing.figure)
    return Picture(drawing.figure, drawing.caption)


def _known(name: str, registry: dict[str, str]) -> str:
    if name not in registry:
        raise StudyError(f'no "{name}"{nearest(name, registry)} (allowed: {", ".join(registry)})')
    return registry[name]
