"""What a harness itself costs a job: ours beside Hydra, exca and submitit; the jobs do nothing.

    python -m pip install hydra-core==1.3.8 exca==0.6.0   # no requirement; what is missing is told
    python benchmarks/overhead.py                         # 200 jobs inline, 20 isolated, 5 rounds

Every way calls the same function once a job, one job after another, in a command of its own; rounds
are interleaved in random order. Told is the time from the end of the first job to the end of the
last, over their number less one: what is done once (imports, the first process) stands beside it as
start. Processor time is of the command alone, and so is told of ways in one process; other work on
the machine disturbs it less. Jobs of submitit and exca are asked every 5 ms whether they have
ended, since their own waiting sleeps a second. What a way does for its job, and whether that is on
disk, is in its row.
"""

import contextlib
import importlib.util
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from shared import machine, options, plan_empty, run_command, run_session

from benchmarks.nothing import nothing

POLL_S = 0.005


class Stamp(NamedTuple):
    """When a job ended, in s."""

    clock: float
    processor: float  # time of this process


Stamps = list[Stamp]


def stamp() -> Stamp:
    """Now."""
    return Stamp(time.perf_counter(), time.process_time())


def ours(executor: str, folder: Path, jobs: int) -> Stamps:
    """The session of run_study.py without costs, planned before the first job."""
    from rich.console import Console

    from benchmarks.nothing.job import run_nothing
    from study.run.session import Session

    class Watched(Session):
        """Takes the time of each outcome."""

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.ended = Stamped()

    class Stamped(dict):  # type: ignore[type-arg]
        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, value)
            stamps.append(stamp())

    stamps: Stamps = []
    plan, store = plan_empty(folder, executor, 1, jobs)
    with open(os.devnull, "w") as out:
        session = Watched(plan, store, Console(file=out))
        run_session(session, run_nothing)
    done = {outcome.status for outcome in session.outcomes()}
    assert done == {"done"}, done
    return stamps


def hydra_basic(folder: Path, jobs: int) -> Stamps:
    """Multirun with the basic launcher: one process."""
    import hydra

    stamps: Stamps = []

    @hydra.main(version_base="1.3", config_path=None)
    def app(config: Any) -> int:
        value = nothing(config.number)
        stamps.append(stamp())
        return value

    sys.argv = ["app", "-m", f"+number=range(0,{jobs})", f"hydra.sweep.dir={folder}/multirun"]
    app()
    return stamps


def exca(cluster: str | None, folder: Path, jobs: int) -> Stamps:
    """A task infrastructure with a folder; its cluster "local" is submitit's local executor."""
    from benchmarks.nothing.exca import Nothing

    stamps: Stamps = []
    for number in range(jobs):
        infra = {"folder": str(folder), "cluster": cluster}
        job = Nothing(number=number, infra=infra).infra.job()  # type: ignore[arg-type]
        while not job.done():
            time.sleep(POLL_S)
        assert job.result() == number
        stamps.append(stamp())
    return stamps


def submitit(cluster: str, folder: Path, jobs: int) -> Stamps:
    """Its executor for debugging is this process, "local" a fresh interpreter a job."""
    import submitit

    executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    stamps: Stamps = []
    for number in range(jobs):
        job = executor.submit(nothing, number)
        while cluster != "debug" and not job.done():
            time.sleep(POLL_S)
        assert job.result() == number  # of "debug": runs it
        stamps.append(stamp())
    return stamps


def sync_alone(folder: Path, jobs: int) -> Stamps:
    """What the disk takes to keep a file of a record's size."""
    content = b"x" * 2000
    stamps: Stamps = []
    for number in range(jobs):
        with open(folder / str(number), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        stamps.append(stamp())
    return stamps


class Way(NamedTuple):
    """One row of the table."""

    run: Callable[[Path, int], Stamps]
    is_isolated: bool
    package: str  # that it needs
    does: str  # for each job


WAYS = {
    "sync alone": Way(sync_alone, False, "", "2 kB, written and synced: what the disk takes"),
    "ours, inline": Way(
        partial(ours, "inline"), False, "", "lease; record of config and result, synced"
    ),
    "Hydra, basic launcher": Way(
        hydra_basic, False, "hydra", "composes a config; four files; no result, no sync"
    ),
    "exca, no cluster": Way(
        partial(exca, None), False, "exca", "hashes a config; YAML and pickled result; no sync"
    ),
    "submitit, debug": Way(
        partial(submitit, "debug"), False, "submitit", "log file; no result, no sync"
    ),
    "ours, process": Way(
        partial(ours, "process"), True, "", "as inline, in a forked process with torch imported"
    ),
    "exca, local": Way(partial(exca, "local"), True, "exca", "as inline, in submitit's local job"),
    "submitit, local": Way(
        partial(submitit, "local"), True, "submitit", "fresh interpreter; pickle; no sync, no torch"
    ),
}


def main() -> int:
    """Measure and print."""
    jobs = {"jobs": (200, "of a way in one process"), "isolated": (20, "in processes of their own")}
    parser = options(__doc__, **jobs, rounds=5)
    parser.add_argument("--way", choices=WAYS, help="run one way alone, and print its times")
    args = parser.parse_args()
    if args.way:
        run_alone(args.way, args.jobs)
        return 0
    say_machine()
    ways = [name for name, way in WAYS.items() if is_here(name, way)]
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for number in range(args.rounds):
        for name in random.Random(number).sample(ways, len(ways)):
            jobs = args.isolated if WAYS[name].is_isolated else args.jobs
            found[name].append(run_apart(name, jobs))
    print(
        f"{'way':24}{'ms a job':>10}{'least':>9}{'most':>9}{'processor':>11}{'start (s)':>11}"
        "  what it does a job"
    )
    for name, values in found.items():
        each, own, start = ([one[part] for one in values] for part in range(3))
        own_ms = "-" if WAYS[name].is_isolated else f"{statistics.median(own):.2f}"
        print(
            f"{name:24}{statistics.median(each):10.2f}{min(each):9.2f}{max(each):9.2f}"
            f"{own_ms:>11}{statistics.median(start):11.2f}  {WAYS[name].does}"
        )
    return 0


def is_here(name: str, way: Way) -> bool:
    """Whether the package of a way is installed; says so if not."""
    if way.package and importlib.util.find_spec(way.package) is None:
        print(f"{name}: {way.package} is not installed")
        return False
    return True


def say_machine() -> None:
    """Print where and with what."""
    versions = []
    for package in ("hydra-core", "exca", "submitit"):
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{package} {version(package)}")
    print(machine(), *versions, sep=", ", flush=True)


def run_apart(name: str, jobs: int) -> tuple[float, float, float]:
    """A way as a command: ms a job, of these of processor time, s until the first had ended."""
    start = time.time()
    done = run_command(__file__, "--way", name, "--jobs", jobs)
    first, each, own = json.loads(done.stdout.splitlines()[-1])
    return 1e3 * each, 1e3 * own, first - start


def run_alone(name: str, jobs: int) -> None:
    """Print when the first job had ended (s since the epoch), and what each other took (s)."""
    clock = time.time() - time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        stamps = WAYS[name].run(Path(folder), jobs)
    assert len(stamps) == jobs
    each = [(stamps[-1][part] - stamps[0][part]) / max(1, jobs - 1) for part in range(2)]
    print(json.dumps([clock + stamps[0].clock, *each]))


if __name__ == "__main__":
    sys.exit(main())
