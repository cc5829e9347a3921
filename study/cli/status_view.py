"""Output of `--status`, and the sum at the end of every command that reports."""

import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console

from study.executors.task import AGAIN
from study.plan.jobs import sum_up
from study.records.record import Outcome
from study.records.store import Store
from study.records.text_table import print_rows

MOST_ROWS = 200  # of a table; rich needs a millisecond for one


@contextlib.contextmanager
def sum_at_end(outcomes: list[Outcome], console: Console) -> Iterator[list[Outcome]]:
    """Print the sum of the outcomes at the end, after an error too."""
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
    """Quarantine records with a damaged file; their jobs count as not run. Print warnings of both.

    Args:
        outcomes: Outcomes of a report, changed in place.
        damaged: Outcomes, and the name of the damaged artifact of each.
        store: The store of their records.
        console: Console of the command.
    """
    before = len(store.damaged)
    for outcome, name in damaged:
        if outcome.record is None or outcome not in outcomes:  # quarantined for another file
            continue
        store.strike(outcome.record, name)
        why = f"its {name} were damaged; the same command runs it again"
        at = outcomes.index(outcome)
        outcomes[at] = dataclasses.replace(outcome, status="not run", reason=why, record=None)
    print_warnings([*store.damaged[before:], *store.newer], console)


def print_status(outcomes: Sequence[Outcome], console: Console, as_json: bool) -> None:
    """Print the state of every job, failures with their reasons, then the sum."""
    if as_json:
        rows = [
            {
                "kind": outcome.kind,
                "cell": outcome.cell,
                "levels": dict(outcome.levels),
                "seed": outcome.seed,
                "tried": dict(outcome.tried),
                "status": outcome.status,
                "reason": outcome.reason,
                "log": outcome.log,
            }
            for outcome in outcomes
        ]
        print(json.dumps({"sum": sum_up(outcomes), "jobs": rows}, indent=1))
        return
    shown = {"cost": "cost", "tune": "tuning", "train": "training"}
    if not any(outcome.kind == "tune" for outcome in outcomes):
        del shown["tune"]
    cells: dict[str, dict[str, list[str]]] = {}
    for outcome in outcomes:
        cell = cells.setdefault(outcome.cell, {kind: [] for kind in shown})
        words = f"{outcome.seed}: {outcome.status}" if outcome.kind == "train" else outcome.status
        cell[outcome.kind].append(words)
    lines: list[tuple[str, ...]] = []
    for name, kinds in list(cells.items())[:MOST_ROWS]:
        if "tune" in kinds:
            kinds["tune"] = [f"{n} {word}" for word, n in Counter(kinds["tune"]).items()]
        lines.append((name, *(", ".join(words) for words in kinds.values())))
    headings = ("cell", *shown.values())
    print_rows(headings, lines, console, words=len(headings))
    print_rest(len(cells) - MOST_ROWS, "cells", console)
    reasons = [o for o in outcomes if o.status == "not run" and o.reason]
    for outcome in reasons[:MOST_ROWS]:
        line = f"{outcome.job}: {outcome.reason}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    print_rest(len(reasons) - MOST_ROWS, "reasons", console)
    print_sum(outcomes, console)


def print_warnings(lines: Sequence[str], console: Console) -> None:
    """Print warnings, such as of damaged records."""
    for line in lines:
        console.print(f"warning: {line}", style="yellow", markup=False, soft_wrap=True)


def failed_words(reason: str, log: str) -> str:
    """Text such as "failed, will be tried again: out of memory (log: .../log.txt)"."""
    link = ", " if reason.startswith(AGAIN) else ": "
    return f"failed{link}{reason}" + (f" (log: {log})" if log else "")


def print_sum(outcomes: Sequence[Outcome], console: Console) -> None:
    """A line for each failed job, then the sum over all."""
    failed = [outcome for outcome in outcomes if outcome.is_failed]
    for outcome in failed[:MOST_ROWS]:
        console.print(
            f"{outcome.kind} {outcome.job}: {failed_words(outcome.reason, outcome.log)}",
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if len(failed) > MOST_ROWS:
        console.print(f"and {len(failed) - MOST_ROWS:,} more failed", highlight=False)
    console.print(sum_up(outcomes), highlight=False, soft_wrap=True)


def print_rest(number: int, what: str, console: Console) -> None:
    """Print how many rows of a table were left out, if any."""
    if number > 0:
        console.print(f"  and {number:,} more {what}; --json lists all", highlight=False)
