"""One module a command: its arguments, and `execute`. What a command needs, it imports there.

A module has `add_arguments(actions, group)`, `execute(options)`, which returns the exit code, and
perhaps `TAKES`, the options that go with it and not with every command.
"""

from types import ModuleType

from study.cli.commands import (
    archive,
    cancel,
    compare,
    gc,
    importing,
    plan,
    report,
    reproduce,
    resolve,
    run,
    status,
)

# Command, as its option is called -> module. The order is that of --help.
COMMANDS: dict[str, ModuleType] = {
    "run": run,  # without any of the others
    "plan": plan,
    "status": status,
    "report": report,
    "claims": report,
    "compare": compare,
    "reproduce": reproduce,
    "cancel": cancel,
    "gc": gc,
    "archive": archive,
    "import": importing,
    "resolve": resolve,
}
