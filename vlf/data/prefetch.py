"""Load clips ahead of the step that needs them, in threads; the clips are the same as without.

Threads and not processes: FFmpeg, libjpeg and torch's resize let go of Python's lock while they
work, so threads decode side by side; clips need not be copied between processes; all share one
cache of decoded frames; nothing has to be picklable, or is left behind when a run dies.

A clip depends on the generator it is handed alone, never on which clip was loaded before it. So
the number of threads cannot change a number, and how many there are is a setting of `run`.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def load_ahead(
    load: Callable[[Item], Loaded], items: Iterable[Item], loaders: int, depth: int
) -> Generator[Loaded]:
    """`load` of every item, in their order. Close it, or read it to its end, to end its threads.

    Args:
        load: Called from several threads at a time; what it raises is raised when its item is due.
        items: What to load.
        loaders: Threads; with 0 an item is loaded when it is asked for.
        depth: Items that are loaded or being loaded before they are asked for: memory in return
            for patience with one that takes long.
    """
    if not loaders:
        yield from map(load, items)
        return
    waiting = iter(items)
    with ThreadPoolExecutor(loaders, thread_name_prefix="loader") as pool:
        try:
            ahead: deque[Future[Loaded]] = deque(
                pool.submit(load, item) for item in islice(waiting, max(depth, loaders))
            )
            while ahead:
                loaded = ahead.popleft().result()
                ahead.extend(pool.submit(load, item) for item in islice(waiting, 1))
                yield loaded
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
