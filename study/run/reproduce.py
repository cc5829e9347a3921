"""Train a record again from its stored config, and report differences.

The record holds its whole config, seed and device: no study file is needed, and none is trusted.
"""

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from rich.console import Console

from study.executors import executor_class
from study.executors.placement import Placement
from study.executors.task import Event, RunJob, Task
from study.plan.fingerprint import fingerprint_of
from study.plan.identity import file_digests, train_identity
from study.records.environment import resolve_device
from study.records.record import Record, RecordError
from study.records.schema import NewerSchemaError
from study.records.store import Key, new_attempt
from study.records.text_table import print_rows
from study.spec.study import StudyError
from vlf.config import ConfigError, RunConfig

Arrays = dict[str, NDArray[Any]]

CLOCKED = ("training_time", "feature_storage")  # no two runs agree on these, or need to
VOLATILE = ("load", "temperature", "clock", "hostname")  # of the environment; not worth a line


def reproduce(path: Path, run_job: RunJob, console: Console) -> int:
    """Train a record's run again in a temporary folder, and compare.

    Args:
        path: A train or tune record, in the `records` folder of its results folder.
        run_job: What runs a training job.
        console: Where it is told.

    Returns:
        0 if all numbers and predictions are the same, else 1.

    Raises:
        StudyError: If the file is no such record, or what it reads is not here or is not the same.
    """
    record = _read(path)
    config = _config_of(path, record)
    for line in _changes(record, config):
        console.print(f"since then: {line}", markup=False, soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        again = _run(path, record, config, Path(folder), run_job, console)
        if not again.is_done:
            console.print(f"it failed: {again.reason}", markup=False, soft_wrap=True)
            return 1
        same = _compare_numbers(record, again, console)
        was = _predictions(path.resolve().parents[1], record)
        same &= _compare_predictions(was, _predictions(Path(folder), again), console)
    for name in sorted({*record.environment, *again.environment} - {*VOLATILE}):
        then, now = (one.environment.get(name, "nothing") for one in (record, again))
        if then != now:
            console.print(f"{name}: {then} then, {now} now", markup=False, soft_wrap=True)
    return 0 if same else 1


def _read(path: Path) -> Record:
    try:
        record = Record.from_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise StudyError(f"--reproduce: {path}: cannot be read ({why})") from None
    except (RecordError, NewerSchemaError) as error:
        raise StudyError(f"--reproduce: {path}: {error}") from None
    if record.kind == "cost":
        say = "is of costs, which are timed anew with --cost-only and compared with --compare"
        raise StudyError(f"--reproduce: {path}: {say}")
    if not record.is_done:
        raise StudyError(f"--reproduce: {path}: has no result: {record.reason}")
    return record


def _config_of(path: Path, record: Record) -> RunConfig:
    try:
        config = RunConfig.model_validate(dict(record.config))
        digests = file_digests(config)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        say = f"this version does not read its config: {key}: {first['msg']}"
        raise StudyError(f"--reproduce: {path}: {say}; use the commit that made it") from None
    except ConfigError as error:
        raise StudyError(f"--reproduce: {path}: {error.key}: {error.message}") from None
    identity = train_identity(config, record.seed or 0, record.device, digests, record.kind)
    if identity != record.identity:
        say = (
            "what it reads (lists, videos or weights) is not what it was, or keys mean other things"
        )
        raise StudyError(f"--reproduce: {path}: {say}; its numbers cannot come back")
    if record.device == "cuda" and resolve_device("auto") != "cuda":
        raise StudyError(f"--reproduce: {path}: was made on a GPU, and there is none here")
    return config


def _changes(record: Record, config: RunConfig) -> list[str]:
    if fingerprint_of(config, record.kind) == record.fingerprint:
        return []
    return ["the code that this run uses, or torch or timm, has changed"]


def _run(
    path: Path, record: Record, config: RunConfig, root: Path, run_job: RunJob, console: Console
) -> Record:
    """Run in a fresh process, as the first time."""
    key = Key(record.kind, record.identity, fingerprint_of(config, record.kind), record.config)
    seed, device = record.seed or 0, record.device
    task = Task(path.stem, key, config, seed, device, root, new_attempt(), 0.0)
    gpus = tuple(range(config.train.processes)) if device == "cuda" else ()
    placement = Placement(1, config.train.threads, gpus[:1])

    def notify(event: Event) -> None:
        if event.what == "epoch":
            console.print(f"epoch {event.done} of {event.total}", highlight=False)

    ((_, again),) = executor_class("process")().train([task], run_job, placement, notify)
    return again


def _compare_numbers(record: Record, again: Record, console: Console) -> bool:
    rows = []
    found = [
        {" ".join(filter(None, (m.metric, m.part))): m.samples for m in one.measurements}
        for one in (record, again)
    ]
    same = True
    for name in dict.fromkeys(name for one in found for name in one):
        if name in CLOCKED:
            continue
        values = [one.get(name) for one in found]
        equal = values[0] == values[1]
        same &= equal
        shown = ["nothing" if v is None else ", ".join(f"{x:.10g}" for x in v) for v in values]
        rows.append((name, *shown, "same" if equal else "differs"))
    print_rows(("metric", "record", "again", "result"), rows, console)
    return same


def _predictions(root: Path, record: Record) -> Arrays | None:
    """None where the record has none, or its file is gone."""
    artifact = record.artifacts.get("predictions")
    if artifact is None or not (root / artifact.path).is_file():
        return None
    with np.load(io.BytesIO((root / artifact.path).read_bytes()), allow_pickle=False) as arrays:
        return dict(arrays)


def _compare_predictions(was: Arrays | None, now: Arrays | None, console: Console) -> bool:
    if was is None or now is None:
        if now is not None:
            console.print("its predictions are not here, and cannot be compared")
        return True
    same = was.keys() == now.keys()
    for name in (one for one in was if one.endswith("scores") and one in now):
        then, again = was[name], now[name]
        if then.shape != again.shape:
            console.print(f"{name}: {then.shape} then, {again.shape} now", highlight=False)
            same = False
            continue
        if not np.isfinite(then).all():
            console.print(f"{name}: then not finite: the run diverged", highlight=False)
            same = False
            continue
        equal = np.array_equal(then, again)
        same &= equal
        if equal:
            console.print(f"{name} of {len(then):,} test clips: the same, bit for bit")
            continue
        others = int((then.argmax(axis=1) != again.argmax(axis=1)).sum())
        most = float(np.abs(then - again).max())
        console.print(
            f"{name}: differ by up to {most:.1e}; {others:,} of {len(then):,} answers are others"
        )
    return same
