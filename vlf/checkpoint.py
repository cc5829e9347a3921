"""A half-trained run on disk: whole or not there, and never taken for another one's."""

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

DIGEST_BYTES = 32


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the file by `state` in one step; a reader or a crash sees the old or the new one."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(hashlib.sha256(payload).digest() + payload)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state, or None where there is no file or its digest does not match.

    Loads tensors and plain values only: a checkpoint cannot run code.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, payload = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        return None
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError):  # whole, but written by another torch
        return None
    return state if isinstance(state, dict) else None
