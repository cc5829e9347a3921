"""What the harness itself costs at scale: plan, status and report of many cells, empty jobs.

    python benchmarks/scale.py                # 10,000 cells, ten architectures; 3 rounds
    python benchmarks/scale.py --cells 1000 --jobs 500 --reported 200

Each command is a process of its own. Its time is split into what importing torch takes, counting
the ten architectures, and the harness, in processor time, which other work disturbs less. A
finished study is run again to its report: its records hold curves and predictions
(benchmarks/report.py). Empty jobs write a whole record and do nothing else, in a session as
run_study.py has it: one after another in the command's process (inline), and each in a process of
its own; afterwards open files, processes and memory are compared with those before.
"""

import gc
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

from shared import ROOT, machine, options, plan_empty, run_command, run_session

from benchmarks.nothing.results import empty_record, fill, write_study

MEASURED = """
import json, os, sys, time
sys.path.insert(0, {root!r})
began = time.process_time()
spent = {{"torch": 0.0, "count": 0.0, "plan": 0.0}}

def watch(module, name, part):
    function = getattr(module, name)
    def timed(*arguments):
        start = time.process_time()
        try:
            return function(*arguments)
        finally:
            spent[part] += time.process_time() - start
    setattr(module, name, timed)

if {loads_torch}:
    import study.plan.preflight, study.run.cost, study.run.train
    spent["torch"] = time.process_time() - began
    watch(study.plan.preflight, "count_model", "count")
import run_study, study.run.prepare
watch(study.run.prepare, "prepare", "plan")
sys.stdout = open(os.devnull, "w")
code = run_study.main({argv!r})
spent["all"] = time.process_time() - began
print(json.dumps(spent), file=sys.stderr)
sys.exit(code)
"""


def main() -> int:
    """Measure and print."""
    args = options(
        __doc__,
        cells=(10_000, "a multiple of 100"),
        jobs=(10_000, "empty jobs, inline"),
        reported=(2000, "cells run again; 0: none"),
        rounds=3,
    ).parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder), args.cells)
        for option in ("--plan", "--status"):
            measure_command(study, option, args.rounds, f"{args.cells:,} cells, nothing run")
        fill(study, 0, study.parent / "results")
        measure_command(study, "--status", args.rounds, f"{args.cells:,} cells, all done")
        if args.reported:
            (Path(folder) / "reported").mkdir()
            reported = write_study(Path(folder) / "reported", args.reported)
            fill(reported, 200, reported.parent / "results")
            measure_command(reported, "", 1, f"{args.reported:,} cells, all done")
        measure_jobs("inline", Path(folder) / "inline", args.jobs)
        measure_jobs("process", Path(folder) / "process", max(1, args.jobs // 20))
    return 0


def measure_command(study: Path, option: str, rounds: int, what: str) -> None:
    """Print the medians of a command; a plain run without an option."""
    argv = [str(study), *filter(None, [option]), "--results", str(study.parent / "results")]
    code = MEASURED.format(root=str(ROOT), loads_torch=option == "--plan", argv=argv)
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        done = run_command("-c", code, codes=range(3))
        wall = time.perf_counter() - start
        found.append({**json.loads(done.stderr.splitlines()[-1]), "wall": wall})
    median = {name: statistics.median(one[name] for one in found) for name in found[0]}
    own = median["all"] - median["torch"] - median["count"]
    print(
        f"{option or 'run'}, {what}: {median['wall']:.2f} s; of processor time, importing torch "
        f"{median['torch']:.2f} s, counting {median['count']:.2f} s, the harness {own:.2f} s, of "
        f"which until the plan is there {median['plan']:.2f} s",
        flush=True,
    )


def measure_jobs(executor: str, folder: Path, jobs: int) -> None:
    """Print what empty jobs cost, and what they leave behind."""
    from rich.console import Console

    from study.run.session import Session

    folder.mkdir()
    plan, store = plan_empty(folder, executor, 2, jobs)
    gc.collect()
    files, memory = open_files(), memory_mib()
    start = time.perf_counter()
    with open(os.devnull, "w") as out:
        session = Session(plan, store, Console(file=out))
        run_session(session, end_at_once)
    wall = time.perf_counter() - start
    after, kept = memory_mib(), sum(one.status == "done" for one in session.outcomes())
    session.ended.clear()  # what the report will read
    gc.collect()
    # Python's own helpers live as long as this process.
    helpers = resource_tracker._resource_tracker._pid, forkserver._forkserver._forkserver_pid
    left = children() - set(helpers)
    print(
        f"{jobs:,} empty jobs, {executor}: {1e3 * wall / jobs:.1f} ms a job, {kept:,} done; "
        f"open files {files} -> {open_files()}, processes left {len(left)}, "
        f"memory {memory:.0f} -> {after:.0f} MiB, {memory_mib():.0f} without the outcomes",
        flush=True,
    )


def end_at_once(task, notify):
    """A job that writes its record, synced to disk, and nothing else."""
    from study.records.store import Store

    return Store(task.root).add(task.key, empty_record(task))


def open_files() -> int:
    """Of this process."""
    return len(os.listdir("/proc/self/fd")) - 1


def memory_mib() -> float:
    """Resident now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def children() -> set[int]:
    """Processes of this one that live."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(map(int, path.read_text().split()))


if __name__ == "__main__":
    sys.exit(main())
