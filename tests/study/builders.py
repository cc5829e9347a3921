"""Builders and targets that other processes import: they must be found by name."""

import functools
import os
import signal
import time

import torch
from torch import nn

CLIP = (2, 3, 8, 8)
MIB = 2**20


class Plain(nn.Module):
    """(B, 2, 3, 8, 8) -> (B, 4)."""

    def __init__(self):
        super().__init__()
        self.f = nn.Flatten()
        self.head = nn.Linear(2 * 3 * 8 * 8, 4)

    def forward(self, x):
        return self.head(self.f(x))


class Heavy(Plain):
    """Holds 200 MiB more."""

    def __init__(self):
        super().__init__()
        self.register_buffer("ballast", torch.ones(200 * MIB // 4))


class Importing(Plain):
    """Imports something big when it is first built."""

    def __init__(self):
        import ballast

        super().__init__()
        assert len(ballast.BALLAST) == 100 * MIB


class Later(Plain):
    """Does `then` in its eighth call: after building and counting, while it is timed."""

    def __init__(self, then):
        super().__init__()
        self.then, self.calls = then, 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 8:
            self.then()
        return super().forward(x)


class OnlyAnswers(Plain):
    """Ends its process when it is trained."""

    def forward(self, x):
        if self.training:
            die()
        return super().forward(x)


def build(kind, *args):
    return kind(*args), CLIP


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    os._exit(3)


def complain():
    raise RuntimeError("out of ideas\nand of words")


def hang(path):
    """Leave the pid of this process in a file, and stay."""
    part = f"{path}.part"
    with open(part, "w") as file:
        file.write(str(os.getpid()))
    os.rename(part, path)
    time.sleep(600)


plain = functools.partial(build, Plain)
heavy = functools.partial(build, Heavy)
only_answers = functools.partial(build, OnlyAnswers)
importing = functools.partial(build, Importing)
dies_when_timed = functools.partial(build, Later, die)
complains_when_timed = functools.partial(build, Later, complain)


def hangs_when_timed(path):
    return functools.partial(build, Later, functools.partial(hang, path))
