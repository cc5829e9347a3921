"""Advice for a command that is started outside of its environment. Runs on any Python 3."""

import os
import sys

OURS = ("study", "vlf", "analysis", "run_study")
OLDEST = (3, 11)


def say_how_to_start(error: Exception) -> int:
    """Print one line for an error raised by an import; the exit code 2.

    Raises:
        Exception: The error itself, if this Python and its packages are not its cause.
    """
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    if sys.version_info < OLDEST:
        why = "Python {}.{} is too old (3.11 or newer is needed)".format(*sys.version_info)
    elif isinstance(error, ModuleNotFoundError) and missing not in OURS:
        why = "{} has no package {}".format(sys.executable or "this Python", missing)
    else:
        raise error
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    python = os.path.join(root, ".venv", "bin", "python")
    if os.path.exists(python):
        place = os.path.relpath(os.path.dirname(os.path.dirname(python)))
        what = f"run `source {place}/bin/activate` first, or {place}/bin/python run_study.py ..."
    else:
        what = "run `make install`, then `source .venv/bin/activate`"
    sys.stderr.write(f"error: {why}; {what}\n")
    return 2
