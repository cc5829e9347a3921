"""Inputs and outputs of a metric, and the ways in which metrics are run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from study.records.record import Measurement, measured
from study.spec.settings import CostConfig

Conditions = dict[str, str | int | float]

PARTS = ("f", "g", "h", "head")  # names of a model's children; what is in none of them is "other"


@dataclass(frozen=True)
class Subject:
    """A built model in eval mode and one clip, on one device.

    Attributes:
        name: The cell that it stands for.
        model: Called as `model(clip)`.
        clip: (1, T, 3, H, W), normalised values.
    """

    name: str
    model: nn.Module
    clip: Tensor

    @property
    def clip_label(self) -> str:
        """The clip's shape as conditions show it: "8x3x32x32"."""
        return "x".join(map(str, self.clip.shape[1:]))

    def conditions(self, batch_size: int, precision: str, **more: str) -> Conditions:
        """Conditions of a measurement of this subject."""
        at: Conditions = {"batch_size": batch_size, "clip": self.clip_label}
        return at | {"precision": precision, **more}


@dataclass(frozen=True)
class Reading:
    """Result of one metric for one subject.

    Attributes:
        measurements: Of the whole model and of its parts.
        notes: What a reader of the numbers must see.
    """

    measurements: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def join(cls, readings: Iterable["Reading"]) -> "Reading":
        """All measurements and notes, in their order."""
        several = list(readings)
        return cls(
            tuple(one for reading in several for one in reading.measurements),
            tuple(note for reading in several for note in reading.notes),
        )


class Watch:
    """Told what a metric is at, so that a crash has a culprit; this one keeps nothing."""

    def at(self, subject: str) -> None:
        """Called before each call of a subject's model; must cost nothing beside it."""

    def stage(self, text: str) -> None:
        """Called a few times a minute, for the person who waits."""


@dataclass(frozen=True)
class Count:
    """A metric of one subject alone; no clock."""

    measure: Callable[[Subject], Reading]


@dataclass(frozen=True)
class SideBySide:
    """A timing of all subjects in one process; readings by the subjects' names."""

    measure: Callable[[Sequence[Subject], CostConfig, Watch], Mapping[str, Reading]]


@dataclass(frozen=True)
class Derived:
    """A metric computed from what was measured before, subject by subject."""

    measure: Callable[[Sequence[Measurement]], Reading]


@dataclass(frozen=True)
class Isolated:
    """A metric that builds its subject itself, in a fresh process for every batch size.

    Attributes:
        measure: Given the builder and one batch size.
        title: Said while it runs, and of what it could not measure.
        batch_sizes: In the order in which they are measured.
        why_stop: Given a reading, protocol and device: why the next size is not tried, or "".
        is_needed: Whether a process that fails has failed the cell; else it leaves a note, and
            larger batches are not tried.
    """

    measure: Callable[[Callable[[], Subject], int, CostConfig], Reading]
    title: str
    batch_sizes: Callable[[CostConfig], Sequence[int]] = lambda protocol: protocol.batch_sizes
    why_stop: Callable[[Reading, CostConfig, str], str] = lambda reading, protocol, device: ""
    is_needed: bool = True


Metric = Count | SideBySide | Derived | Isolated


@dataclass(frozen=True)
class Counts:
    """Numbers counted without running a model.

    Attributes:
        parameters: Part -> learnable values.
        macs: Part -> multiply-accumulates of one clip, one view.
        notes: Operators without a formula, and other remarks on the MACs.
    """

    parameters: Mapping[str, int]
    macs: Mapping[str, int]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class ModuleCount:
    """One module of a model.

    Attributes:
        name: Dotted, from the model: "h.blocks.0".
        kind: Its class.
        parameters: Learnable values in it.
        macs: Multiply-accumulates of one clip, one view, while it runs.
    """

    name: str
    kind: str
    parameters: int
    macs: int


def first_line(error: BaseException, empty: str = "no message") -> str:
    """The first line of an error's text, cut at 200 characters."""
    return next(iter(str(error).strip().splitlines()), empty)[:200]


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, detached."""
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    return {name: tensor.detach() for name, tensor in tensors.items()}


def part_of(name: str, model: nn.Module) -> str:
    """The part that a dotted parameter or module name is in: "f.stem.weight" -> "f"."""
    first, dot, _ = name.partition(".")
    inside = first in PARTS and (bool(dot) or isinstance(getattr(model, first, None), nn.Module))
    return first if inside else "other"


def parts_of(model: nn.Module) -> tuple[str, ...]:
    """The parts that a model has as children, in the order of a forward pass."""
    children = {name for name, _ in model.named_children()}
    return tuple(part for part in PARTS if part in children)


def measure_parts(
    metric: str, by_part: Mapping[str, int], conditions: Mapping[str, str | int | float]
) -> tuple[Measurement, ...]:
    """A total and its parts, as one `Measurement` each."""
    values: dict[str | None, int] = {None: sum(by_part.values())} | dict(by_part)
    return tuple(measured(metric, (n,), part, conditions) for part, n in values.items())
