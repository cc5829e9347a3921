"""A process that may crash without taking anything with it, and that ends with its parent.

Not aware of what runs in it, and imports no torch: who supervises stays as light as before.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from study.records.environment import set_environment

GRACE_S = 2.0  # between asking a process to end and making it


@dataclass(frozen=True)
class Ended:
    """The last message of every process, written by who supervises it.

    Attributes:
        exitcode: 0 when it came to its end, negative for the signal that killed it.
    """

    exitcode: int

    @property
    def reason(self) -> str:
        """Text such as "killed by signal 9 (out of memory?)", "ended with exit code 3"."""
        if self.exitcode >= 0:
            return f"ended with exit code {self.exitcode}"
        hint = " (out of memory?)" if self.exitcode == -signal.SIGKILL else ""
        return f"killed by signal {-self.exitcode}{hint}"


def spawn(
    target: str, args: tuple[Any, ...], environment: Mapping[str, str]
) -> Generator[Any, None, None]:
    """Run "module:function" in a fresh interpreter; gives what it sends, and `Ended` at the end.

    The function is called with a `Connection` to send on, then `args`. The environment
    variables are set before it starts, because OpenMP reads them once. Closing the generator ends
    the process.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_enter_spawned, args=(target, sender, args))
    with set_environment(environment):
        process.start()
    sender.close()
    yield from _relay(process, receiver, watched=None)


def fork(target: Callable[..., None], args: tuple[Any, ...]) -> Generator[Any, None, None]:
    """Fork a child in milliseconds; for a spawned process that has started no threads.

    If the parent of this process dies in the meantime, both end.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_enter_forked, args=(target, sender, args))
    process.start()
    sender.close()
    parent = multiprocessing.parent_process()
    yield from _relay(process, receiver, watched=parent.sentinel if parent else None)


def end_with_parent() -> None:
    """From now on, end when the process that started this one is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("this process was not started by multiprocessing")

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


def _relay(
    process: BaseProcess, receiver: Connection, watched: int | None
) -> Generator[Any, None, None]:
    sources: list[Connection | int] = [receiver]
    if watched is not None:
        sources.append(watched)
    try:
        with contextlib.suppress(EOFError):
            while True:
                if watched in wait(sources):
                    process.kill()
                    os._exit(1)
                yield receiver.recv()
        process.join()
        assert process.exitcode is not None
        yield Ended(process.exitcode)
    finally:
        _end(process)
        receiver.close()


def _end(process: BaseProcess) -> None:
    if process.is_alive():
        process.terminate()
        process.join(GRACE_S)
    if process.is_alive():
        process.kill()
    process.join()


def _enter_spawned(target: str, sender: Connection, args: tuple[Any, ...]) -> None:
    # Ctrl-C reaches every process of a terminal; the supervisor alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, name = target.split(":")
    getattr(importlib.import_module(module), name)(sender, *args)


def _enter_forked(target: Callable[..., None], sender: Connection, args: tuple[Any, ...]) -> None:
    end_with_parent()
    target(sender, *args)
