"""The console of the command, and what becomes of it if nobody reads its output any more."""

import contextlib
import sys

from rich.console import Console

from vlf.config.output import drop_closed_output, end_quietly

__all__ = ["LastingConsole", "console_for", "end_quietly"]

BRIEF = ("plan", "status", "cancel")  # nothing is lost if these end at once


def console_for(action: str) -> Console:
    """The console of an action of the command line."""
    return Console() if action in BRIEF else LastingConsole()


class LastingConsole(Console):
    """Goes on in silence when its output is closed; rich's own ends the command.

    A run trains its jobs to the end and writes its report, whoever reads what it prints.
    """

    def on_broken_pipe(self) -> None:
        """Drop what is still printed; say so where someone may still read it."""
        self.quiet = True
        drop_closed_output()
        with contextlib.suppress(BrokenPipeError):
            print("nobody reads the output any more; the command goes on", file=sys.stderr)
