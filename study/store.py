"""Where records live: `results/records/`, shared by all studies.

One file a record, written whole and never changed; no lock, no index, so many writers on a
shared file system do not wait for each other and a reader never sees half a record.

    records/train-<identity>.<variant>.json                 done; the first complete one wins
    records/train-<identity>.<variant>.failed-<attempt>.json
    records/cost-<identity>.<variant>.<timing run>.json
    records/damaged/                                        set aside, named in a warning
    artifacts/<identity>.<variant>.<attempt>.<name>.npz     predictions, curves
    attempts/<identity>.<variant>/<attempt>/                checkpoints of what is not done yet

`identity` is the job (study/identity.py); `variant` the code and the full config that made it.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.record import Artifact, Kind, Record, RecordError


@dataclass(frozen=True)
class Key:
    """What names a job's records.

    Attributes:
        kind: "train" or "cost".
        identity: Full-length hash of what can change the numbers.
        fingerprint: Hash of the code that makes them.
        config: The full config as plain JSON values.
    """

    kind: Kind
    identity: str
    fingerprint: str
    config: Mapping[str, Any]

    @property
    def variant(self) -> str:
        """Short hash of the code and the full config: a changed default is another variant."""
        text = json.dumps([self.fingerprint, self.config], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def stem(self) -> str:
        """Start of the names of this job's files."""
        return f"{self.identity}.{self.variant}"


class Store:
    """The records under one results folder.

    Attributes:
        root: The results folder; made when something is written, not before.
        damaged: A line for each file that was set aside.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: list[str] = []
        self._names: dict[tuple[str, str], list[str]] | None = None

    @property
    def records(self) -> Path:
        """The folder of the records."""
        return self.root / "records"

    def refresh(self) -> None:
        """Forget the listing of the folder: others may have written."""
        self._names = None

    def done(self, key: Key) -> list[Record]:
        """Complete records of exactly this job, code and config; the newest last."""
        found = self._load(
            name for name in self._of(key) if key.variant in name and ".failed-" not in name
        )
        return sorted(found, key=lambda record: record.started)

    def failed(self, key: Key) -> list[Record]:
        """Failed attempts of exactly this job, code and config since the last `forgive`."""
        found = self._load(
            name
            for name in self._of(key)
            if key.variant in name and ".failed-" in name and ".forgiven" not in name
        )
        return sorted(found, key=lambda record: record.started)

    def others(self, key: Key) -> list[Record]:
        """Complete records of the same job made by other code or under other defaults."""
        found = self._load(
            name for name in self._of(key) if key.variant not in name and ".failed-" not in name
        )
        return sorted(found, key=lambda record: record.started)

    def all_done(self) -> list[Record]:
        """Complete records of every job, whatever code made them; the newest last."""
        found = self._load(name for name in self._listing() if ".failed-" not in name)
        return sorted(found, key=lambda record: record.started)

    def costs(self) -> list[Record]:
        """Cost records of every job and device, failed ones too; the newest last."""
        found = self._load(name for name in self._listing() if name.startswith("cost-"))
        return sorted(found, key=lambda record: record.started)

    def add(self, key: Key, record: Record) -> Record:
        """Write a record and wait until it is on disk.

        Returns:
            The record that counts: an earlier one if this job was done meanwhile by another.
        """
        self.records.mkdir(parents=True, exist_ok=True)
        name = f"{key.kind}-{key.stem}"
        if record.status == "failed":
            name += f".failed-{record.attempt}"
        elif key.kind == "cost":
            name += f".{record.timing_run}"
        path = self.records / f"{name}.json"
        draft = self.records / f".{record.attempt}-{uuid.uuid4().hex[:8]}.draft"
        write_synced(draft, record.to_json().encode())
        try:
            os.link(draft, path)  # fails if it exists: the first complete record wins
        except FileExistsError:
            record = Record.from_json(path.read_text("utf-8"))
        finally:
            draft.unlink()
        self.refresh()
        return record

    def forgive(self, key: Key) -> None:
        """Start the count of failures anew; the failed records stay, renamed."""
        for name in self._of(key):
            if key.variant in name and ".failed-" in name and ".forgiven" not in name:
                path = self.records / name
                path.rename(path.with_suffix(".forgiven.json"))
        self.refresh()

    def add_artifact(self, key: Key, attempt: str, name: str, content: bytes) -> Artifact:
        """Write a file that a record will name; synced before the record is."""
        folder = self.root / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{key.stem}.{attempt}.{name}.npz"
        draft = path.with_suffix(".draft")
        write_synced(draft, content)
        os.replace(draft, path)
        digest = hashlib.sha256(content).hexdigest()
        return Artifact(str(path.relative_to(self.root)), digest)

    def attempt_folder(self, key: Key, attempt: str) -> Path:
        """Where one execution of a job keeps its checkpoint; no other writes there."""
        return self.root / "attempts" / key.stem / attempt

    def checkpoints(self, key: Key) -> list[Path]:
        """Checkpoints that earlier or other attempts of a job left, the newest first."""
        found = (self.root / "attempts" / key.stem).glob("*/checkpoint.pt")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def clear_attempts(self, key: Key) -> None:
        """Delete the checkpoints of a job that is done."""
        shutil.rmtree(self.root / "attempts" / key.stem, ignore_errors=True)

    def _of(self, key: Key) -> list[str]:
        if self._names is None:
            self._names = defaultdict(list)
            for name in self._listing():
                kind, identity = name.split(".", 1)[0].split("-", 1)
                self._names[kind, identity].append(name)
        return self._names.get((key.kind, key.identity), [])

    def _listing(self) -> Iterator[str]:
        try:
            with os.scandir(self.records) as entries:
                for entry in entries:
                    if entry.name.endswith(".json") and "-" in entry.name.split(".", 1)[0]:
                        yield entry.name
        except FileNotFoundError:
            return

    def _load(self, names: Iterator[str]) -> Iterator[Record]:
        for name in names:
            path = self.records / name
            try:
                yield Record.from_json(path.read_text("utf-8"))
            except FileNotFoundError:  # renamed by another process since the listing
                continue
            except (RecordError, UnicodeDecodeError) as error:
                self._set_aside(path, error)

    def _set_aside(self, path: Path, error: Exception) -> None:
        folder = self.records / "damaged"
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
        self.damaged.append(f"{path.name}: {error}; set aside in {folder}, its job runs again")


def write_synced(path: Path, content: bytes) -> None:
    """Write and wait until the content is on disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def new_attempt() -> str:
    """A name that no other execution has."""
    return uuid.uuid4().hex[:12]
