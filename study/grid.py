"""Study -> cells -> jobs. Pure: no files, no clock, no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from study.settings import CostConfig
from vlf.config import RunConfig


@dataclass(frozen=True)
class Cell:
    """One combination of levels, with the run it resolves to.

    Attributes:
        levels: Factor -> label, in the study's order of factors.
        numbers: Factor -> value, for factors whose levels are all numbers.
        config: The validated run.
        slurm: Settings of `run.slurm` that a level changes; outside the identity.
    """

    levels: Mapping[str, str]
    numbers: Mapping[str, float]
    config: RunConfig
    slurm: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique in the study: "variant=VLF, data.frames=8", or "base" without factors."""
        return ", ".join(f"{k}={v}" for k, v in self.levels.items()) or "base"


@dataclass(frozen=True)
class TrainJob:
    """One cell and one seed."""

    cell: Cell
    seed: int
    device: str


@dataclass(frozen=True)
class CostJob:
    """All architectures to time side by side; the baseline's among them."""

    cells: tuple[Cell, ...]
    protocol: CostConfig
    device: str
