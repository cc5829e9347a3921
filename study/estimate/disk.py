"""Disk space of a study, from its configs and the parameters of its models. No torch.

Sizes of text are those of records, curves and reports as this version writes them.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.estimate.clips import clips_of
from study.estimate.frozen import feature_bytes
from study.measure.counts import CellCounts
from study.plan.planner import Plan, Planned
from study.spec.settings import CostConfig, RunSettings
from vlf.config import TrainConfig

FLOAT_BYTES = 4
LABEL_BYTES = 8
NAME_BYTES = 4 * 30  # of a class, as numpy stores text; names of 30 letters
ARRAY_BYTES = 256  # around an array of an npz file
CURVES = 7  # columns, of 8 bytes an epoch
EXAMPLE_SIDE = 64  # pixels of a kept frame, at most (vlf/examples.py)
EVENT_BYTES = 25  # of one value in a TensorBoard file
# Text, as the quick factorization study and one of two cells left it.
TRAIN_BYTES = 2_400  # of a train record besides its config
COST_BYTES = 5_800  # of a cost record besides its config and samples
SAMPLE_BYTES = 28  # of one sample in a cost record, with its round
OTHER_SAMPLES = 44  # of a cost record, that rounds do not multiply: the machine's own peak
PARTS = 5  # of a model that are timed: the whole, f, g, h, head
ROW_BYTES = 270  # of records.csv
OTHER_ROWS = 57  # of a cost record there, besides its timings
TRAIN_ROWS = 4
REPORT_BYTES = 1_350_000
CELL_BYTES = 320_000  # of a cell in figures, of which the page holds a copy
MOST_DRAWN = 50  # cells; a guess
MOMENTS = {"adamw": 2, "sgd": 1, "muon": 2}  # values that are kept beside a parameter, at most


@dataclass(frozen=True)
class Disk:
    """Bytes.

    Attributes:
        records: Text: records, and the report.
        artifacts: Predictions, curves, examples and event files.
        features: Of frozen backbones; shared with other studies, and nothing deletes them.
        checkpoints: At most, while it runs; deleted as jobs end.
        free: Where the results folder is, or will be.
    """

    records: int
    artifacts: int
    features: int
    checkpoints: int
    free: int

    @property
    def stays(self) -> int:
        """When all is done."""
        return self.records + self.artifacts + self.features

    @property
    def most(self) -> int:
        """While it runs."""
        return self.stays + self.checkpoints


def disk_of(plan: Plan, counts: Mapping[str, CellCounts], workers: int, root: Path) -> Disk:
    """Disk space that the jobs to run will add.

    Args:
        plan: The study.
        counts: Of every cell, by its name.
        workers: Jobs that train at a time.
        root: The results folder; need not be there.
    """
    to_run = [*plan.to_run, *plan.waiting]
    train = [job for job in to_run if job.kind != "cost"]
    cost = list({job.key.stem: job for job in to_run if job.kind == "cost"}.values())
    records = len(train) * (TRAIN_BYTES + _config_bytes(train))
    timings = _timings(plan.study.cost)
    samples = OTHER_SAMPLES + timings
    records += len(cost) * (COST_BYTES + SAMPLE_BYTES * samples + _config_bytes(cost))
    if to_run:
        rows = len(plan.training) * TRAIN_ROWS + len(plan.cost) * (OTHER_ROWS + timings)
        cells = min(len(plan.cost), MOST_DRAWN)
        records += REPORT_BYTES + CELL_BYTES * cells + ROW_BYTES * rows
    run = plan.study.run
    artifacts = sum(_artifact_bytes(job, run) for job in train)
    checkpoints = _checkpoints(train, counts, workers)
    return Disk(records, artifacts, feature_bytes(plan, counts), checkpoints, free_bytes(root))


def free_bytes(folder: Path) -> int:
    """Free bytes of the file system of a folder, which may not exist yet."""
    there = next(one for one in (folder, *folder.resolve().parents) if one.is_dir())
    return shutil.disk_usage(there).free


def checkpoint_bytes(train: TrainConfig, parameters: int, frozen: int = 0) -> int:
    """Weights, what the optimiser keeps, and the best weights where those are chosen.

    Of `parameters` so many as `frozen` are not trained, and have no moments.
    """
    moments = MOMENTS[train.optimizer] if train.optimizer != "sgd" or train.momentum else 0
    weights = parameters * (1 + (train.select == "best"))
    return (weights + moments * (parameters - frozen)) * FLOAT_BYTES


def _checkpoints(train: Sequence[Planned], counts: Mapping[str, CellCounts], workers: int) -> int:
    sizes = []
    for job in train:
        count = counts[job.cell.name]
        frozen = count.frozen.parameters if count.frozen else 0
        # A new one is written whole before the old one goes.
        sizes.append(2 * checkpoint_bytes(job.cell.config.train, count.parameters, frozen))
    sizes.sort()
    return sum(sizes[-workers:])


def _artifact_bytes(job: Planned, run: RunSettings) -> int:
    data, epochs = job.cell.config.data, job.cell.config.train.epochs
    row = data.classes * FLOAT_BYTES + LABEL_BYTES
    predictions = clips_of(data).test * row + data.classes * NAME_BYTES + 3 * ARRAY_BYTES
    curves = CURVES * (8 * epochs + ARRAY_BYTES)
    events = CURVES * epochs * EVENT_BYTES if run.tensorboard else 0
    examples = len(run.examples) * data.frames * 3 * min(data.size, EXAMPLE_SIDE) ** 2
    return predictions + curves + events + examples


def _config_bytes(jobs: Sequence[Planned]) -> int:
    """Bytes of one config; the others are about as long."""
    return len(json.dumps(jobs[0].key.config)) if jobs else 0


def _timings(cost: CostConfig) -> int:
    """Samples of a cell: latency and throughput at each batch size, and parts at the first."""
    swept = cost.sweep_to.bit_length() if cost.sweep_to else 0
    sets = (2 * len(cost.batch_sizes) + PARTS + swept) * len(cost.modes)
    return sets * cost.rounds
