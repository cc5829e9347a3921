"""Optimiser and learning rate, as the config says."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from vlf.config import ConfigError, TrainConfig

LAYERS = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


def build_optimizer(model: nn.Module, train: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (arXiv:1711.05101) or SGD; decay on the weights of layers alone.

    A group's rate is the schedule's times its `lr_scale` (`set_rate`).

    Raises:
        ConfigError: If the last layer is to have a rate of its own and there is none.
    """
    decayed = {id(layer.weight) for layer in _layers(model)}
    scales = _scales(model, train)
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {(True, 1.0): [], (False, 1.0): []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            kind = (id(parameter) in decayed, scales.get(id(parameter), 1.0))
            groups.setdefault(kind, []).append(parameter)
    options = [
        {
            "params": parameters,
            "weight_decay": train.weight_decay if is_decayed else 0.0,
            "lr_scale": scale,
        }
        for (is_decayed, scale), parameters in groups.items()
    ]
    # Fused: one call for all the small tensors of a step.
    if train.optimizer == "adamw":
        return torch.optim.AdamW(options, lr=train.lr, fused=True)
    nesterov = train.nesterov and train.momentum > 0
    return torch.optim.SGD(
        options, lr=train.lr, momentum=train.momentum, nesterov=nesterov, fused=True
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The rate of the next step, for each group by its scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    # By the type of layer, not by the shape of the parameter: position embeddings and class
    # tokens have two dimensions and more, and are not decayed.
    return (module for module in model.modules() if isinstance(module, LAYERS))


def _scales(model: nn.Module, train: TrainConfig) -> dict[int, float]:
    """Id of a parameter -> its share of the rate, where that is not 1.

    As in TSN's and TSM's code (`get_optim_policies` of yjxiong/tsn-pytorch and
    mit-han-lab/temporal-shift-module): biases twice, and in TSM's the last layer five times.
    """
    scales: dict[int, float] = {}
    if train.bias_lr_scale != 1:
        biases = (layer.bias for layer in _layers(model) if layer.bias is not None)
        scales |= {id(bias): train.bias_lr_scale for bias in biases}
    if train.head_lr_scale != 1:
        for parameter in _last_layer(model).parameters():
            scales[id(parameter)] = scales.get(id(parameter), 1.0) * train.head_lr_scale
    return scales


def _last_layer(model: nn.Module) -> nn.Module:
    layers = list(_layers(model.get_submodule("head")))
    if not layers:
        raise ConfigError("train.head_lr_scale", "the head of this model has no layer to scale")
    return layers[-1]


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
        return float(train.lr * train.gamma**passed)
    return train.lr
