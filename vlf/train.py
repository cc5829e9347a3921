"""One training run: deterministic for a seed, resumable after every epoch and every step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vlf.checkpoint import read_checkpoint, write_checkpoint
from vlf.config import RunConfig
from vlf.data import Clips, Split, Views
from vlf.features import Frozen
from vlf.finite import DivergedError
from vlf.parallel import Group, run_in_group
from vlf.run import Curves, Run

__all__ = ["DivergedError", "StoppedError", "Trained", "train_model"]

OnEpoch = Callable[[int, int], None]  # epochs done, epochs in all


class StoppedError(RuntimeError):
    """The run was asked to stop; its checkpoint holds where it was."""


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        model: With the weights of `epoch`.
        epoch: The reported epoch, counted from 1.
        curves: One value an epoch for each of `COLUMNS` of vlf/run.py; validation is NaN where
            there is none.
        notes: What a reader of the numbers must know of the clips.
        frozen: With `train.stored_views`, what answers by stored features.
    """

    model: nn.Module
    epoch: int
    curves: Curves
    notes: tuple[str, ...] = ()
    frozen: Frozen | None = None

    def reading(self, clips: Clips, split: Split) -> tuple[nn.Module, Views]:
        """Model and clips to evaluate, or both by the features of a frozen f."""
        if self.frozen is None:
            return self.model, clips
        return self.frozen.model, self.frozen.read(clips, split)


def train_model(
    config: RunConfig,
    seed: int,
    device: torch.device,
    *,
    checkpoint: Path,
    resume_from: Path | None = None,
    on_epoch: OnEpoch = lambda done, epochs: None,
    should_stop: Callable[[], bool] = lambda: False,
    loaders: int = 0,
    features: Path | None = None,
) -> Trained:
    """Train from scratch, or from a checkpoint, to the last epoch.

    Args:
        config: The run.
        seed: Of initial weights, order, sampling and augmentation.
        device: Where the model is trained.
        checkpoint: Written after every epoch, for this attempt alone.
        resume_from: A checkpoint of this run, perhaps of an earlier attempt; unreadable is none.
        on_epoch: Told after each epoch.
        should_stop: Asked after each step; if so, a checkpoint is written at once.
        loaders: Threads of each process that load clips ahead; any number makes the same numbers
            (vlf/data/prefetch.py).
        features: Folder that keeps the features of stored views (vlf/features.py), for data and
            code that it is named after; None computes them anew, to the same numbers.

    Raises:
        StoppedError: If `should_stop` said so; a run resumed from the checkpoint ends in the same
            numbers as if it had not been stopped.
        DivergedError: If the loss, a validation score, a feature or a weight is not finite.
        ConfigError: If data or model cannot be opened or built.
        ProcessesError: If one of `train.processes` died, or has no GPU.
    """
    if (size := config.train.processes) == 1:
        at = checkpoint, resume_from, loaders, features
        return _train(config, seed, *at, Group(), device, on_epoch, should_stop)
    body = partial(_train_in_group, config, seed, checkpoint, resume_from, loaders, features)
    run_in_group(body, size, device, on_epoch, should_stop)
    run = Run(config, seed, device, Group(), loaders=0, features=features)
    if (state := read_checkpoint(checkpoint)) is not None:
        run.restore(state)
    return _end(run)


def _train_in_group(*arguments: Any) -> None:
    """Train as `_train`; the result is in the checkpoint."""
    _train(*arguments)


def _train(
    config: RunConfig,
    seed: int,
    checkpoint: Path,
    resume_from: Path | None,
    loaders: int,
    features: Path | None,
    group: Group,
    device: torch.device,
    on_epoch: OnEpoch,
    should_stop: Callable[[], bool],
) -> Trained:
    run = Run(config, seed, device, group, loaders, features)
    if resume_from is not None and (state := read_checkpoint(resume_from)) is not None:
        run.restore(state)
    epochs = config.train.epochs
    while run.epoch < epochs:
        finished = run.train_epoch(should_stop)
        state = run.state()
        if group.rank == 0:
            write_checkpoint(checkpoint, state)
        if not finished:
            raise StoppedError(f"stopped in epoch {run.epoch + 1} after step {run.part.step}")
        if group.rank == 0:
            on_epoch(run.epoch, epochs)
    return _end(run)


def _end(run: Run) -> Trained:
    """A run whose epochs are done."""
    epoch = run.choose()
    notes = run.clips.notes + run.validation.notes + run.notes
    return Trained(run.model, epoch, run.curves, notes, run.frozen)
