"""The store of records: `results/records/`, shared by all studies.

One file a record, written whole and never changed; no lock, no index, so many writers on a
shared file system do not wait for each other and a reader never sees half a record.

    records/train-<identity>.<variant>.json                 done; the first complete one wins
    records/train-<identity>.<variant>.failed-<attempt>.json
    records/tune-...                                        as train; validation only
    records/cost-<identity>.<variant>.<timing run>.json
    records/damaged/                                        set aside, named in a warning
    artifacts/<identity>.<variant>.<attempt>.<name>.npz     predictions, curves
    artifacts/<identity>.<variant>.<attempt>.tensorboard/   event files, where they were asked for
    artifacts/damaged/                                      set aside, named in a warning
    attempts/<identity>.<variant>/<attempt>/                checkpoints and logs of unfinished jobs
    features/                                               of frozen backbones (vlf/features.py)
    leases/                                                 who is at what (lease.py)
    scaled/                                                 what `match` chose (match/cells.py)
    studies/                                                of these results (plan/known_studies.py)

`identity` is the job (study/plan/identity.py); `variant` the code and the full config that made it.
"""

import contextlib
import hashlib
import os
import re
import shutil
import uuid
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from study.records.files import sync_entries, write_atomic, write_synced
from study.records.record import Artifact, Kind, Record, RecordError, variant_of
from study.records.schema import NewerSchemaError

# Of a results folder; a study's report has a folder of its own there.
STORE_FOLDERS = (
    "records", "artifacts", "attempts", "leases", "scaled", "features", "studies", "quick"
)  # fmt: skip


@dataclass(frozen=True)
class Key:
    """Key of a job's records.

    Attributes:
        kind: "train", "cost" or "tune".
        identity: Full-length hash of what can change the numbers.
        fingerprint: Hash of the code that makes them.
        config: The full config as plain JSON values.
    """

    kind: Kind
    identity: str
    fingerprint: str
    config: Mapping[str, Any]

    @cached_property
    def variant(self) -> str:
        """Short hash of the code and the full config: a changed default is another variant."""
        return variant_of(self.fingerprint, self.config)

    def with_variant(self, variant: str) -> "Key":
        """This key, its variant known and not to be worked out."""
        self.__dict__["variant"] = variant  # where cached_property looks for it
        return self

    @property
    def stem(self) -> str:
        """Start of the names of this job's files."""
        return f"{self.identity}.{self.variant}"

    @property
    def name(self) -> str:
        """Start of the names of its records; of its lease too."""
        return f"{self.kind}-{self.stem}"


class Store:
    """The records under one results folder.

    Attributes:
        root: The results folder; made when something is written, not before.
        damaged: A line for each file that was set aside.
        newer: A line for each record of no planned job that a later version of the project wrote.
            Of a planned job, it raises NewerSchemaError: to run the job over it would lose it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: list[str] = []
        self.newer: list[str] = []
        self._names: dict[tuple[str, str], list[str]] | None = None

    @property
    def records(self) -> Path:
        """The folder of the records."""
        return self.root / "records"

    def refresh(self) -> None:
        """Forget the listing of the folder: others may have written."""
        self._names = None

    def find(self, key: Key) -> Record | None:
        """The complete record of a train job, if there is one now; lists no folder."""
        return next(self._load([f"{key.name}.json"]), None)

    def done(self, key: Key) -> list[Record]:
        """Complete records of exactly this job, code and config; the newest last."""
        names = [one for one in self._of(key) if ".failed-" not in one and key.variant in one]
        return self._read(names)

    def failed(self, key: Key) -> list[Record]:
        """Failed attempts of exactly this job, code and config since the last `forgive`."""
        names = [
            name
            for name in self._of(key)
            if ".failed-" in name and ".forgiven" not in name and key.variant in name
        ]
        return self._read(names)

    def others(self, key: Key) -> list[Record]:
        """Complete records of the same job made by other code or under other defaults."""
        names = [one for one in self._of(key) if ".failed-" not in one and key.variant not in one]
        return self._read(names)

    def has_finite_validation(self, record: Record) -> bool:
        """True if no validation loss is NaN beside an accuracy, as code before this check left."""
        artifact = record.artifacts.get("curves")
        if artifact is None or not (path := self.root / artifact.path).is_file():
            return True
        import numpy as np  # not for every command

        try:
            with np.load(path, allow_pickle=False) as curves:
                loss, top1 = curves["val_loss"], curves["val_top1"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # told by who reads them
            return True
        return bool((np.isfinite(loss) | ~np.isfinite(top1)).all())

    def all_done(self) -> list[Record]:
        """Complete records of every job, whatever code made them; the newest last."""
        return self._read([name for name in self._listing() if ".failed-" not in name])

    def costs(self) -> list[Record]:
        """Cost records of every job and device, failed ones too; the newest last."""
        names = [name for name in self._listing() if name.startswith("cost-")]
        return self._read(names, is_beside=True)

    def sample(self, kind: Kind, most: int) -> list[Record]:
        """Some complete records of a kind: which of them is by chance, and the same each time."""
        names = (name for name in self._listing() if name.startswith(f"{kind}-"))
        chosen = sorted(name for name in names if ".failed-" not in name)[:most]
        return list(self._load(chosen, is_beside=True))

    def add(self, key: Key, record: Record) -> Record:
        """Write a record and wait until it is on disk.

        The log of a failed attempt ends in its traceback and reason; a job that is done leaves no
        checkpoints and logs.

        Returns:
            The record that counts: an earlier one if this job was done meanwhile by another.
        """
        self.records.mkdir(parents=True, exist_ok=True)
        name = key.name
        if record.status == "failed":
            name += f".failed-{record.attempt}"
            self._complete_log(record)
        elif key.kind == "cost":
            name += f".{record.timing_run}"
        path = self.records / f"{name}.json"
        draft = self.records / f".{record.attempt}-{uuid.uuid4().hex[:8]}.draft"
        try:
            write_synced(draft, record.to_json().encode())
            record = self._publish(draft, path, record)
            sync_entries(self.records)
        finally:
            draft.unlink(missing_ok=True)
        self.refresh()
        if record.status == "done":
            self.clear_attempts(key)
        return record

    def log_of(self, record: Record) -> str:
        """Path of the log of the attempt that a record is of; "" if there is none."""
        path = self.log_path(record.stem, record.attempt)
        return str(path) if path.is_file() else ""

    def log_path(self, stem: str, attempt: str) -> Path:
        """Path of the log of an attempt."""
        return self.root / "attempts" / stem / attempt / "log.txt"

    def _complete_log(self, record: Record) -> None:
        path = self.log_path(record.stem, record.attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        output = path.read_text("utf-8", errors="replace") if path.exists() else ""
        detail = "" if record.detail in output else f"{record.detail.rstrip()}\n"
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{detail}{record.reason}\n")

    def _publish(self, draft: Path, path: Path, record: Record) -> Record:
        """Give a draft its name; if there is a whole record of that name, that one counts."""
        with contextlib.suppress(FileExistsError):  # the first complete record wins
            os.link(draft, path)
            return record
        if (first := next(self._load([path.name]), None)) is not None:
            return first
        os.link(draft, path)  # the one of that name was damaged, and is set aside now
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
        path = write_atomic(folder / f"{key.stem}.{attempt}.{name}.npz", content)
        sync_entries(folder)
        digest = hashlib.sha256(content).hexdigest()
        return Artifact(str(path.relative_to(self.root)), digest)

    def events_folder(self, key: Key, attempt: str, job: str) -> Path:
        """Folder of the event files of one attempt; TensorBoard shows its last part."""
        shown = re.sub(r"[^\w =,.+-]", "_", job)[:100].strip(". ")
        return self.root / "artifacts" / f"{key.stem}.{attempt}.tensorboard" / (shown or "job")

    def attempt_folder(self, key: Key, attempt: str) -> Path:
        """Folder of the checkpoint of one attempt, which no other attempt writes to."""
        return self.root / "attempts" / key.stem / attempt

    def checkpoints(self, key: Key) -> list[Path]:
        """Checkpoints that earlier or other attempts of a job left, the newest first."""
        found = []
        for path in (self.root / "attempts" / key.stem).glob("*/checkpoint.pt"):
            with contextlib.suppress(FileNotFoundError):  # the job was done meanwhile
                found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found, reverse=True)]

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

    def _read(self, names: Sequence[str], is_beside: bool = False) -> list[Record]:
        """The whole ones of these, the newest last."""
        found = self._load(names, is_beside) if names else ()
        return sorted(found, key=lambda record: record.started)

    def _load(self, names: Iterable[str], is_beside: bool = False) -> Iterator[Record]:
        """Records that can be read; with `is_beside` newer ones are passed over, else they raise.

        Raises:
            NewerSchemaError: With the path.
        """
        folder = str(self.records)
        for name in names:
            try:
                with open(f"{folder}/{name}", "rb", buffering=0) as file:
                    content = file.read()
                yield Record.from_json(content.decode("utf-8"))
            except FileNotFoundError:  # renamed by another process since the listing
                continue
            except NewerSchemaError as error:
                if not is_beside:
                    raise NewerSchemaError(f"{self.records / name}: {error}") from None
                line = f"{name}: passed over: {error}"
                self.newer += [] if line in self.newer else [line]
            except (RecordError, UnicodeDecodeError) as error:
                self._set_aside(self.records / name, error)

    def strike(self, record: Record, name: str) -> None:
        """Set a train record aside with a file of it that is damaged, so that its job runs again.

        Args:
            record: A complete one, of this store.
            name: Of the artifact.
        """
        key = Key(record.kind, record.identity, record.fingerprint, record.config)
        file = self.root / record.artifacts[name].path
        why = f"its {name} are damaged ({_move_to_damaged(file)})"
        self._set_aside(self.records / f"{key.name}.json", why)
        self.refresh()

    def _set_aside(self, path: Path, why: object) -> None:
        self.damaged.append(f"{path.name}: {why}; {_move_to_damaged(path)}, its job runs again")


def _move_to_damaged(path: Path) -> str:
    """Move a file out of the way; says where it is."""
    folder = path.parent / "damaged"
    try:
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    except FileNotFoundError:  # another command was first
        pass
    except OSError as error:
        return f"{path} cannot be set aside: {error.strerror}"
    return f"set aside in {folder}"


def new_attempt() -> str:
    """A name that no other execution has."""
    return uuid.uuid4().hex[:12]
