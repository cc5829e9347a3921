"""Training rates of this device, from records, else guessed and marked as such. No torch."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from study.estimate.clips import clips_of
from study.estimate.frozen import STEP_PASSES
from study.plan.planner import Plan
from study.records.record import Record
from study.records.store import Store
from vlf.config import RunConfig

# MACs a second in training, where no record tells.
# One core: two at a time on a 2-core AMD EPYC with torch 2.14.1, the factorization study trained
# VTN-like at 8.5e9, TimeSformer-like and VLF at 1.2e10.
# One GPU: an NVIDIA A100 trains ResNet-50 (4.1e9 MACs an image, three times that a step) at 938
# images/s with TF32 and 2470 with mixed precision (NVIDIA DeepLearningExamples, ResNet50 v1.5 for
# PyTorch, "Training performance: NVIDIA DGX A100"). torch's convolutions are TF32 by default.
GUESSED_MACS_PER_S = {"cpu": 1e10, "cuda": 1.15e13}
GUESSED_BF16_MACS_PER_S = 3.0e13  # of a GPU
MOST_RECORDS = 100  # of other studies; a sample, since their names are hashes

UNTRAINED = ("weights", "new_head", "pretrained")  # fields of a model that change no cost


@dataclass(frozen=True)
class Rates:
    """MACs a second of one process in training.

    Attributes:
        by_model: Name of an architecture, "on features" if it is -> its own rate, where records
            tell.
        other: Of all others; None where no record tells anything.
        basis: Where they come from, in words.
    """

    by_model: Mapping[str, float]
    other: float | None
    basis: str

    def of(self, config: RunConfig, device: str) -> float:
        """Rate of a run."""
        if self.other is None:
            return guessed_rate(config, device)
        return self.by_model.get(_what_trains(config), self.other)

    def of_forward(self, config: RunConfig, device: str) -> float:
        """Rate of the whole model's forward pass, for a backbone that runs once per clip."""
        return self.by_model.get(config.model.name, guessed_rate(config, device))


def _what_trains(config: RunConfig) -> str:
    """Runs that are as fast: on features that are kept a model has rates of its own."""
    return f"{config.model.name} on features" if config.train.stored_views else config.model.name


def guessed_rate(config: RunConfig, device: str) -> float:
    """Rate of a device without records."""
    if device == "cuda" and config.train.precision == "bf16":
        return GUESSED_BF16_MACS_PER_S
    return GUESSED_MACS_PER_S[device]


def training_macs(config: RunConfig, step: float) -> float:
    """Multiply-accumulates of a whole training run, from those of one clip in a step."""
    return step * clips_of(config.data).train * config.train.epochs


def find_rates(plan: Plan, steps: Mapping[str, float], store: Store) -> Rates:
    """From the study's own records, else from those of others on the same device, else guessed.

    Args:
        plan: The study.
        steps: Cell name -> MACs of one clip in a step (`step_macs`).
        store: Where other studies' records are.
    """
    own = [
        (job.record, job.cell.config, steps[job.cell.name])
        for job in plan.training
        if job.record is not None and job.record.is_done
    ]
    if (rates := _rates(own, "the records of this study")) is not None:
        return rates
    found = list(_others(plan, store)) if plan.to_run else []
    basis = f"{len(found)} records of other studies on {plan.place.model}"
    return _rates(found, basis) or Rates({}, None, _guess_in_words(plan))


def _guess_in_words(plan: Plan) -> str:
    guess = "a rough guess, as nothing was trained on this device yet"
    fp32, bf16 = GUESSED_MACS_PER_S[plan.device], GUESSED_BF16_MACS_PER_S
    step = f"{STEP_PASSES} forward passes a training step"
    if plan.device == "cpu":
        return f"{guess}: {step} at {fp32 / 1e9:g} GMAC/s a core"
    return (
        f"{guess}: {step} at {fp32 / 1e12:g} TMAC/s a GPU ({bf16 / 1e12:g} in bf16), as NVIDIA "
        "publishes of an A100 and ResNet-50; depthwise convolutions, attention and reading of "
        "video can take several times as long"
    )


def _rates(trained: Iterable[tuple[Record, RunConfig, float]], basis: str) -> Rates | None:
    by_model: dict[str, list[float]] = {}
    for record, config, step in trained:
        took = sum(m.samples[0] for m in record.measurements if m.metric == "training_time")
        work = training_macs(config, step)
        if took > 0 and work > 0:
            rate = work / took / config.train.processes
            by_model.setdefault(_what_trains(config), []).append(rate)
    if not by_model:
        return None
    every = [rate for rates in by_model.values() for rate in rates]
    medians = {name: statistics.median(rates) for name, rates in by_model.items()}
    return Rates(medians, statistics.median(every), basis)


def _others(plan: Plan, store: Store) -> Iterable[tuple[Record, RunConfig, float]]:
    """Runs on the plan's device whose architecture was counted in a cost record."""
    macs = {
        _architecture(record.config["model"], record.config["clip"]): measured.samples[0]
        for record in store.sample("cost", MOST_RECORDS)
        for measured in record.measurements
        if measured.metric == "macs" and measured.part is None
    }
    for record in store.sample("train", MOST_RECORDS) if macs else ():
        key = _architecture(record.config["model"], record.config["data"])
        is_here = record.environment.get("device_model") == plan.place.model
        if key in macs and is_here and record.device == plan.device:
            try:
                config = RunConfig.model_validate(record.config)
            except ValidationError:  # of a version that had other options
                continue
            if config.train.freeze == "none":  # else its steps are less than its architecture says
                yield record, config, STEP_PASSES * macs[key]


def _architecture(model: Mapping[str, Any], clip: Mapping[str, Any]) -> str:
    """Equal where MACs are, but for those of the classifier."""
    fields = sorted((name, value) for name, value in model.items() if name not in UNTRAINED)
    return repr((fields, clip["frames"], clip["size"]))
