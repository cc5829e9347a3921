"""Optimiser and learning rate, as the config says."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from vlf.config import TrainConfig


def build_optimizer(model: nn.Module, train: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (arXiv:1711.05101) or Nesterov SGD; decay on the weights of layers alone."""
    decayed = {id(p) for p in _layer_weights(model)}
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in trained if id(p) in decayed],
            "weight_decay": train.weight_decay,
        },
        {"params": [p for p in trained if id(p) not in decayed], "weight_decay": 0.0},
    ]
    # Fused: one call for all the small tensors of a step.
    if train.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=train.lr, fused=True)
    nesterov = train.momentum > 0
    return torch.optim.SGD(
        groups, lr=train.lr, momentum=train.momentum, nesterov=nesterov, fused=True
    )


def _layer_weights(model: nn.Module) -> Iterator[torch.Tensor]:
    # By the type of layer, not by the shape of the parameter: position embeddings and class
    # tokens have two dimensions and more, and are not decayed.
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            yield module.weight


def learning_rate(train: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Rate of optimiser step `step`, counted from 0; stateless, so a resumed run agrees."""
    warmup = round(train.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return train.lr * (step + 1) / warmup
    total = train.epochs * steps_per_epoch
    if train.schedule == "cosine":
        done = (step - warmup) / max(1, total - warmup)
        return train.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    if train.schedule == "step":
        passed = sum(step >= share * total for share in train.milestones)
        return float(train.lr * 0.1**passed)
    return train.lr
