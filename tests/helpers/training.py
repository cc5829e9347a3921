"""Runs of training on the CPU."""

import torch

from vlf.train import train_model

CPU = torch.device("cpu")


def fit(config, folder, seed=0, **options):
    return train_model(config, seed, CPU, checkpoint=folder / "checkpoint.pt", **options)
