"""What a person is told when the command ends early: one line, and its exit code."""

import sys

from study.migrations import NewerSchemaError
from study.spec import StudyError

ENDINGS = (StudyError, NewerSchemaError, KeyboardInterrupt, OSError)


def say_why(error: StudyError | NewerSchemaError | KeyboardInterrupt | OSError) -> int:
    """Print why; the exit code.

    2: wrong input, or a later version's file; 130: interrupted; 1: a full disk, or a folder that is
    not ours.
    """
    if isinstance(error, (StudyError, NewerSchemaError)):
        print(f"error: {error}", file=sys.stderr)
        return 2
    if isinstance(error, KeyboardInterrupt):
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"error: {error}; mend it and run the same command again", file=sys.stderr)
    return 1
