"""`--archive`: a study as one file: its records, their files, study files, report, checksums.

    manifest.json       first: how the study was run, versions, size and sha256 of every other file
    study/...           the study file and what it extends
    records/...         the records that its plan takes
    artifacts/...       their predictions, curves and examples
    scaled/...          what `match` chose
    report/...          as it was

The same content is the same bytes. study/manage/unpack.py reads it.
"""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import Any
from unicodedata import normalize
from zipfile import ZipFile

from rich.console import Console

from study.manage.zip_file import member_info
from study.match.cells import values_files
from study.plan.jobs import exit_code
from study.plan.known_studies import kept_of
from study.plan.other_records import with_other_devices
from study.plan.planner import Plan
from study.records.environment import source_state
from study.records.record import Outcome, Record
from study.records.store import Store, new_attempt
from study.records.units import size as in_words
from study.spec.study import StudyError

SCHEMA = 1
MANIFEST = "manifest.json"
CHUNK = 1 << 20
VERSIONS = ("torch", "torchvision", "timm", "numpy")
REPORT_FOLDERS = ("", "tables", "figures")  # reports of other studies may lie beside them


@dataclass(frozen=True)
class Packed:
    """A file for the archive: what is in it, or where that lies."""

    size: int
    sha256: str
    content: bytes | Path


def archive_study(plan: Plan, store: Store, target: Path, report: Path, console: Console) -> int:
    """Write the archive, whole or not at all; never over a file that is there.

    Returns:
        0 if every job of the study has its record, else 1.

    Raises:
        StudyError: If the file is there, or nothing was run, or a file of a record is damaged.
        OSError: If it cannot be written.
    """
    if os.path.lexists(target):
        raise StudyError(f"--archive: {target} is there already; name another file")
    outcomes = plan.outcomes()
    records = _records_of(with_other_devices(outcomes, plan, store), plan, store)
    if not records:
        raise StudyError(f"--archive: {store.root} holds no record of {plan.study.path}")
    files, absent = _files_of_records(records, store)
    files |= _files_of_study(plan, store)
    reported = {f"report/{name}": _pack(path) for name, path in _report_files(report)}
    digest = _write(target, plan, files | reported)
    taken = in_words(target.stat().st_size)
    say = f"{target}: {len(records):,} records, {len(files | reported):,} files, {taken}"
    console.print(f"{say}, sha256 {digest}", markup=False, highlight=False, soft_wrap=True)
    for line in absent:
        console.print(f"left out: {line}", markup=False, soft_wrap=True)
    missing = sum(one.status in ("not run", "skipped") for one in outcomes)
    if missing:
        console.print(f"{missing:,} of {len(outcomes):,} jobs have no record")
    if not reported:
        console.print(f"there is no report in {report}; --report makes one", soft_wrap=True)
    return exit_code(outcomes)


def _records_of(outcomes: list[Outcome], plan: Plan, store: Store) -> dict[str, Record]:
    """File name -> record, of all that the report shows and the plan counts."""
    found = [one for outcome in outcomes for one in (outcome.record, outcome.reference)]
    found += [
        one
        for outcome in outcomes
        for other in outcome.elsewhere
        for one in (other.record, other.reference)
    ]
    for job in plan.jobs:
        if job.status in ("failed", "to run"):
            found += store.failed(job.key)
    return {one.file_name: one for one in found if one is not None}


def _files_of_records(
    records: dict[str, Record], store: Store
) -> tuple[dict[str, Packed], list[str]]:
    """The records and their files, and a line for each file that is not there."""
    files, absent = {}, []
    for name, record in records.items():
        files[f"records/{name}"] = _pack(store.records / name)
        for what, artifact in record.artifacts.items():
            path = store.root / artifact.path
            if not path.is_file():
                absent.append(f"{what} of {name}: {path} is not there")
                continue
            files[artifact.path] = _pack(path)
            if files[artifact.path].sha256 != artifact.sha256:
                raise StudyError(f"--archive: {path} is damaged; --report sets it aside")
    return files, absent


def _files_of_study(plan: Plan, store: Store) -> dict[str, Packed]:
    kept = kept_of(plan.study, plan.device)
    files = {f"study/{name}": _pack(text.encode()) for name, text in kept.files.items()}
    for path in values_files(plan.study, plan.cells, store.root):
        if path.is_file():
            files[f"scaled/{path.name}"] = _pack(path)
    return files


def _report_files(report: Path) -> Iterator[tuple[str, Path]]:
    for folder in REPORT_FOLDERS:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in sorted((report / folder).iterdir()):
                if path.is_file() and not path.is_symlink() and path.name[0] != ".":
                    yield path.relative_to(report).as_posix(), path


def _pack(content: bytes | Path) -> Packed:
    if isinstance(content, bytes):
        return Packed(len(content), hashlib.sha256(content).hexdigest(), content)
    with content.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Packed(stream.tell(), digest, content)


def _manifest(plan: Plan, files: dict[str, Packed]) -> bytes:
    kept = kept_of(plan.study, plan.device)
    values = {
        "schema": SCHEMA,
        "study": {
            "main": kept.main,
            "digest": kept.digest,
            "overrides": kept.overrides,
            "quick": kept.quick,
            "device": kept.device,
            "question": plan.study.question,
        },
        "versions": versions(),
        "files": {name: [one.size, one.sha256] for name, one in sorted(files.items())},
    }
    return json.dumps({**values, "checksum": checksum_of(values)}, indent=1).encode()


def checksum_of(values: Mapping[str, Any]) -> str:
    """Checksum of a manifest's other values; members have checksums of their own."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of libraries that numbers depend on, and of this code."""
    found = {"python": platform.python_version(), "code": source_state()["commit"]}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _write(target: Path, plan: Plan, files: dict[str, Packed]) -> str:
    """Write the archive; return its sha256."""
    check_names(files)
    files = {MANIFEST: _pack(_manifest(plan, files)), **dict(sorted(files.items()))}
    draft = target.with_name(f".{target.name}.{new_attempt()}.draft")
    try:
        with draft.open("xb") as stream:
            with ZipFile(stream, "w") as archive:
                for name, packed in files.items():
                    _add(archive, name, packed)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, target)  # fails if another command has made it meanwhile
        return _pack(draft).sha256
    except FileExistsError:
        raise StudyError(f"--archive: {target} is there already; name another file") from None
    finally:
        draft.unlink(missing_ok=True)


def _add(archive: ZipFile, name: str, packed: Packed) -> None:
    digest = hashlib.sha256()
    with (
        archive.open(member_info(name, packed.size), "w") as member,
        packed.content.open("rb")
        if isinstance(packed.content, Path)
        else BytesIO(packed.content) as source,
    ):
        while part := source.read(CHUNK):
            digest.update(part)
            member.write(part)
    if digest.hexdigest() != packed.sha256:
        raise OSError(f"{name} has changed while it was read")


def check_names(names: Iterable[str]) -> None:
    """Refuse files that some file systems cannot keep apart; reports stay in the archive.

    Raises:
        StudyError: With two names that differ by case or Unicode form alone.
    """
    known: dict[str, str] = {}
    for name in names:
        first = known.setdefault(normalize("NFC", normalize("NFC", name).casefold()), name)
        if first != name and not name.startswith("report/"):
            raise StudyError(f"{first!r} and {name!r} differ by case or Unicode form alone")
