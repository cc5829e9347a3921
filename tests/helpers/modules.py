"""Models for tests of metrics, and their clock."""

from torch import nn


class Applied(nn.Module):
    """A model that applies a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Clock:
    """A clock that stands still until a model lets it go on."""

    now = 0.0

    def __call__(self):
        return self.now
