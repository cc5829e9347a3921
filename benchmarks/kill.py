"""Is anything lost or doubled when processes are killed? SIGKILL at random points of a real run.

    python benchmarks/kill.py --kills 200 --minutes 30

A study is run once undisturbed. Then it is run in another folder and killed, again and again: the
command with all its processes, the command alone, or one of the processes that it started; at a
random time, or at the moment that a file is being written. After every few kills one more plain
run has to finish it: every cell recorded once, with the accuracy and predictions, byte for byte, of
the undisturbed run. Then the folder is deleted and it starts anew.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from shared import ROOT, options, run_command

import numpy as np

STUDY = """\
question: What is left after a kill?
base:
  data: {name: motion, frames: 4, size: 32, train_clips: 160, val_clips: 16, test_clips: 32}
  model: {name: vlf, width: 16, heads: 2, spatial_depth: 0, spatiotemporal_depth: 1, dropout: 0.1}
  train: {epochs: 8, batch_size: 16}
factors:
  variant: {VLF: {}, TSN: {model: {name: tsn}}}
seeds: [0, 1]
cost: {batch_sizes: [1], rounds: 5}
run: {max_retries: 100, workers: 2, device: cpu}
report: {baseline: {variant: VLF}, figures: [], tables: []}
"""

WHO = ("all", "command", "child")
WHEN = ("time", "write")
Answers = dict[tuple[str, int], tuple[float, str]]


def main() -> int:
    """Kill, check, print; 1 if anything was lost, doubled or changed."""
    args = options(
        __doc__,
        kills=200,
        minutes=(30.0, "stop after so long"),
        each=(5, "kills before a run must finish"),
        seed=0,
    ).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return kill_and_check(Path(folder), args.kills, args.minutes, args.each, args.seed)


def kill_and_check(folder: Path, kills: int, minutes: float, each: int, seed: int) -> int:
    """The number of faults found, at most 1 as an exit code; prints what was done."""
    rng, deadline = random.Random(seed), time.monotonic() + 60 * minutes
    study = folder / "killed.yaml"
    study.write_text(STUDY, "utf-8")
    started = time.monotonic()
    finish(study, folder / "undisturbed")
    whole_s = time.monotonic() - started
    truth = read_answers(folder / "undisturbed")
    done: Counter[str] = Counter()
    faults: list[str] = []
    while done.total() < kills and time.monotonic() < deadline:
        results = folder / "killed"
        for _ in range(min(each, kills - done.total())):
            what = kill_once(study, results, whole_s, rng)
            if not what:
                break
            done[what] += 1
        output = finish(study, results)
        faults += [f"after {done.total()} kills: {one}" for one in find_faults(results, truth)]
        if "0 failed + 0 not run" not in output:
            faults.append(f"after {done.total()} kills: {output.splitlines()[-1]}")
        shutil.rmtree(results, ignore_errors=True)
        print(f"{done.total()} kills, {len(faults)} faults", file=sys.stderr, flush=True)
    for what, count in sorted(done.items()):
        print(f"{count:4} kills: {what}")
    print(f"{done.total()} kills of a run that takes {whole_s:.0f} s; faults: {len(faults)}")
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults else 0


def finish(study: Path, results: Path) -> str:
    """A plain run to its end; what it printed."""
    return run_command("run_study.py", study, "--results", results, codes=(0, 1)).stdout


def kill_once(study: Path, results: Path, whole_s: float, rng: random.Random) -> str:
    """Start a run and kill it, or a part of it; what was done, "" if it had ended before."""
    who, when = rng.choice(WHO), rng.choice(WHEN)
    command = [sys.executable, str(ROOT / "run_study.py"), str(study), "--results", str(results)]
    with tempfile.TemporaryFile() as out:
        run = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        wait_s = rng.uniform(0, whole_s)
        if when == "time":
            wait_for(run, lambda: False, wait_s)
        else:  # the first file that is being written after a random time
            wait_for(run, lambda: False, wait_s / 2)
            wait_for(run, lambda: is_writing(results), whole_s)
        if run.poll() is not None:
            return ""
        if who == "child" and (pids := children(run.pid)):
            os.kill(rng.choice(pids), signal.SIGKILL)
            run.wait()  # it goes on with the other jobs, and reports the one that died
        elif who == "command":
            run.kill()
            run.wait()
            wait_for_none(run.pid)  # its processes see that it is gone
        else:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    return f"{who}, at a random time" if when == "time" else f"{who}, while a file is written"


def wait_for(run: "subprocess.Popen[bytes]", condition, seconds: float) -> None:
    """Until the condition holds, the run ends, or time is over."""
    until = time.monotonic() + seconds
    while run.poll() is None and time.monotonic() < until and not condition():
        time.sleep(0.0005)


def is_writing(results: Path) -> bool:
    """Whether a draft is there that is not yet what it will be."""
    patterns = ("records/.*.draft", "attempts/*/*/*.draft")
    return any(path for pattern in patterns for path in results.glob(pattern))


def children(pid: int) -> list[int]:
    """All processes of a session but its first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == pid and int(path.parent.name) != pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def wait_for_none(session: int) -> None:
    """Until no process of a session is left.

    Raises:
        SystemExit: If one is left after a minute.
    """
    until = time.monotonic() + 60
    while left := children(session):
        if time.monotonic() > until:
            sys.exit(f"processes {left} outlive the command that was killed")
        time.sleep(0.05)


def find_faults(results: Path, truth: Answers) -> list[str]:
    """What is lost, doubled, or not as in the undisturbed run."""
    faults = []
    names = [path.name for path in (results / "records").glob("train-*.json")]
    done = Counter(name.split(".")[0] for name in names if ".failed-" not in name)
    faults += [f"{name} is recorded {count} times" for name, count in done.items() if count > 1]
    answers = read_answers(results)
    faults += [f"{key} is lost" for key in truth.keys() - answers.keys()]
    faults += [f"{key} has changed" for key in truth if answers.get(key, truth[key]) != truth[key]]
    if list((results / "records").glob("damaged/*")):
        faults.append("a record was damaged")
    return faults


def read_answers(results: Path) -> Answers:
    """(model, seed) -> top-1 and the digest of its predictions."""
    found: Answers = {}
    for path in (results / "records").glob("train-*.json"):
        record = json.loads(path.read_text("utf-8"))
        if record["status"] != "done":
            continue
        (top1,) = [m["samples"][0] for m in record["measurements"] if m["metric"] == "top1"]
        with np.load(results / record["artifacts"]["predictions"]["path"]) as arrays:
            digest = hashlib.sha256(arrays["scores"].tobytes()).hexdigest()
        found[record["config"]["model"]["name"], record["seed"]] = (top1, digest)
    return found


if __name__ == "__main__":
    sys.exit(main())
