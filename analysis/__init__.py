"""Records -> statistics, tables, figures, report. Never imports torch or a model.

From a notebook: `from analysis import load` (docs/notebook.ipynb).
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load"]


def load(source: str | Path, results: str | Path = "results") -> "pd.DataFrame":
    """The numbers of a study as one tidy frame, one row a sample (`analysis.results.frame.tidy`).

    Args:
        source: A study file, whose records are looked up as `--report` does; or the folder of a
            report, or its `records.csv`, where text that is missing is "".
        results: The results folder of a study file.

    Raises:
        StudyError: If the study file is wrong.
        FileNotFoundError: If there is no `records.csv` in the folder.
    """
    from analysis.notebook import open_study, read_records  # the plan: not for every import

    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        return open_study(path, results).frame
    return read_records(path)
