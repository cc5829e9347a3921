"""One section a cell: its config, curves, log, environment, records, and how to make it again."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from analysis.report.page.curves import draw_curves
from analysis.results.frame import device_label
from analysis.results.provenance import Place, facts_of, hours
from analysis.results.results import Results, Variant
from study.records.record import Outcome, Record
from study.spec.study import Study

ANEW = "results-again"  # a folder where nothing is reused

# The C emitter writes the same text ten times as fast; a thousand configs take a second.
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class Attempt:
    """One line of a cell's log.

    Attributes:
        job: "seed 0" or "cost".
        status: As its outcome has it, with the reason.
        began: ISO 8601, UTC; "" where nothing was tried.
        took: As "12 min".
        file: Its record's name in the folder of records.
        place: Number of its environment on the page, from 1; 0 is none.
        notes: Remarks of the record.
    """

    job: str
    status: str
    began: str
    took: str
    file: str
    place: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class CellSection:
    """Section of the page about one cell.

    Attributes:
        label: As in figures.
        cell: Its full name.
        summary: How its jobs ended, in a few words.
        config: Of its run as YAML; of its cost where it was not trained; "" where neither.
        curves: Inline SVG.
        attempts: Its jobs, in the order of seeds.
        command: Makes the cell anew.
        commits: Versions of the code that made its records.
    """

    label: str
    cell: str
    summary: str
    config: str
    curves: Markup
    attempts: tuple[Attempt, ...]
    command: str
    commits: tuple[str, ...]


def cell_sections(results: Results, places: list[Place]) -> list[CellSection]:
    """One a cell, in the order of `results.variants`."""
    numbers = {(p.kind, p.device, p.facts): number for number, p in enumerate(places, 1)}
    return [_section(results, variant, numbers) for variant in results.variants]


def study_command(study: Study, root: Path) -> list[str]:
    """The words of the command that makes a study: its file, and what the command line changed.

    The folder of results stands in it unless it is the default.
    """
    words = ["python", "run_study.py", str(study.path)]
    if study.quick:
        words.append("--quick")
    for text in _overrides(study):
        words += ["--set", text]
    folder = root.parent if study.quick else root
    return words if folder == Path("results") else [*words, "--results", str(folder)]


def _overrides(study: Study) -> list[str]:
    """Values of `--set`, found by the place of the base's values."""
    found = []
    for key, place in study.places.items():
        if place == "--set" and key[0] == "base" and len(key) == 3:
            _, section, name = key
            value = study.base[str(section)][name]
            text = yaml.safe_dump(value, default_flow_style=True, width=10**6)
            value_text = text.removesuffix("\n").removesuffix("\n...")
            found.append(f"{section}.{name}={value_text}")
    return found


def _section(results: Results, variant: Variant, places: Mapping[Any, int]) -> CellSection:
    jobs = results.jobs(variant)
    records = [one.record for one in jobs if one.record is not None]
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.status] = counts.get(job.status, 0) + 1
    return CellSection(
        label=variant.label,
        cell=variant.cell,
        summary=", ".join(f"{count} {status}" for status, count in counts.items()),
        config=_config(records),
        curves=draw_curves(results.arrays_by_seed(variant, "curves")),
        attempts=tuple(_attempt(job, places) for job in jobs),
        command=_command(results, variant, records),
        commits=tuple(dict.fromkeys(filter(None, map(_commit, records)))),
    )


def _config(records: list[Record]) -> str:
    """Config of the first training record, which seeds share, else of the cost record."""
    trained = [record for record in records if record.kind == "train"]
    for record in [*trained, *records]:
        return yaml.dump(dict(record.config), Dumper=_DUMPER, sort_keys=False, allow_unicode=True)
    return ""


def _attempt(job: Outcome, places: Mapping[Any, int]) -> Attempt:
    record = job.record
    seed = "" if job.seed is None else f"seed {job.seed}"
    name = seed if job.kind == "train" else f"{job.kind} {seed}".strip()
    reason = job.reason or (record.reason if record else "")
    status = f"{job.status}: {reason}" if reason else job.status
    if record is None:
        return Attempt(name, status, "", "", "", 0, ())
    place = places.get((record.kind, device_label(record), facts_of(record)), 0)
    took = hours(record.seconds)
    return Attempt(name, status, record.started, took, record.file_name, place, record.notes)


def _command(results: Results, variant: Variant, records: list[Record]) -> str:
    is_quick = results.study.quick  # such a run goes to RESULTS/quick
    words = study_command(results.study, Path(ANEW, "quick") if is_quick else Path(ANEW))
    if variant.levels:
        words += ["--only", ",".join(f"{name}={level}" for name, level in variant.levels.items())]
    devices = {record.device for record in records}
    if len(devices) == 1:
        words += ["--device", *devices]
    return shlex.join(words)


def _commit(record: Record) -> str:
    said = record.environment
    commit = said.get("commit", "")
    is_dirty = said.get("dirty") == "yes"
    return f"{commit} with changes that were not committed" if commit and is_dirty else commit
