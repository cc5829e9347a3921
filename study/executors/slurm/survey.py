"""Submissions of a results folder, for its housekeeping: which may still run, which are over."""

import os
from collections.abc import Iterable
from pathlib import Path

from study.executors.executor import Submitted
from study.executors.slurm.queue import ClusterError, ask_queue
from study.executors.slurm.submissions import Entry, Submission, cluster_folder, read_submissions
from study.records.files import is_quiet


def survey_submissions(root: Path) -> Submitted:
    """Look at the manifests of a results folder, and into the queue for those in doubt."""
    folder = cluster_folder(root)
    try:
        every = read_submissions(root)
    except (OSError, ValueError, KeyError, TypeError):
        line = f"perhaps SLURM: a manifest in {root / folder.name} cannot be read"
        return Submitted((line,), code=folder / "code")
    live = _live(root, every)
    return Submitted(
        tuple(f"perhaps SLURM, at {one.job_name} ({folder.name}/{one.name})" for one in live),
        frozenset().union(*map(_stems, live)),
        {folder / one.name: _stems(one) for one in every if one not in live},
        folder / "code",
    )


def _stems(submission: Submission) -> frozenset[str]:
    return frozenset(entry.stem for pack in submission.packs for entry in pack)


def _live(root: Path, every: list[Submission]) -> list[Submission]:
    """Submissions that may be queued or running: all that are not over for certain."""
    ends = _ends(path.name for path in (root / "records").glob("*-*.json"))
    doubtful = [
        submission
        for submission in every
        if not all(_has_ended(entry, ends) for pack in submission.packs for entry in pack)
        or not is_quiet(cluster_folder(root) / submission.name)
    ]
    if not doubtful:
        return []
    try:
        names = {name for (name, _), state in ask_queue().items() if state.is_live}
    except ClusterError:  # no SLURM here, or it does not answer
        return doubtful
    return [one for one in doubtful if one.job_name in names or _may_be_hidden(root, one)]


def _may_be_hidden(root: Path, submission: Submission) -> bool:
    """True if our queue may not show it: it was just written, or is another person's."""
    folder = cluster_folder(root) / submission.name
    return not is_quiet(folder) or folder.lstat().st_uid != os.getuid()


def _ends(names: Iterable[str]) -> dict[str, list[str]]:
    """Stem -> ends of its records' names: "json" if done, "failed-<attempt>", a timing run."""
    ends: dict[str, list[str]] = {}
    for name in names:
        identity, variant, end, *_ = f"{name.partition('-')[2]}...".split(".")
        ends.setdefault(f"{identity}.{variant}", []).append(end)
    return ends


def _has_ended(entry: Entry, ends: dict[str, list[str]]) -> bool:
    return any(
        not end.startswith("failed-") or end.startswith(f"failed-{entry.attempt}")
        for end in ends.get(entry.stem, ())
    )
