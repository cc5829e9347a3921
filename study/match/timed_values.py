"""Values that `match` has chosen by timing: a file for each, by all that it is a question of.

    scaled/latency-<hash>.json    value, ratio with its interval, what was tried, samples, device

The device is not in the name: a study has one model a cell, wherever it is run. It is in the file,
and shown. So are the samples, from which the ratio can be taken again. The first one written stays.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from study.plan.fingerprint import code_fingerprint, registered
from study.plan.identity import architecture_digests
from study.records.files import write_synced
from study.records.record import Reached
from study.records.store import new_attempt
from study.spec.grid import Cell
from study.spec.match import Scale
from study.spec.settings import CostConfig
from vlf.config import ConfigError

VERSION = 1


@dataclass(frozen=True)
class Tried:
    """One value as it was timed beside the target.

    Attributes:
        value: Of the key.
        ratio: Median over rounds of its latency as a multiple of the target's; None where it could
            not be run.
        low: Lower end of the 95 % interval of the ratio; None where there is none.
        high: Upper end, alike.
        run: Which timing run, from 0; ratios of one run compare.
        reason: Why it could not be run.
    """

    value: int
    ratio: float | None
    low: float | None = None
    high: float | None = None
    run: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Timed:
    """A value that was chosen.

    Attributes:
        value: Of the key.
        reached: How near it came, and where.
        tried: Every value of every timing run, in the order of time.
        samples_ms: "value" and "target" -> latency by timing round, of the run that decided.
        environment: Of the process that timed.
    """

    value: int
    reached: Reached
    tried: tuple[Tried, ...]
    samples_ms: Mapping[str, Mapping[int, float]]
    environment: Mapping[str, str]


def path_of(root: Path, cell: Cell, scale: Scale, target: Cell, protocol: CostConfig) -> Path:
    """The file of a cell's value: of its architecture less the key, the target, and the protocol.

    The cell is as it was before it was scaled. Rounds, budget and further batch sizes make a timing
    surer and no other; the code of the two architectures and torch's version are in it.
    """
    rest = {**_architecture(cell), scale.field: None}
    names = registered("vlf.models", "MODELS")
    modules = sorted({names[one.config.model.name] for one in (cell, target)})
    asked = {
        "version": VERSION,
        "cell": [rest, scale.field, scale.low, scale.high, _clip(cell), _digests(cell)],
        "target": [_architecture(target), _clip(target), _digests(target)],
        "code": code_fingerprint(tuple(modules)),
        "batch_size": protocol.batch_sizes[0],
        "mode": protocol.modes[0],
        **{name: getattr(protocol, name) for name in ("threads", "precision", "wait_policy")},
    }
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return root / "scaled" / f"latency-{digest}.json"


def read_timed(path: Path) -> Timed | None:
    """What was chosen; None if nothing was, or the file is damaged."""
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if values.pop("checksum") != _checksum(values):
            return None
        samples = {
            name: {int(round_): ms for round_, ms in by_round.items()}
            for name, by_round in values["samples_ms"].items()
        }
        tried = tuple(Tried(**one) for one in values["tried"])
        reached = Reached(**values["reached"])
        return Timed(int(values["value"]), reached, tried, samples, values["environment"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_timed(path: Path, timed: Timed) -> None:
    """Write a value down, unless another command has: the first one stays.

    Raises:
        OSError: If the folder cannot be written.
    """
    if read_timed(path) is not None:
        return
    values = json.loads(json.dumps(asdict(timed)))
    content = json.dumps({**values, "checksum": _checksum(values)}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{new_attempt()}")
    write_synced(draft, content.encode())
    os.replace(draft, path)


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _architecture(cell: Cell) -> dict[str, Any]:
    return cell.config.model.untrained().model_dump(mode="json")


def _clip(cell: Cell) -> list[int]:
    return [cell.config.data.frames, cell.config.data.size, cell.config.data.classes]


def _digests(cell: Cell) -> dict[str, str]:
    try:
        return architecture_digests(cell.config.model)
    except ConfigError:  # of a file that is not here; what cannot be built is not timed
        return {}
