"""What supervised processes run in the tests of supervision; no torch, so that they start fast."""

import contextlib
import os
import signal
import sys
import time

from study.measure.supervision import end_with_parent, fork, spawn


def say_threads(sender):
    sender.send(os.environ.get("OMP_NUM_THREADS"))


def die(sender):
    sender.send("alive")
    os.kill(os.getpid(), signal.SIGKILL)


def leave(sender):
    os._exit(3)


def stay(sender, path):
    end_with_parent()
    _leave_pid(path)
    sender.send("here")
    time.sleep(600)


def fork_and_stay(sender, path):
    """A process that forks another, as the one that measures memory does."""
    _leave_pid(f"{path}.middle")
    for message in fork(_stay_forked, (path,)):
        sender.send(message)


def _stay_forked(sender, path):
    _leave_pid(path)
    time.sleep(600)


def _leave_pid(path):
    with open(f"{path}.part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{path}.part", path)


def supervise(target, path):
    """The body of the parent that a test kills or interrupts."""
    with contextlib.closing(spawn(target, (path,), {})) as messages:
        for _ in messages:
            pass


if __name__ == "__main__":
    supervise(*sys.argv[1:])
