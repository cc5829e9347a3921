"""Standard output and error whose reader leaves before the end, as `head` does. Any room's."""

import os
import select
import sys
from collections.abc import Callable
from typing import TextIO


def end_quietly(main: Callable[[], int]) -> int:
    """Run a command; end it without a word if nobody reads its output any more.

    Returns:
        `main`'s exit code; 1 if the output was closed, as Python's documentation has it
        (library/signal.html, "Note on SIGPIPE").
    """
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not drop_closed_output():
            raise
        return 1


def is_output_closed() -> bool:
    """True if standard output or error is a pipe without a reader."""
    return any(map(_is_closed, (sys.stdout, sys.stderr)))


def drop_closed_output() -> bool:
    """Send to nowhere what is still written to a closed output; whether one was closed."""
    closed = [stream for stream in (sys.stdout, sys.stderr) if _is_closed(stream)]
    for stream in closed:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(closed)


def _is_closed(stream: TextIO) -> bool:
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # replaced by something in memory
        return False
    poll = select.poll()
    poll.register(number, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
