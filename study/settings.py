"""The sections of a study file besides the run itself: cost, run, report. Pure pydantic."""

from typing import Annotated, Literal

from pydantic import Field

from vlf.config import Config


class CostConfig(Config):
    """The cost protocol (docs/measurement.md).

    Attributes:
        batch_sizes: Clips a batch; latency is quoted at the first, throughput at all.
        threads: Threads of the timed process on CPU.
        precision: "fp32" or "bf16" (autocast).
        rounds: Timing rounds; every round times each cell once, in a new random order.
        budget_s: Time a cell may take in total at one batch size; fewer rounds where it would
            take longer, at least 5.
        wait_policy: OpenMP wait policy of the timed process.
    """

    batch_sizes: list[Annotated[int, Field(ge=1, le=65_536)]] = Field([1, 8], min_length=1)
    threads: int = Field(1, ge=1, le=1024)
    precision: Literal["fp32", "bf16"] = "fp32"
    rounds: int = Field(40, ge=5, le=100_000)
    budget_s: float = Field(20.0, gt=0)
    wait_policy: Literal["passive", "active"] = "passive"


class SlurmSettings(Config):
    """What a SLURM job asks for; used by the slurm executor only."""

    partition: str | None = None
    gpus_per_node: int | None = Field(None, ge=0)
    cpus_per_task: int | None = Field(None, ge=1)
    mem_gb: float | None = Field(None, gt=0)
    timeout_min: int | None = Field(None, ge=1)


class RunSettings(Config):
    """Where and how jobs run: nothing here can change a result.

    Attributes:
        executor: "process", or "inline" for debugging.
        workers: Jobs at a time; None takes cores // train.threads, or one a GPU.
        device: "auto" takes CUDA where there is a driver; a job never falls back in silence.
        max_retries: Times that a failed cell is tried again by later plain runs.
        timeout_min: A training job is ended after so many minutes; None never.
    """

    executor: Literal["process", "inline"] = "process"
    workers: int | None = Field(None, ge=1, le=1024)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_retries: int = Field(1, ge=0, le=100)
    timeout_min: float | None = Field(None, gt=0)
    slurm: SlurmSettings = SlurmSettings()


class ReportConfig(Config):
    """What the report shows.

    Attributes:
        baseline: Levels of the cell that the others are compared with, such as {variant: VLF}:
            within each combination of the factors not named. Empty takes the first level of the
            first factor.
        tables: Names of tables; None makes all (analysis/tables).
        figures: Names of figures; None makes all that the study has data for (analysis/figures).
        title: Heading of the report; None takes the question.
    """

    baseline: dict[str, str | int | float | bool] = Field(default_factory=dict)
    tables: list[str] | None = None
    figures: list[str] | None = None
    title: str | None = None
