"""Files of an older schema, brought up to the present one when they are read; newer ones refused.

A schema is the shape of a kind of file, by number: from 1, and one more with every change that
today's code could not read. What has none of its own, and what needs no new number, stands in
docs/internals/reliability.md. No file is rewritten: older files stay as they were written.

To raise a schema, append the step from the last one to its `steps`, and golden files of the new one
to the tests.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Step = Callable[[Mapping[str, Any]], dict[str, Any]]


class NewerSchemaError(Exception):
    """A file of a later version of the project.

    No ValueError: what handles damaged text must not take it for that.
    """


@dataclass(frozen=True)
class Schema:
    """Schema of a kind of file.

    Attributes:
        steps: The first makes plain values of schema 1 those of schema 2, and so on; pure: what a
            step is given, it leaves as it is.
    """

    steps: tuple[Step, ...] = ()

    @property
    def present(self) -> int:
        """The number that is written."""
        return 1 + len(self.steps)

    def upgrade(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as read, with their `schema`, in the present schema and without it.

        Raises:
            NewerSchemaError: If a later version wrote them.
            ValueError: If their schema is no number of one.
            KeyError: If they have none.
        """
        number = values["schema"]
        if type(number) is not int or number < 1:
            raise ValueError(f"schema {number!r} is no whole number from 1")
        if number > self.present:
            raise NewerSchemaError(
                f"has schema {number}, and this version of the project reads up to {self.present}: "
                f"use the version that wrote it{_commit_of(values)}, or a later one; nothing of it "
                "was changed"
            )
        content = {name: value for name, value in values.items() if name != "schema"}
        for step in self.steps[number - 1 :]:
            content = step(content)
        return content


RECORD = Schema()  # study/records/record.py
LEDGER = Schema()  # analysis/results/ledger.py


def _commit_of(values: Mapping[str, Any]) -> str:
    """Commit of the source that wrote a record, if it is in today's place."""
    said = values.get("environment")
    commit = said.get("commit") if isinstance(said, Mapping) else None
    return f" (commit {commit[:12]})" if isinstance(commit, str) else ""
