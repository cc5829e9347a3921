"""A request to stop, made by a signal and seen by training between two steps. No torch."""

import signal
import threading
from types import FrameType

_requested = threading.Event()


def stop_on(number: signal.Signals) -> None:
    """Take this signal for a request to stop, from now on and in this process."""

    def request(signum: int, frame: FrameType | None) -> None:
        _requested.set()

    signal.signal(number, request)


def is_stop_requested() -> bool:
    """Whether training should write its checkpoint and stop."""
    return _requested.is_set()
