"""Smallest batch of a run: one clip may be too few for its norms."""

import contextlib

import torch
from torch import Tensor, nn

from vlf.config import ConfigError, RunConfig
from vlf.features import OnFeatures
from vlf.models import build_model
from vlf.models.freeze import find_backbone, freeze, hold, norms_to_keep
from vlf.parallel import Group

TOO_FEW = "Expected more than 1 value per channel"  # torch.nn.functional, of all norms


def may_be_too_small(config: RunConfig, clips: int) -> bool:
    """True if a process has a step with one clip or none."""
    train = config.train
    return bool(clips) and smallest_share(clips, train.batch_size, train.processes) <= 1


def check_last_batch(config: RunConfig, clips: int) -> None:
    """Try a training step's forward pass with as few clips as a step of this run has.

    Normalisation over a batch needs more than one value per channel: whether one clip has them
    depends on its frames and on the size of feature maps. The model is built on the meta device.

    Args:
        config: The run.
        clips: Training clips of a pass.

    Raises:
        ConfigError: If torch refuses so few, with another batch size.
    """
    if not may_be_too_small(config, clips):  # of data that are not here nothing is known
        return
    train = config.train
    with torch.device("meta"):
        model, clip = _training_model(config)
    try:
        # RuntimeError: an operator that is not computed without memory.
        with contextlib.suppress(RuntimeError), torch.no_grad():
            model(clip)
    except ValueError as error:
        if TOO_FEW not in str(error):
            raise
        shared = f" and {train.processes} processes" if train.processes > 1 else ""
        said = f"{train.batch_size} leaves a batch of one clip, with {clips} training clips{shared}"
        why = "batch normalisation has only one value per channel there and cannot be trained"
        raise ConfigError("train.batch_size", f"{said}; {why}{_way_out(config, clips)}") from None


def _way_out(config: RunConfig, clips: int) -> str:
    """The nearest batch size that leaves no batch of one clip."""
    train = config.train
    sizes = sorted(range(1, clips + 1), key=lambda size: abs(size - train.batch_size))
    fits = (s for s in sizes if smallest_share(clips, s, train.processes) > 1)
    nearest = next(fits, None)
    return f"; try {nearest}" if nearest else "; more training clips are needed"


def smallest_share(clips: int, batch_size: int, processes: int) -> int:
    """Fewest clips that a process has in a step."""
    batches = {min(batch_size, clips), clips % batch_size or batch_size}
    shares = [
        len(Group(rank, processes).share(range(batch))[0])
        for batch in batches
        for rank in range(processes)
    ]
    return min(shares)


def _training_model(config: RunConfig) -> tuple[nn.Module, Tensor]:
    """The model in training mode as vlf/run.py sets it, and one clip, or features of one."""
    data, train = config.data, config.train
    model = build_model(config.model.untrained(), data)
    held = freeze(model, train.freeze)
    if train.partial_bn:
        held += norms_to_keep(model)
    shape = (data.frames, 3, data.size, data.size)
    clip = torch.empty(1, *shape)
    if train.stored_views:
        name, backbone = find_backbone(model)
        with torch.no_grad():
            clip = backbone.eval()(clip[0])[None]
        model = OnFeatures(model, name, shape)
    model.train()
    hold(held)
    return model, clip
