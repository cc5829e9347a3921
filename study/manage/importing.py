"""`--import`: an archive of a study, moved into a results folder after all checks passed.

The first complete record wins: existing records stay. The archived report is not imported;
`--report` makes it again.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from study.manage.export import versions
from study.manage.unpack import (
    CLAIMS,
    SCALED,
    Archive,
    check_room,
    read_archive,
    read_records,
    read_study,
    unpack,
)
from study.plan.known_studies import FOLDER, Kept, write_kept
from study.records.record import Record, RecordError
from study.records.schema import NewerSchemaError
from study.records.store import Key, Store, new_attempt
from study.spec.study import StudyError


def import_study(
    path: Path,
    root: Path,
    quick: bool,
    check_claims: Callable[[Path], object],
    console: Console,
) -> None:
    """Import an archive into a results folder, which is made if it is missing.

    Args:
        path: The archive.
        root: The results folder.
        quick: The folder is one of `--quick` runs; the archive must agree.
        check_claims: Reads the ledger of claims in a folder; raises OSError if it is damaged.
        console: Receives the summary.

    Raises:
        StudyError: If the archive is not what `--archive` writes; nothing is in place then.
        OSError: If the folder cannot be written.
    """
    was_there = root.is_dir()
    stage = root / f".import-{new_attempt()}"
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise StudyError("is no file")
        with path.open("rb") as stream:
            archive = read_archive(stream)
            if archive.study.get("quick") is not quick:
                say = "without" if quick else "with"
                raise StudyError(f"is of another kind of run: import it {say} --quick")
            check_room(archive, root)
            stage.mkdir(parents=True)
            unpack(stream, archive, stage)
        kept, records = read_study(archive, stage), read_records(archive, stage)
        if CLAIMS in archive.files:
            try:
                check_claims(stage / "report")
            except OSError:  # LedgerError, of a room that this one does not know
                raise StudyError("its history of claims is not whole") from None
        _settle(archive, kept, records, stage, root, console)
    except StudyError as error:
        raise StudyError(f"--import: {path}: {error}") from None
    except FileNotFoundError as error:
        if error.filename != str(path):
            raise
        raise StudyError(f"--import: {path}: no such file") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not was_there:
            with contextlib.suppress(OSError):  # not empty: all went well
                root.rmdir()


def _settle(
    archive: Archive,
    kept: Kept,
    records: Mapping[str, Record],
    stage: Path,
    root: Path,
    console: Console,
) -> None:
    """Move all in place: the study, so that `--gc` knows it, then files, and records last."""

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    path = _place_study(kept, stage, root)
    store = Store(root)
    new, known, different = 0, 0, []
    for name, record in records.items():
        here = _read_own(root / name)
        if here is None or here == record:
            _place_artifacts(archive, record, stage, root)
        key = Key(record.kind, record.identity, record.fingerprint, record.config)
        if (here or store.add(key, record)) != record:
            different.append(name)
        elif here is None:
            new += 1
        else:
            known += 1
    for name in archive.files:
        if SCALED.fullmatch(name):
            _place(stage / name, root / name)
    _place_claims(archive, kept, stage, root, say)
    told = f"{new:,} new, {known:,} here already, {len(different):,} other than those here"
    say(f"{len(records):,} records: {told}, which stay")
    for name in different[:20]:
        say(f"different: {name}")
    own = versions()
    for name in sorted(own.keys() & archive.versions.keys()):
        if archive.versions[name] != own[name]:
            # Without control characters, which a terminal would execute.
            there = "".join(filter(str.isprintable, str(archive.versions[name])[:80]))
            say(f"{name}: {there} there, {own[name]} here")
    say(f"its study file: {path}")


def _read_own(path: Path) -> Record | None:
    """Read the record of that name; None if it is missing or damaged."""
    try:
        return Record.from_json(path.read_text("utf-8"))
    except NewerSchemaError as error:
        raise StudyError(f"{path}: {error}") from None
    except (FileNotFoundError, RecordError, UnicodeDecodeError):
        return None


def _place(source: Path, target: Path) -> None:
    """Give a checked file its place, unless a file is there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)


def _place_artifacts(archive: Archive, record: Record, stage: Path, root: Path) -> None:
    """Place the files of a record that is valid here; replace damaged ones."""
    for artifact in record.artifacts.values():
        if artifact.path not in archive.files or not (stage / artifact.path).exists():
            continue
        target = root / artifact.path
        if target.is_file():
            with target.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == artifact.sha256:
                    continue
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage / artifact.path, target)


def _place_study(kept: Kept, stage: Path, root: Path) -> Path:
    """The study file and what it extends, in a folder of its own; gives the study file's path."""
    folder = root / FOLDER / f"{'.'.join(kept.parts)[:100]}.{kept.digest[:8]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage / "study", folder)
    path = folder / kept.main
    write_kept(replace(kept, path=str(path.resolve())), root)
    return path


def _place_claims(
    archive: Archive, kept: Kept, stage: Path, root: Path, say: Callable[[str], None]
) -> None:
    """When claims were written, and how often they were judged: never over what is here."""
    if CLAIMS not in archive.files:
        return
    target = root.joinpath(*kept.parts, "claims.json")
    if target.exists() and target.read_bytes() != (stage / CLAIMS).read_bytes():
        say(f"the claims have a history here, which stays: {target}")
    _place(stage / CLAIMS, target)
