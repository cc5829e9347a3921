"""What a YAML may say: `load_study` reads a study file into a `Study`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from study.settings import CostConfig, ReportConfig, RunSettings


class StudyError(ValueError):
    """A study file that cannot be used; its text is `file:line: key: what is wrong`."""


@dataclass(frozen=True)
class Level:
    """One level of a factor.

    Attributes:
        label: As shown in tables ("no g", "8").
        patch: Dotted keys of the run (or `run.slurm.*`) -> values that it sets; a whole `model`
            mapping is kept under the key "model".
        number: Its value where the factor is a plain number, else None.
    """

    label: str
    patch: Mapping[str, Any]
    number: float | None = None


@dataclass(frozen=True)
class Study:
    """A question, and everything needed to answer it.

    Attributes:
        path: The study file.
        digest: sha256 of its text (and of the files it extends).
        question: In a sentence; printed above the tables.
        base: The run that factors change, as nested plain values, not yet validated alone.
        factors: Factor -> its levels, in the file's order.
        design: "grid": all combinations; "one_at_a_time": the baseline and single changes of it.
        paired: Groups of factors whose levels move together.
        exclude: Partial matches (factor -> label) taken out.
        include: Partial matches added back, or the only ones kept of a grid where given.
        seeds: One training run a cell and seed.
        claims: Written before the run; judged by the report.
        cost: The cost protocol.
        run: Where jobs run.
        report: What is shown.
        quick: True for a smoke version.
    """

    path: Path
    digest: str
    question: str
    base: Mapping[str, Any]
    factors: Mapping[str, tuple[Level, ...]]
    design: Literal["grid", "one_at_a_time"]
    paired: tuple[tuple[str, ...], ...]
    exclude: tuple[Mapping[str, str], ...]
    include: tuple[Mapping[str, str], ...]
    seeds: tuple[int, ...]
    claims: tuple[str, ...]
    cost: CostConfig
    run: RunSettings
    report: ReportConfig
    quick: bool = False
