"""Named randomness: a seed derived from what is drawn, not from what was drawn before it."""

import hashlib

import numpy as np

_BITS = 63  # what torch.manual_seed and a signed 64-bit integer can hold


def derive(*names: str | int) -> int:
    """A seed in [0, 2^63) from names such as ("order", seed, epoch); the same everywhere."""
    # repr keeps "1" apart from 1, and ("ab", "c") apart from ("a", "bc").
    digest = hashlib.sha256(repr(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _BITS)


def rng(*names: str | int) -> np.random.Generator:
    """A generator of its own for what `names` names."""
    return np.random.default_rng(derive(*names))
