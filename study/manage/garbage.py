"""Garbage in a results folder: files that no known study needs. Nothing is removed here.

Debris needs no knowledge of studies: drafts, dead leases, what was set aside, checkpoints of jobs
that are recorded, files of attempts that left no record. All else goes only if every study that the
folder knows can be planned, and nobody is at work in it. In doubt a file stays.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from study.executors import EXECUTORS, executor_class, executor_folders
from study.executors.executor import Submitted
from study.manage.reachable import Needs, Verdicts
from study.plan.known_studies import known_studies, load_known, read_since, report_parts
from study.records.files import is_quiet
from study.records.lease import survey_leases
from study.records.record import Record, RecordError
from study.records.schema import NewerSchemaError
from study.records.store import STORE_FOLDERS
from study.spec.study import Study, StudyError

GOING = ".going"  # ends the name of a folder that is being deleted
FOLDERS = (*STORE_FOLDERS, *executor_folders())
LOOKED_INTO = [name for name in FOLDERS if name != "quick"]  # a results folder of its own
OURS = re.compile(r"(latency-)?[0-9a-f]{64}(\.[0-9a-f]{16}(\..+)?)?(\.json)?")  # named by a store
DRAFT = re.compile(r".*\.draft|\..*\.going|\.[0-9a-f]{12}|\.[0-9a-f]{32}|\.import-[0-9a-f]{12}")
NO_STUDY = "no study known here needs it"
SET_ASIDE = "damaged"
Traces = set[tuple[str, int]]


@dataclass(frozen=True)
class Leftover:
    """A group of files that is removed together.

    Attributes:
        what: Kind, as it is shown.
        why: Nobody needs it.
        path: File or folder.
        is_debris: Whether nobody needs it whatever studies there are.
    """

    what: str
    why: str
    path: Path
    is_debris: bool = True


@dataclass(frozen=True)
class AtWork:
    """Users of a results folder.

    Attributes:
        who: In words, none if nobody is.
        stems: `identity.variant` of jobs that are held or submitted.
        dead_leases: Files of leases that are over.
        submitted: What each executor has submitted.
    """

    who: tuple[str, ...] = ()
    stems: frozenset[str] = frozenset()
    dead_leases: tuple[Path, ...] = ()
    submitted: tuple[Submitted, ...] = ()


@dataclass
class Survey:
    """A results folder, looked at.

    Attributes:
        leftovers: What may go, in the order in which it goes: a record before its files, so that
            no record is ever without what it names.
        studies: Names of the studies that were planned.
        unknown: Why it cannot be told what a study needs, a line each.
        at_work: Who uses what is here.
        traces: Of runs, when the look began.
    """

    leftovers: list[Leftover] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    at_work: AtWork = field(default_factory=AtWork)
    traces: Traces = field(default_factory=set)

    @property
    def may_go(self) -> list[Leftover]:
        """The leftovers; debris alone where more cannot be told."""
        is_all = not self.unknown and not self.at_work.who
        return [one for one in self.leftovers if one.is_debris or is_all]


def survey(root: Path, study: Study, device: str) -> Survey:
    """Look at a results folder, for the studies that it knows and this one.

    Args:
        root: The results folder.
        study: Counts as known.
        device: That it is run on, "cpu" or "cuda".
    """
    found = Survey(traces=traces_of(root))
    needs = _read_needs(root, study, device, found)
    # In this order: an attempt that ends meanwhile still has its lease then, or its record.
    listing = {name: _listed(root / name) for name in LOOKED_INTO}
    found.at_work = look_who_is_at_work(root)
    records, unread = _read_records(root)
    since = read_since(root)
    verdicts = Verdicts(needs, records, since)
    goes = {name: why for name, one in records.items() if (why := verdicts.why(name, one))}
    busy = {*found.at_work.stems, *unread}
    found.leftovers = [
        *(Leftover("records", why, root / "records" / name, False) for name, why in goes.items()),
        *_artifacts(listing["artifacts"], records, goes, busy),
        *_attempts(listing["attempts"], records, needs, busy, since),
        *_unneeded("features", listing["features"], needs.features, since),
        *_unneeded("values of match", listing["scaled"], needs.scaled, since),
        *_debris(root, listing, found.at_work),
        *_submissions(needs, records, found.at_work),
    ]
    paths = {one.path for one in found.leftovers}
    found.leftovers = [one for one in found.leftovers if not paths & {*one.path.parents}]
    return found


def _read_needs(root: Path, study: Study, device: str, found: Survey) -> Needs:
    needs, reports = Needs(), {report_parts(study.path)}
    known = [(study, device)]
    for path in known_studies(root):
        try:
            kept, studies = load_known(path)
        except StudyError as error:
            found.unknown.append(f"{path} cannot be planned: {error}")
            continue
        reports.add(kept.parts)
        known += [(one, kept.device) for one in studies]
        found.studies.append(f"{'/'.join(kept.parts)} ({path})")
    for one, where in known:
        try:
            needs.add(one, where, root)
        except StudyError as error:
            found.unknown.append(str(error))
    for folder in _reports(root):
        if folder.relative_to(root).parts not in reports:
            what = f"{folder} is a report of a study that this folder does not know"
            found.unknown.append(f"{what}: make it once more (--report), or delete it")
    return needs


def _reports(root: Path) -> Iterator[Path]:
    """Folders of reports, also of studies that lie in folders."""
    for place, folders, files in os.walk(root):
        if Path(place) == root:
            folders[:] = [name for name in folders if name not in FOLDERS and name[0] != "."]
        elif {"report.html", "claims.json"} & {*files}:
            yield Path(place)


def _listed(folder: Path) -> list[Path]:
    """Entries of a folder, hidden ones included, without the quarantine."""
    try:
        return sorted(path for path in folder.iterdir() if path.name != SET_ASIDE)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_records(root: Path) -> tuple[dict[str, Record], list[str]]:
    """File name -> record, and the stems of those that cannot be read."""
    records, unread = {}, []
    for path in sorted((root / "records").glob("*-*.json")):
        try:
            records[path.name] = Record.from_json(path.read_text("utf-8"))
        except FileNotFoundError:  # renamed meanwhile
            continue
        except (RecordError, NewerSchemaError, UnicodeDecodeError):  # a plan says what of it
            unread.append(_stem_of(path.name.partition("-")[2]))
    return records, unread


def _stem_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def _is_ours(path: Path) -> bool:
    """Whether its name is one that a store gives: what a person put here stays."""
    return OURS.fullmatch(path.name) is not None and not path.name.endswith(".draft")


def _artifacts(
    paths: Sequence[Path],
    records: Mapping[str, Record],
    goes: Mapping[str, str],
    busy: set[str],
) -> Iterator[Leftover]:
    """Files of records that go, and of attempts that have none."""
    stays: set[str] = set()
    went: dict[str, str] = {}
    for name, record in records.items():
        stem = _stem_of(name.partition("-")[2])
        names = {Path(one.path).name for one in record.artifacts.values()}
        names.add(f"{stem}.{record.attempt}.tensorboard")
        if name in goes:
            went |= dict.fromkeys(names, goes[name])
        else:
            stays |= names
    for path in paths:
        if path.name in stays or not _is_ours(path) or _stem_of(path.name) in busy:
            continue
        is_debris = path.name not in went
        why = "its attempt left no record" if is_debris else f"of records: {went[path.name]}"
        yield Leftover("artifacts", why, path, is_debris)


def _attempts(
    paths: Sequence[Path],
    records: Mapping[str, Record],
    needs: Needs,
    busy: set[str],
    since: datetime | None,
) -> Iterator[Leftover]:
    done = {
        _stem_of(name.partition("-")[2]) for name, one in records.items() if one.status == "done"
    }
    for path in paths:
        if path.name in busy or not _is_ours(path):
            continue
        if path.name in done:
            yield Leftover("checkpoints", "their jobs are recorded", path)
        elif not needs.has_stem(path.name) and not _is_older(path, since):
            yield Leftover("checkpoints", NO_STUDY, path, False)


def _unneeded(
    what: str, paths: Sequence[Path], needed: set[str], since: datetime | None
) -> Iterator[Leftover]:
    for path in paths:
        if path.name not in needed and _is_ours(path) and not _is_older(path, since):
            yield Leftover(what, NO_STUDY, path, False)


def _is_older(path: Path, since: datetime | None) -> bool:
    """Whether it may be of a study from before the folder kept them."""
    return since is not None and path.lstat().st_mtime < since.timestamp()


def _debris(root: Path, listing: Mapping[str, list[Path]], at_work: AtWork) -> Iterator[Leftover]:
    """Temporary files of writers that have ended; a living writer has written within a day."""
    code = [one.code for one in at_work.submitted if one.code]
    places = [root, *code, *(root / name for name in listing)]
    drafts = [path for place in places for path in _listed(place)]
    drafts += (root / "attempts").glob("*/*/*.draft")
    drafts += (root / "features").glob("*/*/*/.*.draft")
    for path in drafts:
        if DRAFT.fullmatch(path.name) and (path.name.endswith(GOING) or is_quiet(path)):
            yield Leftover("drafts", "left by a command that is gone", path)
    for path in at_work.dead_leases:
        yield Leftover("leases", "their holders are gone", path)
    for place in ("records", "artifacts"):
        for path in _listed(root / place / SET_ASIDE):
            yield Leftover("set aside", "they were damaged", path)


def _submissions(
    needs: Needs, records: Mapping[str, Record], at_work: AtWork
) -> Iterator[Leftover]:
    """Submissions that are over and tell a plan nothing more; code when nothing is queued."""
    recorded = {_stem_of(name.partition("-")[2]) for name in records}
    for submitted in at_work.submitted:
        for folder, stems in submitted.ended.items():
            if all(stem in recorded or not needs.has_stem(stem) for stem in stems):
                # else the next run writes what became of it
                yield Leftover("submissions", "they are over", folder, False)
        for path in _listed(submitted.code) if submitted.code else ():
            if path.name[0] != "." and is_quiet(path):
                yield Leftover("code of jobs", "no job of it is queued", path, False)


def look_who_is_at_work(root: Path) -> AtWork:
    """Look at the leases and the submissions of a results folder."""
    held, dead = survey_leases(root)
    who = [f"{holder}, at {name[:20]}" for name, holder in sorted(held.items())]
    stems = {name.partition("-")[2] for name in held}
    submitted = [executor_class(name).survey(root) for name in EXECUTORS]
    return AtWork(
        (*who, *(line for one in submitted for line in one.who)),
        frozenset(stems).union(*(one.stems for one in submitted)),
        tuple(dead),
        tuple(submitted),
    )


def traces_of(root: Path) -> Traces:
    """Files that a starting run adds: studies, leases, submissions."""
    found: Traces = set()
    for name in ("studies", "leases", *executor_folders()):
        try:
            with os.scandir(root / name) as entries:
                paths = [entry for entry in entries if not entry.name.startswith(".")]
                found |= {
                    (f"{name}/{one.name}", one.stat().st_mtime_ns * (name == "studies"))
                    for one in paths
                }
        except FileNotFoundError:
            continue
    return found
