"""The sections of a study file besides the run itself: cost, run, report. Pure pydantic."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from study.executors import EXECUTORS
from vlf.config import Config

Mode = Literal[
    "eager", "channels_last", "medium", "bf16", "fp16", "compile", "freeze", "onnx"
]  # study/measure/metrics/modes.py

T = TypeVar("T", bound=int | float | str)


def _refuse_duplicates(values: list[T]) -> list[T]:
    for at, value in enumerate(values):
        if value in values[:at]:
            raise ValueError(f"duplicate {value}")
    return values


Distinct = Annotated[list[T], AfterValidator(_refuse_duplicates)]


class CostConfig(Config):
    """The cost protocol (docs/measurement.md).

    Attributes:
        batch_sizes: Clips a batch; latency is quoted at the first, throughput at all.
        threads: Threads of the timed process on CPU.
        precision: "fp32" or "bf16" (autocast).
        modes: How the model is run: "eager", "channels_last", "medium" (matmul precision), "bf16",
            "fp16", "compile", "freeze" (compiled, weights as constants), "onnx". Latency is quoted
            in the first; the others stand beside it in a table of their own.
        rounds: Timing rounds; every round times each cell once, in a new random order.
        sweep_to: Measure throughput at batches of 1, 2, 4, ... up to this size, beside the rest; it
            ends earlier where memory does, or where a size would take longer than `budget_s`. None
            sweeps nothing.
        budget_s: Time a cell may take in total at one batch size; fewer rounds where it would
            take longer, at least 5.
        wait_policy: OpenMP wait policy of the timed process.
    """

    batch_sizes: Distinct[Annotated[int, Field(ge=1, le=65_536)]] = Field([1, 8], min_length=1)
    threads: int = Field(1, ge=1, le=1024)
    precision: Literal["fp32", "bf16"] = "fp32"
    modes: Distinct[Mode] = Field(["eager"], min_length=1)
    rounds: int = Field(40, ge=5, le=100_000)
    sweep_to: int | None = Field(None, ge=1, le=65_536)
    budget_s: float = Field(20.0, gt=0)
    wait_policy: Literal["passive", "active"] = "passive"


class HalfWidth(Config):
    """A precision: half width of the 95 % confidence sequence of each effect, in points."""

    half_width: float = Field(gt=0, le=100)


class Race(Config):
    """`seeds: {from: 3, to: 20}`: seeds added until the claims are decided (docs/statistics.md).

    Attributes:
        start: Seeds 0, 1, ... that every cell gets.
        end: Seeds that a cell gets at most.
        until: "claims": until each claim is decided or futile; or a precision of each effect.
        budget_hours: Training hours, as records have them, after which no seed is added; the next
            seed then goes where evidence grows fastest by the hour. None sets no limit.
    """

    start: int = Field(alias="from", ge=2, le=1000)
    end: int = Field(alias="to", ge=2, le=1000)
    until: Literal["claims"] | HalfWidth = "claims"
    budget_hours: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _check_order(self) -> "Race":
        if self.end <= self.start:
            raise ValueError(f"to: must be more than from ({self.start}), got {self.end}")
        return self


class SlurmSettings(Config):
    """Resources of a SLURM job (docs/slurm.md); used by the slurm executor only.

    Attributes:
        partition: One, or several separated by commas.
        account: As sbatch takes it; so are `qos`, `constraint` and `exclude`.
        gpus_per_node: GPUs of a job.
        cpus_per_task: Cores of a job.
        mem_gb: Memory of a job, in GiB.
        timeout_min: Limit of a job; None is 60. A job that reaches it goes on in a new one.
        max_timeouts: So often; then its cell fails.
        signal_delay_s: How long before the limit training is told to write its checkpoint; None is
            a tenth of the limit, from 10 s to 120 s.
        array_parallelism: Jobs of an array that run at a time.
        cells_per_job: Short cells run one after another in one job.
        setup: Lines of shell before Python starts, such as "module load cuda".
        options: Any other option of sbatch by its own name, such as {reservation: video}.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    gpus_per_node: int | None = Field(None, ge=0)
    cpus_per_task: int | None = Field(None, ge=1)
    mem_gb: float | None = Field(None, gt=0)
    timeout_min: int | None = Field(None, ge=1)
    max_timeouts: int = Field(10, ge=0, le=1000)
    signal_delay_s: int | None = Field(None, ge=1)
    array_parallelism: int = Field(256, ge=1)
    cells_per_job: int = Field(1, ge=1, le=1000)
    setup: list[str] = Field(default_factory=list)
    options: dict[str, str | int | bool] = Field(default_factory=dict)


RESOURCES = "run.slurm"  # the section of `run` that a level may change
ResourceSettings = SlurmSettings


class RunSettings(Config):
    """Settings of where and how jobs run; they cannot change a result.

    Attributes:
        executor: "process"; "inline" for debugging; "slurm" for a cluster.
        workers: Jobs at a time; None takes cores // train.threads, or one a GPU.
        device: "auto" takes CUDA where there is a driver, and always under the slurm executor; a
            job never falls back in silence.
        max_retries: Times that a failed cell is tried again by later plain runs.
        timeout_min: A training job is ended after so many minutes; None never.
        loaders: Threads of a training process that decode real video ahead of the step; None takes
            none on CPU, whose cores are training, and the cores a GPU, at most 8, beside one.
        tensorboard: Write the curves of each job that is trained as a TensorBoard event file, too
            (the extra `tensorboard`); of jobs that were done before there is none.
        examples: Test clips, by number from 0, whose frames (at most 64 pixels a side) and
            attention of h each training run keeps, once it is over, for the figures `clips` and
            `attention`. Those that the split does not have are left out; `[]` keeps none.
    """

    executor: Literal[tuple(EXECUTORS)] = "process"  # type: ignore[valid-type]
    workers: int | None = Field(None, ge=1, le=1024)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_retries: int = Field(1, ge=0, le=100)
    timeout_min: float | None = Field(None, gt=0)
    loaders: int | None = Field(None, ge=0, le=256)
    tensorboard: bool = False
    examples: Distinct[Annotated[int, Field(ge=0)]] = Field([0, 1, 2, 3], max_length=32)
    slurm: SlurmSettings = SlurmSettings()


class ViewConfig(Config):
    """One drawing of the report's page, kept under a name; made and saved there.

    Attributes:
        name: What its button says.
        figure: Points with intervals in both directions, or bars of y with intervals.
        x: A metric: "macs", "latency" (at the first batch size), "latency@8", "latency compile@8",
            "latency to baseline"; not used by bars.
        y: A metric, as x.
        log: The axes that are logarithmic.
        device: The device whose costs are shown, as the report calls it; None takes the first.
        variants: Levels to show, such as "VLF" or "data.frames=8"; a factor that has none here is
            shown with all its levels. As `load_study` leaves them: all "factor=label".
    """

    name: str = Field(min_length=1, max_length=80)
    figure: Literal["scatter", "bars"] = "scatter"
    x: str = "macs"
    y: str = "top1"
    log: Distinct[Literal["x", "y"]] = Field(default_factory=list)
    device: str | None = None
    variants: Distinct[str | int | float] = Field(default_factory=list)


class ReportConfig(Config):
    """Contents of the report.

    Attributes:
        baseline: Levels of the cell that the others are compared with, such as {variant: VLF}:
            within each combination of the factors not named. Empty takes the first level of the
            first factor.
        tables: Names of tables; None makes all (analysis/tables).
        figures: Names of figures; None makes all that the study has data for (analysis/figures).
        title: Heading of the report; None takes the question.
        views: Drawings of the page that have a button there.
        style: Width of figures: "single" fits each into a column of a two-column paper (3.3 in),
            "double" gives each both columns (6.9 in), "auto" what it needs.
    """

    baseline: dict[str, str | int | float | bool] = Field(default_factory=dict)
    tables: Distinct[str] | None = None
    figures: Distinct[str] | None = None
    title: str | None = None
    views: list[ViewConfig] = Field(default_factory=list, max_length=100)
    style: Literal["auto", "single", "double"] = "auto"
