"""Optimiser and learning rate, as the config says."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from vlf.config import ConfigError, TrainConfig

LAYERS = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


class Optimizers:
    """Optimisers of one model, stepped together."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of all of them."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Change the weights once."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """State for `load_state_dict`; that of a single optimiser is its own."""
        states = [part.state_dict() for part in self.parts]
        return states[0] if len(states) == 1 else {"parts": states}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        states = [state] if len(self.parts) == 1 else state["parts"]
        for part, own in zip(self.parts, states, strict=True):
            part.load_state_dict(own)


def build_optimizer(model: nn.Module, train: TrainConfig) -> Optimizers:
    """AdamW (arXiv:1711.05101), SGD, or Muon beside AdamW; decay on the weights of layers alone.

    Muon (Jordan et al. 2024; as torch.optim.Muon with the step sizes of Liu et al. 2025,
    arXiv:2502.16982) takes the weights of linear layers outside of the head, AdamW all else. A
    group's rate is the schedule's times its `lr_scale` (`set_rate`).

    Raises:
        ConfigError: If the last layer is to have a rate of its own and there is none.
    """
    decayed = {id(layer.weight) for layer in _layers(model)}
    scales = _scales(model, train)
    matrices = _matrices(model) if train.optimizer == "muon" else set()
    kinds: dict[tuple[bool, bool, float], list[nn.Parameter]] = {}
    kinds[False, True, 1.0], kinds[False, False, 1.0] = [], []
    for parameter in model.parameters():
        if parameter.requires_grad:
            at = id(parameter)
            kind = (at in matrices, at in decayed, scales.get(at, 1.0))
            kinds.setdefault(kind, []).append(parameter)
    muon, rest = (
        [
            {
                "params": parameters,
                "weight_decay": train.weight_decay if is_decayed else 0.0,
                "lr_scale": scale * (train.muon_lr / train.lr if is_matrix else 1.0),
            }
            for (is_matrix, is_decayed, scale), parameters in kinds.items()
            if is_matrix == wanted
        ]
        for wanted in (True, False)
    )
    # Fused: one call for all the small tensors of a step.
    if train.optimizer == "sgd":
        nesterov = train.nesterov and train.momentum > 0
        momentum = train.momentum
        return Optimizers(
            torch.optim.SGD(rest, lr=train.lr, momentum=momentum, nesterov=nesterov, fused=True)
        )
    parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=train.lr, fused=True)]
    if muon:
        parts.append(torch.optim.Muon(muon, lr=train.lr, adjust_lr_fn="match_rms_adamw"))
    return Optimizers(*parts)


def _matrices(model: nn.Module) -> set[int]:
    """Ids of the weights of linear layers outside of the head."""
    head = {id(parameter) for parameter in model.get_submodule("head").parameters()}
    linear = (module for module in model.modules() if isinstance(module, nn.Linear))
    return {id(module.weight) for module in linear} - head


def set_rate(optimizer: Optimizers, rate: float) -> None:
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
