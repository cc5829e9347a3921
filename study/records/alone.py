"""Timings are taken by one command at a time in a results folder: they would disturb each other."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from study.records.lease import Leases

WAIT_S = 1.0  # between two looks at whether another command still times


@contextlib.contextmanager
def alone_at_timing(root: Path, console: Console) -> Iterator[None]:
    """Hold the lease of timings; who else has it is told, and waited for.

    Raises:
        OSError: If the folder cannot be written.
    """
    told = ""
    with Leases(root) as leases:
        while not leases.take("timing"):
            holder = leases.holder("timing")
            if holder and holder != told:
                console.print(f"waiting for the timing of costs by {holder}", soft_wrap=True)
                told = holder
            time.sleep(WAIT_S)
        yield
