"""Records of runs; with `Study`, the whole contract with `analysis`."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from study.records.metric_names import info_of
from study.records.schema import RECORD, NewerSchemaError

_SORTED = json.JSONEncoder(sort_keys=True, allow_nan=False)

Kind = Literal["train", "cost", "tune"]
Status = Literal["done", "reused", "skipped", "failed", "not run"]


class RecordError(ValueError):
    """A record's text is not what was written: torn or altered."""


@dataclass(frozen=True)
class Measurement:
    """One metric of one run, with every sample kept so that statistics can be redone.

    Attributes:
        metric: Registered name, such as "latency".
        unit: Unit of every sample ("ms", "MiB", "%"; "1" for a pure number).
        better: Which direction is an improvement; None where neither is.
        samples: At least one finite value.
        part: "f", "g", "h" or "head", "other"; None for the whole model.
        conditions: What the number holds under, such as {"batch_size": 8}.
        rounds: Timing round of each sample; empty where samples are not timings.

    Raises:
        ValueError: If a sample is NaN or infinite, or there is none.
    """

    metric: str
    unit: str
    better: Literal["lower", "higher"] | None
    samples: tuple[float, ...]
    part: str | None = None
    conditions: Mapping[str, str | int | float] = field(default_factory=dict)
    rounds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check the samples."""
        if not self.samples:
            raise ValueError(f"{self.metric}: has no sample")
        if not all(map(math.isfinite, self.samples)):
            raise ValueError(f"{self.metric}: not finite: {self.samples}")


@dataclass(frozen=True)
class Artifact:
    """A file that belongs to a record: its path under the results folder, and its digest."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Record:
    """One job's result, failed or not: a failure is a row, never a gap.

    Attributes:
        kind: "train": one cell and one seed; "cost": one architecture on one device; "tune": as
            "train", with values that tuning tries, and no number of the test split.
        identity: Full-length hash of all that can change the numbers (study/plan/identity.py).
        status: "done", or "failed" with `reason`.
        config: The full resolved config, defaults included, as plain JSON values.
        seed: Of a train record; None for a cost record.
        device: Device type, "cpu" or "cuda".
        fingerprint: Hash of the code that made it, torch and timm versions included.
        measurements: Empty when failed.
        environment: Hardware and software that the numbers belong to.
        attempt: Unique name of the execution that made it.
        started: ISO 8601, UTC.
        seconds: Wall-clock time of the attempt.
        reason: Why it failed, in one line.
        detail: Traceback or stack for the report's failure section.
        timing_run: Cost records made in one process, side by side, share it; else "".
        artifacts: Name ("predictions", "curves", "examples") -> npz file.
        notes: Remarks a reader of the number must see, such as operators that were not counted.
    """

    kind: Kind
    identity: str
    status: Literal["done", "failed"]
    config: Mapping[str, Any]
    seed: int | None
    device: str
    fingerprint: str
    measurements: tuple[Measurement, ...]
    environment: Mapping[str, str]
    attempt: str
    started: str
    seconds: float
    reason: str = ""
    detail: str = ""
    timing_run: str = ""
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """True if the attempt has its results."""
        return self.status == "done"

    @property
    def is_diverged(self) -> bool:
        """True if training ended in NaN or infinity (`DivergedError`), as it would again."""
        return self.status == "failed" and self.reason.startswith("diverged")

    @property
    def stem(self) -> str:
        """Start of the names of its job's files (study/records/store.py)."""
        return f"{self.identity}.{variant_of(self.fingerprint, self.config)}"

    @property
    def file_name(self) -> str:
        """The name of its file among the records of a results folder (study/records/store.py)."""
        name = f"{self.kind}-{self.stem}"
        if self.status == "failed":
            return f"{name}.failed-{self.attempt}.json"
        return f"{name}.{self.timing_run}.json" if self.kind == "cost" else f"{name}.json"

    def to_json(self) -> str:
        """Readable without this project, a field a line; carries its schema and its checksum."""
        values = {
            **vars(self),
            "schema": RECORD.present,
            "measurements": [vars(one) for one in self.measurements],
            "artifacts": {name: vars(one) for name, one in self.artifacts.items()},
        }
        fields = [f'"{name}": {_SORTED.encode(value)}' for name, value in sorted(values.items())]
        checksum = _digest("{" + ", ".join(fields) + "}")
        return ",\n".join([f'{{"checksum": "{checksum}"', *fields]) + "}"

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Inverse of `to_json`; an older schema is brought up to the present one.

        The checksum stands in every schema, and is that of all else in the text as it was written.

        Raises:
            RecordError: If the text is torn or was altered.
            NewerSchemaError: If it is whole, and of a later version of the project.
        """
        try:
            values = json.loads(text)
            checksum = values.pop("checksum")
            if not _is_as_written(text, checksum) and _checksum(values) != checksum:
                raise RecordError("its checksum does not match its content")
            values = RECORD.upgrade(values)
            values["measurements"] = tuple(_measurement(m) for m in values["measurements"])
            values["artifacts"] = {k: Artifact(**a) for k, a in values["artifacts"].items()}
            values["notes"] = tuple(values["notes"])
            return cls(**values)
        except (RecordError, NewerSchemaError):
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RecordError(f"not a whole record ({type(error).__name__})") from None


def measured(
    metric: str,
    samples: Sequence[float],
    part: str | None = None,
    conditions: Mapping[str, str | int | float] = MappingProxyType({}),
    rounds: Sequence[int] = (),
) -> Measurement:
    """A measurement with the unit and the better direction that the catalogue has for its metric.

    Raises:
        KeyError: If the metric is not in study/records/metric_names.py.
        ValueError: As `Measurement`.
    """
    info, values = info_of(metric), tuple(map(float, samples))
    return Measurement(
        metric, info.unit, info.better, values, part, dict(conditions), tuple(rounds)
    )


@dataclass(frozen=True)
class Outcome:
    """Final state of one planned job; planned = the sum over the five statuses.

    Attributes:
        kind: "train", "tune" or "cost"; a cost outcome stands for one cell (seed None).
        cell: Name of the cell, unique in the study ("variant=VLF, data.frames=8").
        levels: Factor -> label, in the study's order.
        numbers: Factor -> value, for those factors whose levels are all numbers.
        seed: None for cost.
        status: "done" in this run, "reused" from an earlier one, "skipped" (not asked for),
            "failed", or "not run".
        reason: Why it is failed, skipped or not run; else what a reader must know, or "".
        record: Of done, reused and (where one was written) failed outcomes.
        reference: Of a cost outcome: the baseline's record of the same timing run, which ratios
            are paired with.
        elsewhere: Of a cost outcome: what the same cell costs on other devices.
        tried: Of a tune outcome: dotted key -> label of the value that it tries.
        log: Path of the log of a failed attempt; "" without one.
    """

    kind: Kind
    cell: str
    levels: Mapping[str, str]
    numbers: Mapping[str, float]
    seed: int | None
    status: Status
    reason: str = ""
    record: Record | None = None
    reference: Record | None = None
    elsewhere: tuple["Elsewhere", ...] = ()
    tried: Mapping[str, str] = field(default_factory=dict)
    log: str = ""

    @property
    def is_done(self) -> bool:
        """True if its record has results, of this run or an earlier one."""
        return self.status in ("done", "reused")

    @property
    def is_failed(self) -> bool:
        """True if its last attempt failed."""
        return self.status == "failed"

    @property
    def is_diverged(self) -> bool:
        """True if it failed because training ended in NaN or infinity."""
        return self.is_failed and self.record is not None and self.record.is_diverged

    @property
    def job(self) -> str:
        """Shown to a person: "variant=VLF, train.lr=1e-3, seed=100"."""
        return job_name(self.cell, self.tried, self.seed)


def job_name(cell: str, tried: Mapping[str, str], seed: int | None) -> str:
    """Name of a job, unique among those of its kind in a study."""
    own = (*tried.items(), *(() if seed is None else (("seed", str(seed)),)))
    return ", ".join((cell, *(f"{name}={value}" for name, value in own)))


@dataclass(frozen=True)
class Elsewhere:
    """A cell's cost on another device than the study's: done or failed.

    Attributes:
        record: Made there.
        reference: The baseline's of the same timing run; None of a failed record.
        is_other_code: Whether its fingerprint is not that of this code and these libraries.
    """

    record: Record
    reference: Record | None
    is_other_code: bool


def variant_of(fingerprint: str, config: Mapping[str, Any]) -> str:
    """Short hash of the code and the full config: a changed default is another variant."""
    return variant_of_text(fingerprint, json.dumps(config, sort_keys=True))


def variant_of_text(fingerprint: str, text: str) -> str:
    """The same of a config that is JSON already, its keys sorted."""
    whole = f"[{json.dumps(fingerprint)}, {text}]"
    return _digest(whole)[:16]


def _measurement(values: dict[str, Any]) -> Measurement:
    samples, rounds = tuple(values.pop("samples")), tuple(values.pop("rounds"))
    return Measurement(**values, samples=samples, rounds=rounds)


def _checksum(values: Mapping[str, Any]) -> str:
    # Through JSON once, so that tuples and lists, 1 and 1.0 written alike, hash alike.
    return _digest(_SORTED.encode(values))


def _is_as_written(text: str, checksum: object) -> bool:
    """True if the text is byte for byte what `to_json` wrote: then it need not be written again.

    Of a record in another layout, as older versions wrote it, `_checksum` tells.
    """
    start = f'{{"checksum": "{checksum}",\n'
    # A line ends between two fields alone: inside of JSON's strings it would be written as \\n.
    return text.startswith(start) and (
        _digest("{" + text[len(start) :].replace(",\n", ", ")) == checksum
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
