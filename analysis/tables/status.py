"""Status of every planned job."""

from collections import Counter
from collections.abc import Mapping

from analysis.results.results import Results
from analysis.stats.format import NONE, plural
from analysis.tables.notes import status_words
from analysis.tables.table import Entry, Row, Table
from study.records.record import Kind, Outcome, Status

STATUSES: tuple[Status, ...] = ("done", "reused", "skipped", "failed", "not run")


def status_counts(results: Results, kind: Kind | None = None) -> dict[Status, int]:
    """Status -> number of jobs, of one kind or of both; their sum is what was planned."""
    found = Counter(one.status for one in results.outcomes if kind in (None, one.kind))
    return {status: found[status] for status in STATUSES}


def status_sentence(counts: Mapping[Status, int]) -> str:
    """Numbers of jobs in words: "42 of 46 jobs finished (3 reused): 4 failed."."""
    planned = sum(counts.values())
    finished = counts["done"] + counts["reused"]
    reused = f" ({counts['reused']} reused)" if counts["reused"] else ""
    if finished == planned:
        return f"All {plural(planned, 'job')} finished{reused}."
    rest = [f"{counts[one]} {one}" for one in STATUSES[2:] if counts[one]]
    return f"{finished} of {plural(planned, 'job')} finished{reused}: {', '.join(rest)}."


def status_table(results: Results) -> Table:
    """One row a kind of job and their sum: planned = done + reused + skipped + failed + not run."""
    rows: list[Row] = []
    kinds: tuple[Kind | None, ...] = ("train", "cost", None)
    if results.study.tune is not None:
        kinds = ("tune", *kinds)
    for kind in kinds:
        counts = status_counts(results, kind)
        jobs = [one for one in results.outcomes if kind in (None, one.kind)]
        reasons = tuple(dict.fromkeys(filter(None, map(_why, jobs)))) if kind else ()
        numbers = [str(n) if n else NONE for n in counts.values()]
        rows.append((Entry(kind or "all", notes=reasons), str(sum(counts.values())), *numbers))
    return Table.of(
        "status",
        ("jobs", "planned", *STATUSES),
        rows,
        "How the planned jobs ended. A train job is one cell and one seed; a cost job is "
        "one cell"
        + ("." if results.study.tune is None else "; a tune job tries one combination of values."),
    )


def _why(job: Outcome) -> str:
    if job.is_done:
        return ""
    seed = "" if job.seed is None else f", seed {job.seed}"
    tried = "".join(f", {key}={label}" for key, label in job.tried.items())
    return f"{job.cell}{tried}{seed}: {status_words(job)}"
