"""What a cell has and how long its training will take, as far as records tell. No torch."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from study.plan import Plan, Planned

# Where nothing was trained on this device yet: MACs a second of one thread in training. Two at a
# time on a 2-core AMD EPYC with torch 2.14.1, the factorization study trained VTN-like at 8.5e9,
# TimeSformer-like and VLF at 1.2e10. Elsewhere it is a guess, and shown as one.
GUESSED_MACS_PER_S = 1e10
GUESSED_OVERHEAD_S = 5.0


@dataclass(frozen=True)
class CellCounts:
    """What is known of a cell before it runs.

    Attributes:
        parameters: Learnable values.
        macs: Multiply-accumulates of one clip's forward pass.
        notes: What the MACs leave out.
        modules: Of `--modules`: (name, class, parameters, MACs) of each, parents first.
    """

    parameters: int
    macs: float
    notes: tuple[str, ...] = ()
    modules: tuple[tuple[str, str, int, int], ...] = ()


def recorded_counts(plan: Plan) -> dict[str, CellCounts]:
    """Counts by cell name, of the cells that have a cost record made by this very code.

    A finished study is planned again without building a model.
    """
    found = {}
    for job in plan.cost:
        if job.record is None or job.record.status != "done" or job.reason:
            continue
        values = {m.metric: m.samples[0] for m in job.record.measurements if m.part is None}
        if {"parameters", "macs"} <= values.keys():
            notes = tuple(note for note in job.record.notes if note.startswith("MACs"))
            found[job.cell.name] = CellCounts(int(values["parameters"]), values["macs"], notes)
    return found


def estimate_times(plan: Plan, counts: Mapping[str, CellCounts]) -> dict[str, float]:
    """Expected seconds of every train and tune job, by name, from the plan's records if it can.

    A training step is taken for three forward passes. The rate is the median of the records of
    the same architecture, else of all, else a guess.
    """
    rates: dict[str, list[float]] = {}
    for job in plan.training:
        if job.record is not None and job.record.status == "done":
            took = sum(m.samples[0] for m in job.record.measurements if m.metric == "training_time")
            if took > 0:
                rates.setdefault(job.cell.config.model.name, []).append(_work(job, counts) / took)
    every = [rate for found in rates.values() for rate in found]
    fallback = statistics.median(every) if every else GUESSED_MACS_PER_S
    return {
        job.name: GUESSED_OVERHEAD_S
        + _work(job, counts) / statistics.median(rates.get(job.cell.config.model.name, [fallback]))
        for job in plan.training
    }


def _work(job: Planned, counts: Mapping[str, CellCounts]) -> float:
    config = job.cell.config
    clips = config.data.train_size()
    return 3 * counts[job.cell.name].macs * clips * config.train.epochs
