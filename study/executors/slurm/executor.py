"""The executor of SLURM clusters. Loads submitit only to submit."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.executors.executor import Executor, Running, Submitted
from study.executors.placement import Placement
from study.executors.slurm import queue, status, submissions
from study.executors.slurm.submissions import ArraySlot, Request, find_slots
from study.executors.slurm.survey import survey_submissions
from study.executors.task import CostJob, Notify, RunJob, Task
from study.records.files import write_atomic
from study.records.store import Key, Store


class SlurmExecutor(Executor):
    """Job arrays on a cluster; the command may end, and its jobs run on."""

    title = "SLURM"
    is_remote = True
    folder = submissions.FOLDER

    @property
    def _slurm(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.settings.get("slurm", {})
        return found

    def place(self, threads: int, processes: int, device: str) -> Placement:
        """Resources of an array: its parallelism is the number of jobs at a time."""
        return Placement(int(self._slurm.get("array_parallelism", 1)), threads)

    def train(
        self, tasks: Sequence[Task], run_job: RunJob, placement: Placement, notify: Notify
    ) -> Running:
        """Submit what is not in the queue, and yield each record as it appears.

        With `detach` it returns after submission and yields nothing. Closing the iterator leaves
        the jobs in the queue: the next run attaches to them.
        """
        from study.executors.slurm.watch import submit_and_watch

        yield from submit_and_watch(
            tasks, run_job, self._request(placement.threads), self.detach, notify
        )

    def measure_costs(
        self, job: CostJob, placement: Placement, say: Callable[[str], None]
    ) -> Callable[[], str]:
        """Attach to a job that measures these costs, or submit one, with a node to itself."""
        from study.executors.slurm.submit import submit_cost_job

        queue.check_slurm()
        submission = status.find_cost_job(self.root, self.study, {*job.cells}, queue.ask_queue())
        if submission is None:
            submission = submit_cost_job(job, self._request(placement.threads))
            say(f"submitted costs as job {submission.job} ({submission.job_name})")
        slot = ArraySlot(submission, 0, 0, submission.packs[0][0])

        def wait() -> str:
            state = status.wait_for_cost_job(slot.submission)
            return status.reason_of_end(slot, state, self.root)

        return wait

    def check(self, tasks: Iterable[Task] = ()) -> None:
        """Refuse a machine without SLURM, and partitions that do not exist or end too early."""
        from study.executors.slurm.submit import check_needs

        check_needs(tasks, self._slurm)

    def status(self, keys: Sequence[Key]) -> dict[str, str]:
        """Pending, running or ended without a record, with job, node and log."""
        slots = find_slots(self.root, {key.stem for key in keys}) if keys else {}
        states, store = status.ask_states([*slots.values()]) if slots else {}, Store(self.root)
        return {
            key.name: line
            for key in keys
            if key.stem in slots and (line := status.describe(key, slots[key.stem], states, store))
        }

    def settle(self, tasks: Iterable[Task]) -> bool:
        """Write the failed records of tasks that began and ended while no command watched."""
        by_stem = {task.key.stem: task for task in tasks}
        slots = find_slots(self.root, {*by_stem}) if by_stem else {}
        if not slots:
            return False
        states, store = status.ask_states([*slots.values()]), Store(self.root)
        ended = [
            (by_stem[stem], slot)
            for stem, slot in slots.items()
            if not status.has_failed_record(by_stem[stem].key, slot, store)
            and status.has_begun(self.root, slot)
            and not ((state := states.get(slot.key)) is not None and state.is_live)
        ]
        for task, slot in ended:
            status.record_end(task, slot, states.get(slot.key))
        return bool(ended)

    def follow(self, function: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        """Submit a job that depends on all of this study's jobs; one that waits already is enough.

        Inside such a job, its own job does not count: it submits the next one.
        """
        from study.executors.slurm.submit import submit_follower

        states = queue.ask_queue()
        own = os.environ.get("SLURM_JOB_ID", "")
        live = [
            submission
            for submission in submissions.read_submissions(self.root)
            if submission.study == self.study and submission.job != own
            if any(
                name == submission.job_name and state.is_live for (name, _), state in states.items()
            )
        ]
        if not any(submission.kind == "plan" for submission in live):
            jobs = [submission.job for submission in live if submission.job]
            submit_follower(function, args, jobs, self._request(1))
        return True

    def cancel(self) -> int:
        """Cancel the jobs that this study has submitted, and no others."""
        queue.check_slurm()
        names = {
            submission.job_name
            for submission in submissions.read_submissions(self.root)
            if submission.study == self.study
        }
        live = [
            state.job_id
            for (name, _), state in queue.ask_queue().items()
            if name in names and state.is_live
        ]
        queue.cancel(live)
        return len(live)

    @classmethod
    def survey(cls, root: Path) -> Submitted:
        """Submissions that may be queued or running, and those that are over."""
        return survey_submissions(root)

    def device_model(self, device: str) -> str:
        """Model that the last cost job found where jobs with these settings run."""
        known = _read_device_models(self.root).get(self._place(device))
        return super().device_model(device) if known is None else known

    def note_device_model(self, device: str) -> None:
        """Keep the model for plans, which are made on another machine."""
        found = {self._place(device): super().device_model(device)}
        path = submissions.cluster_folder(self.root) / "devices.json"
        write_atomic(path, json.dumps(_read_device_models(self.root) | found))

    def _place(self, device: str) -> str:
        """The settings that decide on which model of device a job lands."""
        slurm = self._slurm
        return f"{device}|{slurm.get('partition') or ''}|{slurm.get('constraint') or ''}"

    def _request(self, threads: int) -> Request:
        return Request(self._slurm, self.study, self.root.resolve(), threads)


def _read_device_models(root: Path) -> dict[str, str]:
    path = submissions.cluster_folder(root) / "devices.json"
    found: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found
