"""The contract of executors; what is not abstract is right for jobs on this machine."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from study.executors.placement import Placement, default_workers
from study.executors.task import CostJob, Notify, RunJob, Task
from study.records.environment import device_model, visible_gpus
from study.records.record import Record
from study.records.store import Key

Running = Generator[tuple[Task, Record], None, None]


class ExecutorError(RuntimeError):
    """The place where jobs run is missing, does not answer, or refuses; a line for a person."""


@dataclass(frozen=True)
class Submitted:
    """Jobs of a results folder that outlive their commands.

    Attributes:
        who: A line for each that may be queued or running.
        stems: Stems of their keys.
        ended: Folder of a submission that is over -> stems of its keys.
        code: Folder with the code of queued jobs.
    """

    who: tuple[str, ...] = ()
    stems: frozenset[str] = frozenset()
    ended: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    code: Path | None = None


class Executor(ABC):
    """A place where the jobs of one study run.

    Attributes:
        title: Name of the place in messages.
        is_remote: Jobs run on other machines and outlive the command.
        folder: Name of its folder in a results folder; "" if it has none.
        settings: The section `run` of the study, as plain values.
        study: Absolute path of the study file.
        root: The results folder.
        detach: Return when all jobs are submitted.
    """

    title: ClassVar[str] = "this machine"
    is_remote: ClassVar[bool] = False
    folder: ClassVar[str] = ""

    def __init__(
        self,
        settings: Mapping[str, Any] = MappingProxyType({}),
        study: str = "",
        root: Path = Path("results"),
        detach: bool = False,
    ) -> None:
        self.settings, self.study, self.root, self.detach = settings, study, root, detach

    @abstractmethod
    def train(
        self, tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
    ) -> Running:
        """Run tasks; yield each with its record as it ends.

        Raises:
            ExecutorError: If the place refuses the tasks.
            OSError: If the results folder cannot be written.
        """

    def measure_costs(
        self, job: CostJob, placement: Placement, say: Callable[[str], None]
    ) -> Callable[[], str] | None:
        """Measure the missing costs, or submit a job that does.

        Returns:
            None if all are measured; else a function that waits for the end of the job, and
            returns the reason of a cost that has no record then.

        Raises:
            ExecutorError: If the place refuses the job.
        """
        job.measure_here()
        return None

    def place(self, threads: int, processes: int, device: str) -> Placement:
        """Jobs at a time and the resources of each; `threads` and `processes`: of the largest."""
        gpus = visible_gpus() if device == "cuda" else 0
        slots = max(1, gpus // processes) if gpus else 0  # groups of GPUs
        workers = self.settings.get("workers") or default_workers(threads * processes, slots)
        minutes = self.settings.get("timeout_min")
        # More jobs than GPUs share them in turn; a job's first index is taken from this pool.
        pool = [index % slots * processes for index in range(workers)] if gpus else []
        return Placement(workers, threads, tuple(pool), None if minutes is None else minutes * 60)

    def check(self, tasks: Iterable[Task] = ()) -> None:  # noqa: B027  # nothing to check here
        """Refuse settings, and needs of tasks, that the place can never meet.

        Raises:
            ExecutorError: With the setting that is wrong.
        """

    def status(self, keys: Sequence[Key]) -> dict[str, str]:
        """Name of a key -> state of its job, for jobs without a record that the place knows.

        Raises:
            ExecutorError: If the place does not answer.
        """
        return {}

    def settle(self, tasks: Iterable[Task]) -> bool:
        """Write failed records of tasks that ended while no command watched; True if any did.

        Raises:
            ExecutorError: If the place does not answer.
        """
        return False

    def follow(self, function: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        """Have the place call a function when the submitted jobs have ended; False if it cannot.

        Raises:
            ExecutorError: If the place does not answer or refuses.
        """
        return False

    def cancel(self) -> int:
        """Cancel the jobs of this study that outlived their command; returns their number.

        Raises:
            ExecutorError: If the place does not answer or refuses.
        """
        return 0

    @classmethod
    def survey(cls, root: Path) -> Submitted:
        """Submitted jobs of a results folder, of every study."""
        return Submitted()

    def device_model(self, device: str) -> str:
        """Model of the device that costs are measured on."""
        return device_model(device)

    def note_device_model(self, device: str) -> None:  # noqa: B027  # commands run here
        """Keep the model of this machine's device, where commands run on another machine."""
