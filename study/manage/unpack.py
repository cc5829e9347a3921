"""An archive of a study, read and checked whole, before anything of it is in its place.

The archive is data from elsewhere. Its names are not followed but recognised: a record goes where
its own content says, a file of a record where the record says, and nothing else goes anywhere.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from study.executors import executor_folders
from study.manage.export import CHUNK, MANIFEST, SCHEMA, check_names, checksum_of
from study.manage.zip_file import Member, read_members
from study.plan.known_studies import SCHEMA as KEPT_SCHEMA
from study.plan.known_studies import TREE, Kept, kept_from
from study.records.record import Record, RecordError
from study.records.schema import NewerSchemaError
from study.records.store import STORE_FOLDERS
from study.spec.study import StudyError
from study.spec.yaml_nodes import MAX_BYTES

MOST_MANIFEST = 256 << 20
MOST_RECORD = 64 << 20
CLAIMS = "report/claims.json"
HASH, VARIANT, WORD = "[0-9a-f]{64}", "[0-9a-f]{16}", "[A-Za-z0-9_-]{1,64}"
RECORD = re.compile(rf"records/(train|tune|cost)-{HASH}\.{VARIANT}(\.{WORD})?\.json")
ARTIFACT = re.compile(rf"artifacts/{HASH}\.{VARIANT}\.{WORD}\.{WORD}\.npz")
SCALED = re.compile(rf"scaled/(latency-)?{HASH}\.json")
INSIDE = re.compile(r"(study|report)(/[^/\\.\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*)+")
RECORDS = TypeAdapter(Record)
LIMITS = ((RECORD, MOST_RECORD), (SCALED, MOST_RECORD), (re.compile("study/.*"), MAX_BYTES))


@dataclass(frozen=True)
class Archive:
    """An archive whose names and sizes have been looked at.

    Attributes:
        files: Name -> where it is, its bytes and the sha256 that they should have.
        study: What the manifest says of it.
        versions: Of what made it.
    """

    files: Mapping[str, tuple[Member, str]]
    study: Mapping[str, Any]
    versions: Mapping[str, Any]


def read_archive(stream: BinaryIO) -> Archive:
    """Read an archive: exactly the members that its manifest names.

    Raises:
        StudyError: If names, sizes or the manifest are not as `--archive` writes them.
    """
    members = read_members(stream)
    first = next(iter(members.items()), None)
    if first is None or first[0] != MANIFEST or first[1].size > MOST_MANIFEST:
        raise StudyError(f"does not begin with a {MANIFEST}")
    stream.seek(first[1].offset)
    try:
        values = json.loads(stream.read(first[1].size))
        checksum = values.pop("checksum")
        schema, study, told, files = (
            values[name] for name in ("schema", "study", "versions", "files")
        )
        sums = {str(name): (size, str(sha)) for name, (size, sha) in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StudyError(f"its {MANIFEST} is not one") from None
    if schema != SCHEMA or not isinstance(study, dict) or not isinstance(told, dict):
        raise StudyError(f"is of schema {schema!r}; this version reads {SCHEMA}")
    if checksum_of(values) != checksum:
        raise StudyError(f"its {MANIFEST} is damaged: its checksum is another")
    check_names(sums)
    found = {}
    for name, (size, sha) in sums.items():
        if not any(one.fullmatch(name) for one in (RECORD, ARTIFACT, SCALED, INSIDE)):
            raise StudyError(f"{name[:200]!r} is no name of a file of a study")
        member = members.get(name)
        if member is None or member.size != size:
            raise StudyError(f"{name!r} is not in it, or not as large as it says")
        most = next((most for pattern, most in LIMITS if pattern.fullmatch(name)), size)
        if size > most:
            raise StudyError(f"{name!r} has {size:,} bytes, more than {most:,}")
        found[name] = member, sha
    extra = members.keys() - {MANIFEST, *found}
    if extra:
        raise StudyError(f"{min(extra)!r} is not named by its {MANIFEST}")
    return Archive(found, study, told)


def check_room(archive: Archive, root: Path) -> None:
    """Refuse what would not fit on the disk of a results folder.

    Raises:
        StudyError: With what it needs and what there is.
    """
    needed = sum(member.size for member, _ in archive.files.values())
    there = next(one for one in (root, *root.absolute().parents) if one.is_dir())
    if needed > (free := shutil.disk_usage(there).free):
        raise StudyError(f"needs {needed:,} bytes in {root}, where {free:,} are free")


def unpack(stream: BinaryIO, archive: Archive, stage: Path) -> None:
    """Copy every file, compared with its checksum; the report is compared alone.

    Raises:
        StudyError: If a checksum is another.
    """
    for name, (member, sha) in archive.files.items():
        is_taken = not name.startswith("report/") or name == CLAIMS
        try:
            found = _copy(stream, member, stage / name if is_taken else None)
        except (FileExistsError, NotADirectoryError):
            raise StudyError(f"{name!r} is a file and a folder, or there twice") from None
        if found != sha:
            raise StudyError(f"{name!r} is damaged: its checksum is another")


def _copy(stream: BinaryIO, member: Member, target: Path | None) -> str:
    """Copy to a new file, or nowhere; the sha256 of the content."""
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), member.size
    stream.seek(member.offset)
    with target.open("xb") if target is not None else open(os.devnull, "wb") as file:
        while left and (part := stream.read(min(CHUNK, left))):
            digest.update(part)
            file.write(part)
            left -= len(part)
        file.flush()
        if target is not None:
            os.fsync(file.fileno())
    return digest.hexdigest()


def read_study(archive: Archive, stage: Path) -> Kept:
    """The study, read from its unpacked files, and only from them.

    Raises:
        StudyError: If it is none that this version reads.
    """
    names = ("main", "digest", "overrides", "device", "quick")
    said = {name: archive.study.get(name) for name in names}
    texts = {}
    for name in (name for name in archive.files if name.startswith("study/")):
        try:
            texts[name.removeprefix("study/")] = (stage / name).read_bytes().decode()
        except UnicodeDecodeError:
            raise StudyError(f"{name} is not UTF-8 text") from None
    kept = kept_from({"schema": KEPT_SCHEMA, "path": "", "files": texts, **said}, MANIFEST)
    parts = kept.parts
    above, tree, _ = kept.main.rpartition(f"{TREE}/")
    main = f"{above}{tree}{'/'.join(parts)}{PurePosixPath(kept.main).suffix}"
    if parts[0] in (*STORE_FOLDERS, *executor_folders()) or kept.main != main:
        raise StudyError(f"{kept.main!r} is no name of a study file")
    study = kept.load(stage / "read")
    if any(not path.is_relative_to(stage) for path in study.texts):
        raise StudyError(f"{kept.main} extends a file that is not in the archive")
    return kept


def read_records(archive: Archive, stage: Path) -> dict[str, Record]:
    """Name in the archive -> record; every file of a record in the archive is named by one.

    Raises:
        StudyError: If a record is not what its name says, or names files that are not its own.
    """
    records, named = {}, {}
    for name in filter(RECORD.fullmatch, archive.files):
        try:
            text = (stage / name).read_text("utf-8")
            record = Record.from_json(text)
            RECORDS.validate_json(json.dumps(asdict(record)), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise StudyError(f"{name}: {where}: {first['msg']}") from None
        except (RecordError, NewerSchemaError, UnicodeDecodeError) as error:
            raise StudyError(f"{name}: {error}") from None
        if f"records/{record.file_name}" != name:
            raise StudyError(f"{name} holds another record than its name says")
        own = ".".join(name.partition("-")[2].split(".")[:2])
        for artifact in record.artifacts.values():
            is_own = artifact.path.startswith(f"artifacts/{own}.")
            if not is_own or not ARTIFACT.fullmatch(artifact.path):
                raise StudyError(f"{name} names {artifact.path!r}, which is no file of it")
            named[artifact.path] = artifact.sha256
        records[name] = record
    for name, (_, sha) in archive.files.items():
        if ARTIFACT.fullmatch(name) and named.get(name) != sha:
            raise StudyError(f"{name} is not what a record in the archive names")
    return records
