"""A request to stop, made by a signal and seen by training between two steps. No torch."""

import contextlib
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
    """True if training is to write its checkpoint and stop."""
    return _requested.is_set()


def take_sigterm_for_ctrl_c() -> None:
    """SIGTERM raises KeyboardInterrupt; outside of the main thread the caller's handlers hold."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
