"""What a person is told when the command ends early: one line, and its exit code."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

from study.cli.outside import say_how_to_start
from study.executors.stop import take_sigterm_for_ctrl_c
from study.records.schema import NewerSchemaError
from study.spec.study import StudyError
from vlf.config.output import is_output_closed

P = ParamSpec("P")


def saying_why(main: Callable[P, int]) -> Callable[P, int]:
    """Make a command print why it ends early; its exit code.

    2: wrong input, a later version's file, or a package that is missing; 130: interrupted; 1: a
    full disk, or a folder that is not ours.
    """

    @functools.wraps(main)
    def wrapped(*args: P.args, **options: P.kwargs) -> int:
        take_sigterm_for_ctrl_c()
        try:
            return main(*args, **options)
        except (StudyError, NewerSchemaError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except ModuleNotFoundError as error:
            return say_how_to_start(error)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr)
            return 130
        except OSError as error:
            if isinstance(error, BrokenPipeError) and is_output_closed():
                raise  # nobody reads any more: end_quietly ends it
            print(f"error: {error}; fix this and run the same command again", file=sys.stderr)
            return 1

    return wrapped
