"""Run one training job: the one meeting of model, data and record."""

import hashlib
import io
import math
import platform
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from study.executors.placement import available_cores
from study.executors.stop import is_stop_requested
from study.executors.task import (
    Clock,
    Event,
    Notify,
    Task,
    failed_record,
    is_storage_error,
    reason_of,
    record_of,
)
from study.plan.identity import features_identity
from study.records.environment import snapshot
from study.records.metric_names import accuracies_of
from study.records.record import Artifact, Measurement, Record, measured
from study.records.store import Store
from vlf.checkpoint import DIGEST_BYTES
from vlf.data import Clips, Split, open_clips
from vlf.data.preparation.split_check import compare_splits
from vlf.evaluate import Predictions, evaluate
from vlf.examples import look_at
from vlf.features import stored_bytes
from vlf.train import StoppedError, Trained, train_model

AXES = ("epoch", "seconds")  # curves that are the axes of event files
MOST_LOADERS = 8  # of one GPU, where the study does not say


class NoDeviceError(RuntimeError):
    """The job asked for a device that is not there; it never goes on silently on another."""


def run_job(task: Task, notify: Notify) -> Record:
    """Train, evaluate on the test split once, and write the record, whatever happens.

    A failure of the job is its record; only what stops the process (a kill) raises.

    Raises:
        InterruptedError: If it was asked to stop (study/executors/stop.py); its checkpoint is kept.
        OSError: If the disk is full or read-only, which is no failure of this job.
    """
    clock = Clock()
    store = Store(task.root)
    try:
        measurements, artifacts, notes = _train_and_test(task, store, notify)
    except StoppedError as error:
        raise InterruptedError(str(error)) from None
    except Exception as error:
        if is_storage_error(error):
            raise
        failed = failed_record(task, clock, reason_of(error), traceback.format_exc())
        return store.add(task.key, failed)
    record = record_of(
        task,
        clock,
        "done",
        measurements=measurements,
        environment=snapshot(task.device),
        artifacts=artifacts,
        notes=notes,
    )
    return store.add(task.key, record)


def _train_and_test(
    task: Task, store: Store, notify: Notify
) -> tuple[tuple[Measurement, ...], Mapping[str, Artifact], tuple[str, ...]]:
    device = _device(task)
    checkpoints = store.checkpoints(task.key)
    loaders = loaders_of(task, device)
    resume_from = next((one for one in checkpoints if _is_whole(one)), None)
    test = open_clips(
        task.config.data, "test"
    )  # what is wrong with it ends the job before training
    trained = train_model(
        task.config,
        task.seed,
        device,
        checkpoint=store.attempt_folder(task.key, task.attempt) / "checkpoint.pt",
        resume_from=resume_from,
        on_epoch=lambda done, total: notify(Event(task.name, "epoch", done, total)),
        should_stop=is_stop_requested,
        loaders=loaders,
        features=_features(task),
    )
    curves = _save(task, store, "curves", {k: np.array(v) for k, v in trained.curves.items()})
    notes = _notes(checkpoints, resume_from) + trained.notes
    if task.key.kind == "tune":  # the test split has no say in what is chosen
        return _measure_training(trained), {"curves": curves}, notes
    model, clips = trained.reading(test, "test")
    answers = evaluate(model, clips, device, task.config.train.precision, loaders)
    artifacts = {
        "predictions": _save(task, store, "predictions", _prediction_arrays(answers)),
        "curves": curves,
    }
    if examples := look_at(trained.model, test, task.examples, device):
        artifacts["examples"] = _save(task, store, "examples", examples)
    notes += test.notes + answers.notes() + _split_notes(task, test)
    if task.tensorboard:
        notes += write_events(
            store.events_folder(task.key, task.attempt, task.name), trained.curves
        )
    return _measure(answers, trained), artifacts, notes


def _split_notes(task: Task, test: Clips) -> tuple[str, ...]:
    """Notes on clips that splits share, and on classes that training lacks."""
    data = task.config.data
    if not data.files():
        return ()
    opened: dict[Split, Clips] = {"test": test}
    opened |= {split: open_clips(data, split) for split in ("train", "val")}
    return compare_splits(opened, task.config.train.select, data.limit)


def _is_whole(checkpoint: Path) -> bool:
    """True if a checkpoint matches its digest."""
    try:
        with checkpoint.open("rb") as file:
            digest = file.read(DIGEST_BYTES)
            return hashlib.file_digest(file, "sha256").digest() == digest
    except FileNotFoundError:  # the job was done meanwhile
        return False


def _features(task: Task) -> Path | None:
    """Folder of the features of a frozen f, shared by all studies."""
    if not task.config.train.stored_views:
        return None
    return task.root / "features" / features_identity(task.config)


def _notes(checkpoints: Sequence[Path], used: Path | None) -> tuple[str, ...]:
    """Notes on earlier attempts."""
    if not checkpoints:
        return ()
    passed = checkpoints[: checkpoints.index(used)] if used else checkpoints
    damaged = tuple(f"the checkpoint of attempt {one.parent.name} was damaged" for one in passed)
    return (f"{len(checkpoints)} earlier attempt(s) left a checkpoint", *damaged)


def _device(task: Task) -> torch.device:
    if task.device != "cuda":
        return torch.device(task.device)
    if not torch.cuda.is_available():
        raise NoDeviceError(f"asked for a GPU and found none on {platform.node()}")
    return torch.device("cuda", task.gpu or 0)


def loaders_of(task: Task, device: torch.device) -> int:
    """Threads that load clips ahead; none for clips that are made and not read."""
    if not task.config.data.files():
        return 0
    if task.loaders is not None:
        return task.loaders
    if device.type == "cpu":
        return 0
    return min(MOST_LOADERS, available_cores() // max(1, torch.cuda.device_count()))


def _measure(answers: Predictions, trained: Trained) -> tuple[Measurement, ...]:
    test: dict[str, str | int | float] = {"split": "test", "views": answers.views}
    heads, found = answers.by_head(), []
    for metric in accuracies_of({name: len(head.classes) for name, head in heads.items()}):
        name, _, k = metric.rpartition("top")  # as "top1", "verb_top5"
        value = heads[name.removesuffix("_")].top(int(k)) if name else answers.top(int(k))
        found.append(measured(metric, (value,), conditions=test))
    return (*found, *_measure_training(trained))


def _measure_training(trained: Trained) -> tuple[Measurement, ...]:
    found = []
    at = trained.epoch - 1
    val_top1 = trained.curves["val_top1"][at]
    if np.isfinite(val_top1):
        found.append(measured("val_top1", (val_top1,), conditions={"split": "val"}))
    seconds = sum(trained.curves["seconds"])  # of all attempts, since curves are resumed too
    found.append(measured("training_time", (seconds,)))
    return (*found, *_measure_frozen(trained))


def _measure_frozen(trained: Trained) -> Iterator[Measurement]:
    """Trained parameters and disk space of features, for a frozen backbone."""
    parameters = list(trained.model.parameters())
    if all(one.requires_grad for one in parameters):
        return
    count = sum(one.numel() for one in parameters if one.requires_grad)
    yield measured("trained_parameters", (count,))
    if trained.frozen is not None and trained.frozen.store is not None:
        size = stored_bytes(trained.frozen.store) / 2**20
        yield measured("feature_storage", (size,))


def _prediction_arrays(answers: Predictions) -> dict[str, Any]:
    """Arrays by head, such as "verb_scores"; no prefix if there is one head."""
    arrays: dict[str, Any] = {}
    for name, head in answers.by_head().items():
        prefix = f"{name}_" if name else ""
        arrays[f"{prefix}scores"] = head.scores.numpy()
        arrays[f"{prefix}labels"] = head.labels.numpy()
        arrays[f"{prefix}classes"] = np.array(head.classes, dtype=np.str_)
    return arrays


def _save(task: Task, store: Store, name: str, arrays: Mapping[str, Any]) -> Artifact:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return store.add_artifact(task.key, task.attempt, name, buffer.getvalue())


def write_events(folder: Path, curves: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Write curves as TensorBoard event files, a value an epoch.

    Returns:
        Notes of the record: why there are no event files.
    """
    if find_spec("tensorboard") is None:
        return ("tensorboard is not installed where this job ran, so it left no event files",)
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    at_s = time.time() - sum(curves["seconds"])
    for row, epoch in enumerate(curves["epoch"]):
        at_s += curves["seconds"][row]
        values = [
            Summary.Value(tag=name, simple_value=column[row])
            for name, column in curves.items()
            if name not in AXES and math.isfinite(column[row])
        ]
        summary = Summary(value=values)
        writer.add_event(Event(wall_time=at_s, step=int(epoch), summary=summary))
    writer.close()
    return ()
