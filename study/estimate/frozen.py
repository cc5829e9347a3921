"""Compute saved and disk used by caching the features of a frozen backbone. No torch.

Its weights are trained by no step, so that no step goes back through it. With `train.stored_views`
it answers once for a view of a clip, whichever cell and seed is first (vlf/features.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from study.estimate.clips import clips_of
from study.measure.counts import CellCounts
from study.plan.planner import Plan, Planned
from vlf.config import RunConfig

STEP_PASSES = 3  # forward passes that one step is taken for: forward, and twice that backward
VALUE_BYTES = 4
FILE_BYTES = 168  # of a view besides its values: digest, label, numpy's header
BACKBONE = ("backbone", "stage", "pretrained", "weights", "mean", "std")  # what decides on features
ROUNDING = ("precision", "matmul_precision", "threads")


@dataclass(frozen=True)
class Making:
    """The views of clips whose features a job is the first to need.

    Attributes:
        train: Of training clips.
        test: Of test clips, at one view each.
    """

    train: int
    test: int

    @property
    def views(self) -> int:
        """All of them."""
        return self.train + self.test


def step_macs(config: RunConfig, count: CellCounts) -> float:
    """Multiply-accumulates of one clip in a training step, in forward passes' worth of them."""
    if count.frozen is None:
        return STEP_PASSES * count.macs
    trained = STEP_PASSES * (count.macs - count.frozen.macs)
    return trained if config.train.stored_views else trained + count.frozen.macs


def views_to_make(plan: Plan, counts: Mapping[str, CellCounts]) -> dict[str, Making]:
    """Name of a training job -> what it has to make, of those that keep features.

    Jobs run in the plan's order. What a job of the same backbone and data that is done has made is
    there already; features that a study of other cells left are not looked for.
    """
    jobs = [job for job in plan.training if job.cell.config.train.stored_views]
    seeds: dict[str, set[int | None]] = {}
    found = {}
    for job in sorted(jobs, key=lambda one: one.is_pending):  # done ones first
        train, clips = job.cell.config.train, clips_of(job.cell.config.data)
        known = seeds.setdefault(_group(job, counts[job.cell.name]), set())
        before = min(train.stored_views, train.epochs * len(known))
        is_first = not known
        if job.is_pending or job.is_reused:
            known.add(job.seed)
        after = min(train.stored_views, train.epochs * len(known))
        found[job.name] = Making(clips.train * (after - before), clips.test if is_first else 0)
    return found


def feature_bytes(plan: Plan, counts: Mapping[str, CellCounts]) -> int:
    """Disk space of features that are not made yet."""
    making, total = views_to_make(plan, counts), 0
    for job in plan.training:
        frozen = counts[job.cell.name].frozen
        if job.is_pending and job.name in making and frozen is not None:
            total += making[job.name].views * (frozen.values * VALUE_BYTES + FILE_BYTES)
    return total


def _group(job: Planned, count: CellCounts) -> str:
    """Jobs for which this is the same share their features.

    Counts tell a backbone that gives maps from the same one that gives vectors.
    """
    config = job.cell.config
    model, train = config.model.model_dump(mode="json"), config.train.model_dump(mode="json")
    told = [
        config.data.model_dump(mode="json"),
        {name: model[name] for name in BACKBONE if name in model},
        {name: train[name] for name in ROUNDING},
        count.frozen and [count.frozen.macs, count.frozen.values],
    ]
    return json.dumps(told, sort_keys=True)
