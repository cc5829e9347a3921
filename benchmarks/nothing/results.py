"""Results folders with made-up records, for benchmarks of the command and of the report."""

import dataclasses
import hashlib
import io
from pathlib import Path

import numpy as np

from benchmarks.shared import plan_study
from study.executors.task import Clock, failed_record
from study.plan.planner import Plan, task_of
from study.records.record import Artifact, Measurement, Record
from study.records.store import Store

EPOCHS = 16
CLASSES = 10
ROUNDS = 40
ARCHITECTURES = {
    "VLF": "{name: vlf, backbone: tiny, width: 32, heads: 2}",
    "no g": "{name: vlf, backbone: tiny, width: 32, heads: 2, spatial_depth: 0}",
    "pooled": "{name: vlf, backbone: tiny, width: 32, heads: 2, spatial_depth: 0, pool: frame}",
    "deep": "{name: vlf, backbone: tiny, width: 32, heads: 2, spatiotemporal_depth: 3}",
    "TSN": "{name: tsn, backbone: tiny}",
    "TSM": "{name: tsm, backbone: tiny}",
    "TimeSformer": "{name: timesformer, patch: 8, width: 32, depth: 1, heads: 2}",
    "TimeSformer 2": "{name: timesformer, patch: 8, width: 32, depth: 2, heads: 2}",
    "ViViT": "{name: vivit, patch: 8, width: 32, heads: 2}",
    "ViViT 64": "{name: vivit, patch: 8, width: 64, heads: 2}",
}


def write_study(folder: Path, cells: int) -> Path:
    """Ten architectures, ten learning rates, and as many seeds of the data as it takes."""
    variants = "".join(f"    {name}: {{model: {text}}}\n" for name, text in ARCHITECTURES.items())
    rates = ", ".join(f"{one}e-4" for one in range(1, 11))
    path = folder / "scale.yaml"
    path.write_text(
        "question: How long does a plan take?\n"
        "base: {data: {name: motion, frames: 4, size: 32}}\n"
        f"factors:\n  variant:\n{variants}  train.lr: [{rates}]\n"
        f"  data.seed: [{', '.join(map(str, range(cells // 100)))}]\n"
        "run: {device: cpu}\nreport: {baseline: {variant: VLF}}\n",
        "utf-8",
    )
    return path


def empty_record(task):
    """A record that nothing was measured for."""
    return dataclasses.replace(failed_record(task, Clock(), ""), status="done")


def fill(path: Path, clips: int, results: Path) -> None:
    """Records of every job, with artifacts of so many test clips, or without any.

    They are not synced, which is not what is timed.
    """
    plan, store = plan_study(path, results)
    store.records.mkdir(parents=True, exist_ok=True)
    (store.root / "artifacts").mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for number, job in enumerate(plan.train):
        top1 = 30 + 50 * (number // 3 % 97) / 97 + rng.normal()
        record = empty_record(task_of(plan, job, store.root))
        arrays = {"curves": curves(top1), "predictions": answers(rng, top1, clips)} if clips else {}
        artifacts = {kind: save(store, f"{job.key.name}.{kind}", x) for kind, x in arrays.items()}
        record = dataclasses.replace(record, measurements=accuracy(top1), artifacts=artifacts)
        write(store, record)
    for job in {job.key.name: job for job in plan.cost}.values():
        write(store, cost_record(plan, store, job, rng))


def write(store: Store, record: Record) -> None:
    """Under the name that the store gives it."""
    (store.records / record.file_name).write_text(record.to_json(), "utf-8")


def accuracy(top1: float) -> tuple[Measurement, ...]:
    """Of one seed."""
    test = {"split": "test", "views": 1}
    return (
        Measurement("top1", "%", "higher", (top1,), conditions=test),
        Measurement("top5", "%", "higher", (min(100.0, top1 + 15),), conditions=test),
        Measurement("training_time", "s", "lower", (60.0,)),
    )


def curves(top1: float) -> dict[str, np.ndarray]:
    """As training leaves them."""
    epoch = np.arange(1, EPOCHS + 1)
    grown = top1 * (1 - np.exp(-epoch / 4))
    loss = 2.3 * np.exp(-epoch / 8)
    names = ("val_top1", "train_top1"), ("val_loss", "train_loss")
    return {"epoch": epoch, **dict.fromkeys(names[0], grown), **dict.fromkeys(names[1], loss)}


def answers(rng: np.random.Generator, top1: float, clips: int) -> dict[str, np.ndarray]:
    """Scores that are right as often as `top1` says."""
    labels = np.arange(clips) % CLASSES
    chosen = np.where(rng.random(clips) < top1 / 100, labels, (labels + 1) % CLASSES)
    scores = np.eye(CLASSES, dtype=np.float32)[chosen]
    return {"scores": scores, "labels": labels, "classes": np.array(list("abcdefghij"))}


def cost_record(plan: Plan, store: Store, job, rng: np.random.Generator) -> Record:
    """Timed side by side with all others."""
    measurements = [
        Measurement("parameters", "1", "lower", (float(rng.integers(10**5, 10**6)),)),
        Measurement("macs", "MAC", "lower", (float(rng.integers(10**7, 10**8)),)),
    ]
    for metric, better in (("latency", "lower"), ("throughput", "higher")):
        for size in (1, 8):
            samples = tuple(map(float, rng.normal(10 * size, 0.2, ROUNDS)))
            at = {"batch_size": size, "mode": "eager"}
            rounds = tuple(range(ROUNDS))
            measurements.append(Measurement(metric, "ms", better, samples, None, at, rounds))
    return dataclasses.replace(
        empty_record(task_of(plan, plan.train[0], store.root)),
        kind="cost", identity=job.key.identity, seed=None, config=job.key.config,
        fingerprint=job.key.fingerprint, timing_run="run", measurements=tuple(measurements),
    )  # fmt: skip


def save(store: Store, name: str, arrays: dict[str, np.ndarray]) -> Artifact:
    """A file that a record names."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path = f"artifacts/{name}.npz"
    (store.root / path).write_bytes(buffer.getvalue())
    return Artifact(path, hashlib.sha256(buffer.getvalue()).hexdigest())
