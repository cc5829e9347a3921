"""The end of a command that reports: what was found damaged, and the sum, whatever happened."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from rich.console import Console

from study.cli.plan_view import print_sum, print_warnings
from study.records.record import Outcome
from study.records.store import Store


@contextlib.contextmanager
def sum_at_end(outcomes: list[Outcome], console: Console) -> Iterator[list[Outcome]]:
    """Print the sum of the outcomes as they are at the end, be it an error."""
    try:
        yield outcomes
    finally:
        print_sum(outcomes, console)


def strike_out(
    outcomes: list[Outcome],
    damaged: Sequence[tuple[Outcome, str]],
    store: Store,
    console: Console,
) -> None:
    """Set records aside with a file that is damaged; their jobs count as not run from here.

    Records that the report had to pass over are told of here, too.

    Args:
        outcomes: Changed in place.
        damaged: An outcome, and the name of its damaged artifact.
        store: Where they are.
        console: Told what was set aside or passed over.
    """
    told = len(store.damaged)
    for outcome, name in damaged:
        if outcome.record is None or outcome not in outcomes:  # struck out for another file
            continue
        store.strike(outcome.record, name)
        why = f"its {name} were damaged; the same command runs it again"
        at = outcomes.index(outcome)
        outcomes[at] = dataclasses.replace(outcome, status="not run", reason=why, record=None)
    print_warnings([*store.damaged[told:], *store.newer], console)
