"""Before anything runs: build every cell on the meta device, count it, and guess its time."""

import json
import statistics
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from study.grid import Cell
from study.metrics.macs import count
from study.plan import CellCounts, Plan, Planned
from study.spec import Study, locate
from vlf.config import ConfigError, DataConfig, ModelConfig
from vlf.data import check_data
from vlf.models import build_model

# Where nothing was trained on this device yet: MACs a second of one thread in training. Two at a
# time on a 2-core AMD EPYC with torch 2.14.1, the factorization study trained VTN-like at 8.5e9,
# TimeSformer-like and VLF at 1.2e10. Elsewhere it is a guess, and shown as one.
GUESSED_MACS_PER_S = 1e10
GUESSED_OVERHEAD_S = 5.0


def build_for_cost(model: ModelConfig, data: DataConfig) -> tuple[nn.Module, tuple[int, ...]]:
    """An architecture and the shape of its clip (T, 3, H, W), for counting and timing.

    Published weights are not read: they change no cost.
    """
    if hasattr(model, "pretrained"):
        model = model.model_copy(update={"pretrained": False})
    shape = (data.frames, 3, data.size, data.size)
    return build_model(model, data).eval(), shape


def inspect(plan: Plan, to_run: bool) -> tuple[dict[str, CellCounts], dict[str, float]]:
    """Find out now what would fail later: counts by cell name, expected seconds by job name.

    Args:
        plan: Of which every cell is built, done or not.
        to_run: Check the data too; a study of data that are elsewhere can be planned.

    Raises:
        StudyError: If a cell cannot be built or its data cannot be read.
    """
    counts = count_cells(plan.study, [job.cell for job in plan.cost])
    if to_run:
        check_device(plan)
        check_inputs(plan)
    return counts, estimate_times(plan, counts)


def count_cells(study: Study, cells: Sequence[Cell]) -> dict[str, CellCounts]:
    """Build and count every distinct architecture of the cells, by cell name.

    Raises:
        StudyError: Naming the line of the level or key that cannot be built.
    """
    seen: dict[str, CellCounts] = {}
    counts = {}
    for cell in cells:
        data, model = cell.config.data, cell.config.model
        shape = (data.frames, data.size, data.classes)
        architecture = json.dumps([model.model_dump(mode="json"), shape], sort_keys=True)
        if architecture not in seen:
            try:
                seen[architecture] = _count(model, data)
            except ConfigError as error:
                raise locate(study, cell, error) from None
        counts[cell.name] = seen[architecture]
    return counts


def _count(model: ModelConfig, data: DataConfig) -> CellCounts:
    with torch.device("meta"):
        module, shape = build_for_cost(model, data)
    counted = count(module, shape)
    return CellCounts(int(sum(counted.parameters.values())), float(sum(counted.macs.values())))


def estimate_times(plan: Plan, counts: Mapping[str, CellCounts]) -> dict[str, float]:
    """Expected seconds of every train job, by name: from the plan's own records where there are.

    A training step is taken for three forward passes. The rate is the median of the records of
    the same architecture, else of all, else a guess.
    """
    rates: dict[str, list[float]] = {}
    for job in plan.train:
        if job.record is not None and job.record.status == "done":
            took = sum(m.samples[0] for m in job.record.measurements if m.metric == "training_time")
            if took > 0:
                rates.setdefault(job.cell.config.model.name, []).append(_work(job, counts) / took)
    every = [rate for found in rates.values() for rate in found]
    fallback = statistics.median(every) if every else GUESSED_MACS_PER_S
    return {
        job.name: GUESSED_OVERHEAD_S
        + _work(job, counts) / statistics.median(rates.get(job.cell.config.model.name, [fallback]))
        for job in plan.train
    }


def _work(job: Planned, counts: Mapping[str, CellCounts]) -> float:
    config = job.cell.config
    clips = config.data.train_size()
    return 3 * counts[job.cell.name].macs * clips * config.train.epochs


def check_device(plan: Plan) -> None:
    """A job never falls back on the CPU in silence.

    Raises:
        StudyError: If the study is to run on a GPU that torch cannot use.
    """
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise plan.study.error(
            ("run", "device"),
            f"torch {torch.__version__} finds no usable GPU here; "
            "say device: cpu (or --device cpu) to run on the CPU",
        )


def check_inputs(plan: Plan) -> None:
    """Read the annotation lists of what is to run, so that a bad line stops us now.

    Raises:
        StudyError: Naming the key of the study file, and the line of the list.
    """
    seen = set()
    for job in plan.train:
        data = job.cell.config.data
        if job.status != "to run" or data in seen:
            continue
        seen.add(data)
        try:
            check_data(data)
        except ConfigError as error:
            raise locate(plan.study, job.cell, error) from None
