"""Studies that a results folder knows: `studies/` holds all that is needed to plan them again.

    studies/<name>.<variation>.json     text of the study file and its parents; how it was run
    studies/since                       when the folder began to keep them, if it had records then

`variation` hashes what makes other jobs of the same file: its path, `--set`, the device. A study
that is edited and run again replaces its file; to forget a study, delete it. Read by gc and export;
no run depends on it. No torch.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from study.records.files import write_atomic
from study.spec.study import Study, StudyError, load_study

SCHEMA = 1
FOLDER = "studies"
SINCE = "since"
TREE = "ablations"  # the folder that names of reports are told from


def _check_name(name: str) -> str:
    """Refuse a name of a file that would leave the folder that it is put in."""
    if "\0" in name or {"", ".", ".."} & {*name.split("/")}:
        raise ValueError("leaves its folder")
    return name


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Kept:
    """A study as it was run.

    Attributes:
        path: Absolute path of the study file on the machine that ran it.
        main: Its name among `files`, and so the name of its report.
        files: Name -> text of the study file and of those that it extends, whose names refer to
            each other as the files did.
        digest: `Study.digest` of these texts.
        overrides: Values of `--set`.
    """

    path: str
    main: str
    files: Mapping[Annotated[str, AfterValidator(_check_name)], str]
    digest: str
    overrides: tuple[str, ...]
    quick: bool
    device: Annotated[str, Field(pattern="^(cpu|cuda)$")]

    @property
    def parts(self) -> tuple[str, ...]:
        """The name of its report: ("kinetics", "tsm")."""
        return _after_tree(PurePosixPath(self.main)) or (PurePosixPath(self.main).stem,)

    @property
    def file_name(self) -> str:
        """Name in the folder of studies."""
        told = json.dumps([self.path, self.overrides, self.device])
        short = re.sub(r"[^\w.-]", "_", ".".join(self.parts), flags=re.ASCII)[:100]
        return f"{short}.{hashlib.sha256(told.encode()).hexdigest()[:8]}.json"

    def load(self, folder: Path) -> Study:
        """The study, its files written to a folder and read there.

        Raises:
            StudyError: If this version does not read it, or it is not what was kept.
        """
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        try:
            study = load_study(folder / self.main, self.overrides, self.quick)
        except StudyError as error:
            raise StudyError(str(error).replace(f"{folder}{os.sep}", "")) from None
        if study.digest != self.digest:
            raise StudyError(f"{self.main}: is not the text that was run")
        return study


def report_parts(study: Path) -> tuple[str, ...]:
    """`ablations/a/b.yaml` -> ("a", "b"); a file elsewhere goes by its own name."""
    return _after_tree(study.resolve()) or (study.stem,)


def _after_tree(path: PurePath) -> tuple[str, ...]:
    *folders, name = path.with_suffix("").parts
    if TREE not in folders:
        return ()
    after = len(folders) - folders[::-1].index(TREE)
    return (*folders[after:], name)


def kept_of(study: Study, device: str) -> Kept:
    """Content of the file in `studies/` for a study."""
    main = f"{TREE}/{'/'.join(report_parts(study.path))}{study.path.suffix}"
    names = [main, *(_beside(main, study.path, path) for path in list(study.texts)[1:])]
    # Files above the folder that names are told from: it is put as deep as that takes.
    up = "up/" * max(name.split("/").count("..") for name in names)
    names = [os.path.normpath(up + name) for name in names]
    files = dict(zip(names, study.texts.values(), strict=True))
    path = str(study.path.resolve())
    return Kept(path, names[0], files, study.digest, study.overrides, study.quick, device)


def _beside(main: str, study: Path, path: Path) -> str:
    """A file's name from that of the study file, as `path` lies from it."""
    from_study = os.path.relpath(path, study.parent)
    return os.path.normpath(os.path.join(os.path.dirname(main), from_study))


def keep_study(study: Study, device: str, root: Path) -> None:
    """Keep a study that is run in a results folder; its earlier version is replaced.

    Raises:
        OSError: If the folder cannot be written.
    """
    write_kept(kept_of(study, device), root)


def write_kept(kept: Kept, root: Path) -> None:
    """Write a kept study into a results folder, whole."""
    folder = root / FOLDER
    content = json.dumps({"schema": SCHEMA, **asdict(kept)}, indent=1).encode()
    path = folder / kept.file_name
    if path.is_file() and path.read_bytes() == content:
        return
    folder.mkdir(parents=True, exist_ok=True)
    is_first = not known_studies(root) and not (folder / SINCE).exists()
    if is_first and any((root / "records").glob("*.json")):
        write_atomic(folder / SINCE, datetime.now(UTC).isoformat(timespec="seconds"))
    write_atomic(path, content)


def read_since(root: Path) -> datetime | None:
    """Time when a folder with records began to keep studies; None if it always did."""
    try:
        return datetime.fromisoformat((root / FOLDER / SINCE).read_text("utf-8").strip())
    except FileNotFoundError:
        return None
    except ValueError:  # damaged: nothing is known of the time before now
        return datetime.now(UTC)


def read_kept(path: Path) -> Kept:
    """A study that was kept.

    Raises:
        StudyError: If the file is not what was written.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"{path}: is no whole file ({type(error).__name__})") from None
    return kept_from(values, str(path))


def kept_from(values: Any, where: str) -> Kept:
    """A study from plain JSON values.

    Raises:
        StudyError: If they are not what `write_kept` writes.
    """
    if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
        raise StudyError(f"{where}: is of another version, or no study")
    try:
        kept = TypeAdapter(Kept).validate_json(json.dumps(values))
    except ValidationError:
        raise StudyError(f"{where}: is not a study as it is kept") from None
    if kept.main not in kept.files:
        raise StudyError(f"{where}: is not a study as it is kept")
    return kept


def known_studies(root: Path) -> Sequence[Path]:
    """The files of the studies that a results folder knows."""
    return sorted((root / FOLDER).glob("*.json"))


def study_of_same_report(study: Path, root: Path) -> str:
    """Another study file, still there, whose report lies where this one's would; "" if none."""
    path, parts = study.resolve(), report_parts(study)
    for file in known_studies(root):
        try:
            kept = read_kept(file)
        except StudyError:  # damaged: housekeeping says so
            continue
        other = Path(kept.path)
        if kept.parts != parts or other == path or not other.is_file() or _same(other, path):
            continue
        own = other.parent / root.name  # of a study whose results were copied here
        if not own.is_dir() or own.samefile(root):
            return kept.path
    return ""


def _same(one: Path, other: Path) -> bool:
    return one.samefile(other) or one.read_bytes() == other.read_bytes()


def load_known(path: Path) -> tuple[Kept, list[Study]]:
    """A kept study and what it is to plan: as it was run, and as its file is now, if it is there.

    Raises:
        StudyError: If either cannot be read.
    """
    kept = read_kept(path)
    with tempfile.TemporaryDirectory() as folder:
        found = [kept.load(Path(folder))]
    present = Path(kept.path)
    if present.is_file():
        now = load_study(present, kept.overrides, kept.quick)
        if now.digest != kept.digest:
            found.append(now)
    return kept, found
