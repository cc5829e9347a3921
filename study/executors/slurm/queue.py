"""Queries to SLURM: job states by name, limits, cancelling. Made rarely, in bulk.

A job's name is unique for ever, its id is not: a controller that was killed may give an id away a
second time. So everything here goes by name and array index.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from study.executors.executor import ExecutorError

PENDING = (
    "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD",
    "SPECIAL_EXIT", "SUSPENDED", "STOPPED",
)  # fmt: skip
RUNNING = ("RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING")
TIMEOUT_S = 60


class ClusterError(ExecutorError):
    """SLURM is missing, does not answer, or refuses."""


@dataclass(frozen=True)
class JobState:
    """One array element.

    Attributes:
        state: SLURM's word, such as "RUNNING", "TIMEOUT".
        why: Of a pending one: SLURM's reason, such as "Priority".
        node: Where it runs or ran.
        job_id: For a person: "123_4".
    """

    state: str
    why: str = ""
    node: str = ""
    job_id: str = ""

    @property
    def is_live(self) -> bool:
        """True if it may still write a record."""
        return self.state in PENDING or self.state in RUNNING


States = Mapping[tuple[str, int], JobState]  # (job name, array index)


def check_slurm() -> None:
    """Refuse a machine without SLURM.

    Raises:
        ClusterError: If sbatch, srun or squeue is not on PATH.
    """
    missing = [name for name in ("sbatch", "srun", "squeue") if shutil.which(name) is None]
    if missing:
        raise ClusterError(
            f"slurm needs {', '.join(missing)} on PATH, and this machine has none; run it on a "
            "login node of a cluster, or say executor: process (--executor process)"
        )


def ask_queue() -> States:
    """Our jobs that SLURM's controller still knows, ended ones included for some minutes.

    Raises:
        ClusterError: If the controller does not answer: nothing is known then.
    """
    out = _ask("squeue", "-h", "-r", "-t", "all", "--me", "-o", "%j|%K|%T|%r|%N|%F")
    states = {}
    for line in out.splitlines():
        name, index, state, why, node, job = line.rsplit("|", 5)
        number = int(index) if index.isdigit() else 0
        job_id = f"{job}_{number}" if index.isdigit() else job
        states[name, number] = JobState(state, why, node, job_id)
    return states


def ask_accounting(names: Sequence[str]) -> States:
    """States of jobs that have left the queue; empty on a cluster without accounting."""
    if not names or shutil.which("sacct") is None:
        return {}
    fields = "JobName%100,JobID%40,State%30,NodeList%80"
    command = ("sacct", "-n", "-P", "-X", "-S", "now-30days", f"--name={','.join(names)}")
    try:
        out = _ask(*command, "-o", fields)
    except ClusterError:  # a cluster without accounting
        return {}
    states = {}
    for line in out.splitlines():
        name, job, state, node = line.rsplit("|", 3)
        index = re.fullmatch(r"\d+_(\d+)", job)
        word = state.split()[0] if state else "UNKNOWN"  # "CANCELLED by 1000"
        states[name, int(index[1]) if index else 0] = JobState(word, "", node, job)
    return states


def cancel(jobs: Sequence[str]) -> None:
    """Cancel jobs or array elements by id.

    Raises:
        ClusterError: If SLURM refuses.
    """
    if jobs:
        _ask("scancel", *jobs)


def max_array_size() -> int:
    """Elements that one array may have, on this cluster."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _ask("scontrol", "show", "config"), re.M)
    return max(1, int(found[1]) - 1) if found else 1000


def partitions() -> dict[str, float | None]:
    """Partition -> its time limit in minutes, None where it has none."""
    found = {}
    for line in _ask("sinfo", "-h", "-o", "%R|%l").splitlines():
        name, limit = line.strip().split("|")
        found[name] = minutes(limit)
    return found


def minutes(limit: str) -> float | None:
    """SLURM's time, "1-02:03:04", "02:03:04" or "03:04", in minutes; "infinite" is None."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if not found:
        return None
    days, hours, mins, seconds = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + mins + seconds / 60


@contextmanager
def clean_environment() -> Iterator[None]:
    """Remove the variables that an enclosing job would pass on to sbatch; SLURM_CONF stays.

    Otherwise a study started from inside a job asks for that job's resources.
    """
    taken = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith(("SLURM_", "SBATCH_", "SRUN_")) and name != "SLURM_CONF"
    }
    try:
        yield
    finally:
        os.environ.update(taken)


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"{command[0]} does not answer: {error}") from None
    if done.returncode:
        words = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise ClusterError(f"{command[0]}: {words[:300]}")
    return done.stdout
