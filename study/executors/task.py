"""What a process is handed to run one job: small, picklable, and free of torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from study.records.record import Record
from study.records.store import Key
from vlf.config import RunConfig


@dataclass(frozen=True)
class Task:
    """One training job, made ready by the plan.

    Attributes:
        name: Shown to a person: "variant=VLF, seed=0".
        key: Names its records.
        config: The run.
        seed: Its seed.
        device: "cpu" or "cuda".
        root: The results folder.
        attempt: Unique name of this execution.
        estimate_s: Expected time, for the view of what is left.
        gpu: Index of the GPU it has to itself, or of the first of several; None on CPU.
        slurm: Settings that its levels put over `run.slurm`.
        loaders: `run.loaders`; not in the config, since it can change no number.
        tensorboard: `run.tensorboard`; neither.
        examples: `run.examples`, as `loaders`.
    """

    name: str
    key: Key
    config: RunConfig
    seed: int
    device: str
    root: Path
    attempt: str
    estimate_s: float
    gpu: int | None = None
    slurm: Mapping[str, object] = field(default_factory=dict)
    loaders: int | None = None
    tensorboard: bool = False
    examples: tuple[int, ...] = ()


@dataclass(frozen=True)
class Event:
    """Something that happened to a task, for the live view.

    Attributes:
        task: Its name; "" of a note.
        what: "started", "epoch", "ended", or "note": `reason` is told to the person.
        done: Epochs done.
        total: Epochs in all.
        status: Of "ended": "done" or "failed".
        reason: Of a failure.
    """

    task: str
    what: str
    done: int = 0
    total: int = 0
    status: str = ""
    reason: str = ""


Notify = Callable[[Event], None]
RunJob = Callable[[Task, Notify], Record]
