"""Cells of a plan whose value is chosen by timing before they are anything (`match: latency`).

Until then a cell stands in the plan with the value that is nearest in MACs, so that its time and
its inputs can be told; no record is its own yet.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from study.estimate.rates import guessed_rate
from study.measure.counts import CellCounts
from study.plan.planner import Choice, CostPlace, Plan, Planned, make_plan
from study.records.store import Store
from study.records.units import duration
from study.spec.grid import Cell
from study.spec.study import Study

WAITS = "waits for the timing that chooses {key} (match)"
NOWHERE = "none"  # a folder without records
RUNS, MODELS = 3, 5  # timing runs a value, as most take; models in one
START_S = 8.0  # of a timing run, for its process; a guess
CALLS = 2.5  # a round and model: two, and the warm-up


def plan_cells(
    study: Study, cells: Sequence[Cell], store: Store, device: str, choice: Choice
) -> Plan:
    """As `make_plan`; jobs of open cells are to run whatever records there are."""
    plan = make_plan(study, cells, store, device, choice)
    if not any(cell.is_open for cell in cells):
        return plan
    blank = make_plan(study, cells, Store(store.root / NOWHERE), device, choice)
    return dataclasses.replace(
        plan,
        cost=_hold_open(plan.cost, blank.cost),
        tune=_hold_open(plan.tune, blank.tune),
        train=_hold_open(plan.train, blank.train),
    )


def _hold_open(jobs: Sequence[Planned], blank: Sequence[Planned]) -> tuple[Planned, ...]:
    pairs = zip(jobs, blank, strict=True)
    return tuple(_hold(empty) if empty.cell.is_open else job for job, empty in pairs)


def _hold(job: Planned) -> Planned:
    key = dataclasses.replace(job.key, identity="")
    if job.status != "to run" or job.cell.matched is None:
        return dataclasses.replace(job, key=key)
    return dataclasses.replace(job, key=key, reason=WAITS.format(key=job.cell.matched.key))


def wanted_open(plan: Plan) -> set[str]:
    """Names of the open cells that have something to run, or that such a one is compared with."""
    asked = {job.cell.name for job in plan.jobs if job.status in ("to run", "waits")}
    asked |= {plan.baseline_of[name] for name in asked}
    return {job.cell.name for job in plan.cost if job.cell.is_open and job.cell.name in asked}


def refuse_timing(plan: Plan) -> None:
    """Refuse to submit jobs whose values are timed where a command runs.

    Raises:
        StudyError: If jobs would be submitted of which nobody knows what they are.
    """
    if wanted_open(plan):
        say = "run the study once on a node of that kind with --executor process --cost-only"
        raise plan.study.error(
            ("match", "metric"),
            f"latency is timed by a run on the machine itself, not in a queue: {say}; what it "
            "chooses is kept in the results folder, and then jobs can be submitted",
        )


def device_words(place: CostPlace) -> str:
    """A device as a person is told: "AMD EPYC 7B13", "ARMv8 Processor (jetson-nano)"."""
    return f"{place.model} ({place.name})" if place.name else place.model


def latency_notes(plan: Plan, counts: Mapping[str, CellCounts]) -> list[str]:
    """What a plan says of a study that matches latency, below its table."""
    match = plan.study.match
    if match is None or not match.is_timed:
        return []
    notes = []
    if names := wanted_open(plan):
        about = duration(_search_s(plan, names, counts))
        notes.append(
            "match: the values marked ? are the nearest in MACs; a run first chooses those of "
            f"{waiting_words(names)} by timing candidates beside their targets, in about {about} "
            "(a guess), and what follows for these cells is told of the values marked ?"
        )
    return [*notes, *elsewhere_notes(plan)]


def waiting_words(names: Collection[str]) -> str:
    """As "1 cell", "2 cells"."""
    return f"{len(names)} cell{'' if len(names) == 1 else 's'}"


def elsewhere_notes(plan: Plan) -> list[str]:
    """That values were chosen by timing, where, and whether that is another device than this."""
    reached = [job.cell.matched.reached for job in plan.cost if job.cell.matched]
    here, notes = device_words(plan.place), []
    for device in dict.fromkeys(one.device for one in reached if one is not None):
        other = "" if device == here else f"; this is {here}, and they stay as they are"
        notes.append(f"match: latency was matched by timing on {device}{other}")
    return notes


def _search_s(plan: Plan, names: set[str], counts: Mapping[str, CellCounts]) -> float:
    """What the timing of the values may take, by a guess of how fast the device is."""
    cost, seconds = plan.study.cost, 0.0
    cells = {job.cell.name: job.cell for job in plan.cost}
    searches = {  # cells that share an architecture are searched once
        (cells[name].config.model.model_dump_json(), cells[name].config.data.frames, matched.target)
        for name in names
        if (matched := cells[name].matched) is not None
    }
    for _, _, target in searches:
        rate = guessed_rate(cells[target].config, plan.device)
        rate *= 1 if plan.device == "cuda" else cost.threads
        rounds_s = CALLS * cost.rounds * counts[target].macs * cost.batch_sizes[0] / rate
        seconds += RUNS * (START_S + MODELS * min(rounds_s, 1.25 * cost.budget_s))
    return seconds
