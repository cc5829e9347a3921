"""Output of `--plan`, for a person or as JSON."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from study.cli.race_view import race_values, seed_lines
from study.cli.status_view import MOST_ROWS, failed_words, print_rest, print_warnings
from study.estimate.estimate import Estimate
from study.match.words import matched_words, ratio_to_target
from study.measure.counts import CellCounts
from study.plan.jobs import sum_up
from study.plan.planner import Plan, Planned
from study.records.text_table import print_rows, short_names
from study.records.units import duration, size
from study.spec.grid import Cell
from study.spec.study import Study

MOST_NOTES = 20
DEVICE = {"cuda": "GPU-hours", "cpu": "CPU-hours (hours of one core)"}


def print_plan(
    plan: Plan,
    counts: Mapping[str, CellCounts],
    expected: Estimate,
    console: Console,
    as_json: bool,
) -> None:
    """Print cells with parameters, MACs and jobs to run, then what these will take."""
    if as_json:
        print(json.dumps(_plan_values(plan, counts, expected), indent=1))
        return
    print_warnings(data_warnings(plan, counts), console)
    _print_cells(plan, counts, expected, console)
    notes = [*_reasons(plan), *_count_notes(plan, counts)]
    for note in notes[:MOST_NOTES]:
        console.print(f"  {note}", markup=False, soft_wrap=True)
    print_rest(len(notes) - MOST_NOTES, "notes", console)
    _print_modules(plan, counts, console)
    for line in seed_lines(plan):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    pending = [*plan.to_run, *plan.waiting]
    if not pending:
        console.print(f"nothing to run: {sum_up(plan.outcomes())}")
        return
    console.print(
        f"{len(pending)} of {len(plan.jobs)} jobs to run on {plan.device}, "
        f"{_wall_time(plan, expected)}; timing of costs comes on top",
        soft_wrap=True,
    )
    _print_stages(plan, console)
    for line in needs_in_words(plan, expected):
        style = "yellow" if line.startswith("warning") else None
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _print_cells(
    plan: Plan, counts: Mapping[str, CellCounts], expected: Estimate, console: Console
) -> None:
    match = plan.study.match
    levels = [*short_names(plan.study.factors).values()]
    has_reused = any(job.is_reused for job in plan.jobs)
    headings = [*levels, "parameters (M)", "MACs (M)"]
    headings += [f"matched ({match.metric_words})"] if match else []
    headings += ["reused"] if has_reused else []
    jobs_of: dict[str, list[Planned]] = {}
    for job in plan.jobs:
        jobs_of.setdefault(job.cell.name, []).append(job)
    rows = []
    for cell in [cost.cell for cost in plan.cost[:MOST_ROWS]]:
        count, jobs = counts[cell.name], jobs_of[cell.name]
        pending = [job for job in jobs if job.is_pending]
        row = [cell.levels.get(factor, "-") for factor in plan.study.factors]
        row += [f"{count.parameters / 1e6:.3f}", f"{count.macs / 1e6:.2f}"]
        row += [matched_words(match, cell, counts)] if match else []
        row += [str(sum(job.is_reused for job in jobs))] if has_reused else []
        rows.append((*row, str(len(pending)), _cell_time(pending, expected)))
    headings += ["to run", "estimate"]
    print_rows(headings, rows, console, title=plan.study.question, words=len(levels))
    print_rest(len(plan.cost) - len(rows), "cells", console)


def _reasons(plan: Plan) -> list[str]:
    """A line for each reason of jobs, with the jobs that share it."""
    sharing: dict[tuple[str, str], list[Planned]] = {}
    for job in plan.jobs:
        if job.reason and not job.reason.startswith("waits for"):
            reason = failed_words(job.reason, job.log) if job.failures else job.reason
            sharing.setdefault((job.kind, reason), []).append(job)
    return [f"{_name_jobs(jobs)}: {reason}" for (_, reason), jobs in sharing.items()]


def _cell_time(jobs: Sequence[Planned], expected: Estimate) -> str:
    """Time of the pending jobs of a cell, one after another."""
    if any(job.name in expected.unknown for job in jobs):
        return "not known"
    seconds = sum(expected.seconds[job.name] for job in jobs if job.kind != "cost")
    return duration(seconds) if jobs else "-"


def _wall_time(plan: Plan, expected: Estimate) -> str:
    if expected.wall_s is None:
        return "in a time that is not known, since data are missing"
    jobs = "1 job" if expected.workers == 1 else f"{expected.workers} jobs"
    device = "GPU" if plan.device == "cuda" else "core"
    each = f"{expected.devices} {device}{'s' if expected.devices > 1 else ''}"
    at_a_time = f", with {jobs} of {each} at a time" if expected.workers else ""
    return f"in about {duration(expected.wall_s)}{at_a_time} (an estimate)"


def data_warnings(plan: Plan, counts: Mapping[str, CellCounts]) -> list[str]:
    """Missing data, then notes on data; one line for cells that share them."""
    missing = {cost.cell.name: counts[cost.cell.name].missing for cost in plan.cost}
    lines = dict.fromkeys(text for text in missing.values() if text)
    absent = [f"data are missing, and a run would be refused: {text}" for text in lines]
    return absent + _by_cells(plan, {name: count.data for name, count in counts.items()})


def _name_jobs(jobs: Sequence[Planned]) -> str:
    """Text such as "train variant=VLF, seed=0 and 20 more"."""
    more = f" and {len(jobs) - 1:,} more" if len(jobs) > 1 else ""
    return f"{jobs[0].kind} {jobs[0].name}{more}"


def _print_stages(plan: Plan, console: Console) -> None:
    """Print the jobs that tuning decides on."""
    if waiting := len(plan.waiting):
        first = sum(job.is_to_run for job in plan.tune)
        console.print(
            f"of these {first} tuning runs come first; which {waiting} training runs follow, and "
            "whether records of them are there already, is known when tuning has chosen",
            soft_wrap=True,
        )


def _count_notes(plan: Plan, counts: Mapping[str, CellCounts]) -> list[str]:
    """Notes on operations that counts leave out."""
    return _by_cells(plan, {name: count.notes for name, count in counts.items()})


def _by_cells(plan: Plan, notes: Mapping[str, Sequence[str]]) -> list[str]:
    """Notes of cells; said once where several cells share one."""
    cells: dict[str, list[str]] = {}
    for cost in plan.cost:
        for note in notes[cost.cell.name]:
            cells.setdefault(note, []).append(cost.cell.name)
    return [
        f"{first} and {len(others)} more: {note}" if others else f"{first}: {note}"
        for note, (first, *others) in cells.items()
    ]


def _print_modules(plan: Plan, counts: Mapping[str, CellCounts], console: Console) -> None:
    """One table a cell, where `--modules` asked for them; a child is indented under its parent."""
    for cost in plan.cost:
        count = counts[cost.cell.name]
        if not count.modules:
            continue
        rows = []
        for name, kind, parameters, macs in count.modules:
            if parameters or macs:
                share = f"{100 * macs / count.macs:.1f}" if count.macs else "-"
                indented = "  " * name.count(".") + name
                rows.append((indented, kind, f"{parameters:,}", f"{macs:,}", share))
        headings = ("module", "class", "parameters", "MACs", "MACs (%)")
        print_rows(headings, rows, console, title=cost.cell.name, words=2)


def _plan_values(
    plan: Plan, counts: Mapping[str, CellCounts], expected: Estimate
) -> dict[str, Any]:
    keys = ("module", "class", "parameters", "macs")
    modules = {cost.cell.name: counts[cost.cell.name].modules for cost in plan.cost}
    return {
        "question": plan.study.question,
        "device": plan.device,
        "estimate_s": None if expected.wall_s is None else round(expected.wall_s, 1),
        "missing": [*dict.fromkeys(count.missing for count in counts.values() if count.missing)],
        **needs_as_values(plan, expected),
        **race_values(plan),
        "jobs": [_job_values(plan, job, counts, expected) for job in plan.jobs],
        "modules": {
            name: [dict(zip(keys, row, strict=True)) for row in rows]
            for name, rows in modules.items()
            if rows
        },
    }


def _job_values(
    plan: Plan, job: Planned, counts: Mapping[str, CellCounts], expected: Estimate
) -> dict[str, Any]:
    count = counts[job.cell.name]
    is_known = job.kind != "cost" and job.name not in expected.unknown
    return {
        "kind": job.kind,
        "cell": job.cell.name,
        "levels": dict(job.cell.levels),
        "seed": job.seed,
        "status": job.status,
        "reason": job.reason,
        "failures": job.failures,
        "log": job.log,
        "tried": dict(job.tried),
        "identity": job.key.identity or None,  # not known before tuning has chosen
        "estimate_s": round(expected.seconds[job.name], 1) if is_known else None,
        "parameters": count.parameters,
        "macs": count.macs,
        "notes": [*count.notes, *count.data],
        **_matched_values(plan.study, job.cell, counts),
    }


def _matched_values(study: Study, cell: Cell, counts: Mapping[str, CellCounts]) -> dict[str, Any]:
    """Scaled key, value, target and ratio of a cell; empty without `match`."""
    if study.match is None or cell.matched is None:
        return {}
    ratio = ratio_to_target(study.match, cell, counts)
    return {"matched": {**dataclasses.asdict(cell.matched), "ratio": ratio}}


def needs_in_words(plan: Plan, expected: Estimate) -> list[str]:
    """Lines below the table of a plan with jobs to run: device-hours, disk, warnings."""
    disk = expected.disk
    hours = f"about {_number(expected.device_hours)} {DEVICE[plan.device]}"
    if expected.unknown:
        hours = "not known how long, since the number of clips is not known"
    lines = [f"training: {hours}, by {expected.basis}"] if plan.study.seeds else []
    lines += expected.assumed
    records, artifacts = size(disk.records), size(disk.artifacts)
    features = f", features of frozen backbones {size(disk.features)}" if disk.features else ""
    lines.append(
        f"disk: about {size(disk.stays)} (predictions and curves {artifacts}, records and report "
        f"{records}{features}), and up to {size(disk.checkpoints)} of checkpoints while it runs; "
        f"{size(disk.free)} are free"
    )
    if disk.most > disk.free:
        lines.append(
            f"warning: it does not fit on the disk of the results folder: about {size(disk.most)} "
            f"are needed and {size(disk.free)} are free"
        )
    return lines


def needs_as_values(plan: Plan, expected: Estimate) -> dict[str, Any]:
    """The same, as JSON values."""
    disk = expected.disk
    return {
        "device_hours": None if expected.unknown else round(expected.device_hours, 3),
        "device_hours_are": "GPU-hours" if plan.device == "cuda" else "core-hours",
        "device_hours_by": expected.basis,
        "assumed": list(expected.assumed),
        "disk_bytes": {
            "records": disk.records,
            "artifacts": disk.artifacts,
            "features": disk.features,
            "checkpoints": disk.checkpoints,
            "free": disk.free,
        },
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
