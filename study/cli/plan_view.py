"""What `--plan` and `--status` print, for a person or as JSON for a script."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from study.cli.needs import needs_as_values, needs_in_words
from study.estimate.estimate import Estimate
from study.executors.task import AGAIN
from study.match.words import matched_words, ratio_to_target
from study.measure.counts import CellCounts
from study.plan.jobs import sum_up
from study.plan.planner import Plan, Planned
from study.records.record import Outcome
from study.records.text_table import print_rows, short_names
from study.run.progress import duration
from study.spec.grid import Cell
from study.spec.study import Study

MOST_ROWS = 200  # of a table; rich needs a millisecond for one
MOST_NOTES = 20


def print_plan(
    plan: Plan,
    counts: Mapping[str, CellCounts],
    expected: Estimate,
    console: Console,
    as_json: bool,
) -> int:
    """Cells with parameters, MACs and what is to run, then what that would take; 0."""
    if as_json:
        print(json.dumps(_plan_values(plan, counts, expected), indent=1))
        return 0
    print_warnings(data_warnings(plan, counts), console)
    match = plan.study.match
    matched = (f"matched ({match.metric_words})",) if match else ()
    levels = tuple(short_names(plan.study.factors).values())
    reused = ("reused",) if any(job.status == "reused" for job in plan.jobs) else ()
    headings = (*levels, "parameters (M)", "MACs (M)", *matched, *reused, "to run", "estimate")
    rows: list[tuple[str, ...]] = []
    reasons: dict[tuple[str, str], list[Planned]] = {}
    training: dict[str, list[Planned]] = {}
    for job in plan.training:
        training.setdefault(job.cell.name, []).append(job)
    for cost in plan.cost:
        jobs = [cost, *training.get(cost.cell.name, ())]
        to_run = [job for job in jobs if job.status in ("to run", "waits")]
        count = counts[cost.cell.name]
        for job in jobs:
            if job.reason and not job.reason.startswith("waits for"):
                reason = _failed_words(job.reason, job.log) if job.failures else job.reason
                reasons.setdefault((job.kind, reason), []).append(job)
        if len(rows) == MOST_ROWS:
            continue
        rows.append(
            (
                *(cost.cell.levels.get(factor, "-") for factor in plan.study.factors),
                f"{count.parameters / 1e6:.3f}",
                f"{count.macs / 1e6:.2f}",
                *((matched_words(match, cost.cell, counts),) if match else ()),
                *([str(sum(job.status == "reused" for job in jobs))] if reused else []),
                str(len(to_run)),
                _cell_time(to_run, expected),
            )
        )
    notes = [_of_many(jobs) + f": {reason}" for (_, reason), jobs in reasons.items()]
    notes += _count_notes(plan, counts)
    print_rows(headings, rows, console, title=plan.study.question, words=len(levels))
    _say_more(len(plan.cost) - len(rows), "cells", console)
    for note in notes[:MOST_NOTES]:
        console.print(f"  {note}", markup=False, soft_wrap=True)
    _say_more(len(notes) - MOST_NOTES, "notes", console)
    _print_modules(plan, counts, console)
    to_run = [*plan.to_run, *plan.waiting]
    if to_run:
        console.print(
            f"{len(to_run)} of {len(plan.jobs)} jobs to run on {plan.device}, "
            f"{_wall_time(plan, expected)}; timing of costs comes on top",
            soft_wrap=True,
        )
        _say_stages(plan, console)
        for line in needs_in_words(plan, expected):
            style = "yellow" if line.startswith("warning") else None
            console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(f"nothing to run: {sum_up(plan.outcomes())}")
    return 0


def _cell_time(jobs: Sequence[Planned], expected: Estimate) -> str:
    """Of a cell's jobs that are to run, one after the other."""
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
    """What is missing of the data, then what is known of them; once where cells share it."""
    missing = {cost.cell.name: counts[cost.cell.name].missing for cost in plan.cost}
    lines = dict.fromkeys(text for text in missing.values() if text)
    absent = [f"data are missing, and a run would be refused: {text}" for text in lines]
    return absent + _by_cells(plan, {name: count.data for name, count in counts.items()})


def _of_many(jobs: Sequence[Planned]) -> str:
    """As "train variant=VLF, seed=0 and 20 more"."""
    more = f" and {len(jobs) - 1:,} more" if len(jobs) > 1 else ""
    return f"{jobs[0].kind} {jobs[0].name}{more}"


def _say_stages(plan: Plan, console: Console) -> None:
    """Of a study that tunes: what is not known before it has."""
    if waiting := len(plan.waiting):
        first = sum(job.status == "to run" for job in plan.tune)
        console.print(
            f"of these {first} tuning runs come first; which {waiting} training runs follow, and "
            "whether records of them are there already, is known when tuning has chosen",
            soft_wrap=True,
        )


def _say_more(number: int, what: str, console: Console) -> None:
    if number > 0:
        console.print(f"  and {number:,} more {what}; --json lists all", highlight=False)


def _count_notes(plan: Plan, counts: Mapping[str, CellCounts]) -> list[str]:
    """What counts leave out."""
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
    plan: Plan,
    counts: Mapping[str, CellCounts],
    expected: Estimate,
) -> dict[str, Any]:
    estimates = expected.seconds

    def values(job: Planned) -> dict[str, Any]:
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
            "estimate_s": None
            if job.kind == "cost" or job.name in expected.unknown
            else round(estimates[job.name], 1),
            "parameters": counts[job.cell.name].parameters,
            "macs": counts[job.cell.name].macs,
            "notes": [*counts[job.cell.name].notes, *counts[job.cell.name].data],
            **_matched_values(plan.study, job.cell, counts),
        }

    return {
        "question": plan.study.question,
        "device": plan.device,
        "estimate_s": None if expected.wall_s is None else round(expected.wall_s, 1),
        "missing": [*dict.fromkeys(one.missing for one in counts.values() if one.missing)],
        **needs_as_values(plan, expected),
        "jobs": [values(job) for job in plan.jobs],
        "modules": {
            cost.cell.name: [
                dict(zip(("module", "class", "parameters", "macs"), one, strict=True))
                for one in counts[cost.cell.name].modules
            ]
            for cost in plan.cost
            if counts[cost.cell.name].modules
        },
    }


def _matched_values(study: Study, cell: Cell, counts: Mapping[str, CellCounts]) -> dict[str, Any]:
    """Of a study with `match`: what was scaled, to what, whose cost it meets and how nearly."""
    if study.match is None or cell.matched is None:
        return {}
    ratio = ratio_to_target(study.match, cell, counts)
    return {"matched": {**dataclasses.asdict(cell.matched), "ratio": ratio}}


def print_status(outcomes: Sequence[Outcome], console: Console, as_json: bool) -> None:
    """How every job stands, failures with their reasons, then the sum."""
    if as_json:
        rows = [
            {
                "kind": outcome.kind,
                "cell": outcome.cell,
                "levels": dict(outcome.levels),
                "seed": outcome.seed,
                "tried": dict(outcome.tried),
                "status": outcome.status,
                "reason": outcome.reason,
                "log": outcome.log,
            }
            for outcome in outcomes
        ]
        print(json.dumps({"sum": sum_up(outcomes), "jobs": rows}, indent=1))
        return
    shown = {"cost": "cost", "tune": "tuning", "train": "training"}
    if not any(outcome.kind == "tune" for outcome in outcomes):
        del shown["tune"]
    cells: dict[str, dict[str, list[str]]] = {}
    for outcome in outcomes:
        cell = cells.setdefault(outcome.cell, {kind: [] for kind in shown})
        words = f"{outcome.seed}: {outcome.status}" if outcome.kind == "train" else outcome.status
        cell[outcome.kind].append(words)
    lines: list[tuple[str, ...]] = []
    for name, kinds in list(cells.items())[:MOST_ROWS]:
        if "tune" in kinds:
            kinds["tune"] = [f"{n} {word}" for word, n in Counter(kinds["tune"]).items()]
        lines.append((name, *(", ".join(words) for words in kinds.values())))
    headings = ("cell", *shown.values())
    print_rows(headings, lines, console, words=len(headings))
    _say_more(len(cells) - MOST_ROWS, "cells", console)
    reasons = [one for one in outcomes if one.status == "not run" and one.reason]
    for outcome in reasons[:MOST_ROWS]:
        line = f"{outcome.job}: {outcome.reason}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    _say_more(len(reasons) - MOST_ROWS, "reasons", console)
    print_sum(outcomes, console)


def print_warnings(lines: Sequence[str], console: Console) -> None:
    """What was found damaged."""
    for line in lines:
        console.print(f"warning: {line}", style="yellow", markup=False, soft_wrap=True)


def _failed_words(reason: str, log: str) -> str:
    """As "failed, will be tried again: out of memory (log: results/attempts/.../log.txt)"."""
    link = ", " if reason.startswith(AGAIN) else ": "
    return f"failed{link}{reason}" + (f" (log: {log})" if log else "")


def print_sum(outcomes: Sequence[Outcome], console: Console) -> None:
    """A line for each failed job, then the sum over all."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    for outcome in failed[:MOST_ROWS]:
        console.print(
            f"{outcome.kind} {outcome.job}: {_failed_words(outcome.reason, outcome.log)}",
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if len(failed) > MOST_ROWS:
        console.print(f"and {len(failed) - MOST_ROWS:,} more failed", highlight=False)
    console.print(sum_up(outcomes), highlight=False, soft_wrap=True)
