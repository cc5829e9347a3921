"""How the tests on the cluster run the command, and what they ask the scheduler."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import study_runs
from study_runs import command, copy_costs

STUDY = """\
question: Does order matter?
base:
  data: {{name: motion, frames: 4, size: 32, train_clips: {clips}, val_clips: 16, test_clips: 32}}
  model: {{name: vlf, width: 16, heads: 2, spatial_depth: 0, spatiotemporal_depth: 1}}
  train: {{epochs: {epochs}, batch_size: 16}}
factors:
  variant:
    VLF: {{}}
    TSN: {{model: {{name: tsn}}}}
seeds: {seeds}
cost: {{batch_sizes: [1], rounds: 5}}
run:
  executor: slurm
  device: cpu
  max_retries: {retries}
  slurm: {{{slurm}}}
report: {{baseline: {{variant: VLF}}}}
"""


def write_study(
    folder, name="order", clips=48, epochs=2, seeds="[0]", slurm="mem_gb: 2", retries=1, costs=None
):
    """Write a study of two variants; `costs` is a results folder that has timed both."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    text = STUDY.format(clips=clips, epochs=epochs, seeds=seeds, slurm=slurm, retries=retries)
    path.write_text(text, "utf-8")
    if costs:
        copy_costs(costs, folder / "results")
        (folder / "results" / "slurm").mkdir()
        shutil.copy(costs / "slurm" / "devices.json", folder / "results" / "slurm")
    return path


ENVIRONMENT = {**os.environ, "COLUMNS": "200"}


def start(study, *options):
    """The command in a process of its own, with its output in a file."""
    with (study.parent / "out.txt").open("w") as out:
        return subprocess.Popen(
            command(study, *options), cwd=study.parent, stdout=out, stderr=out, env=ENVIRONMENT
        )


def until(condition, seconds=120):
    """Wait for something that has to come; what it waits for is the assertion."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.3)
    return result


def jobs(folder, *states):
    """(job id, state) of the jobs of a results folder that are in the queue."""
    names = {f"vlf-{path.parent.name}" for path in folder.glob("results/slurm/*/manifest.json")}
    out = subprocess.check_output(["squeue", "-h", "-r", "-o", "%j|%i|%T"], text=True)
    rows = [line.split("|") for line in out.splitlines()]
    return [(job, state) for name, job, state in rows if name in names and state in states]


def ask(*words):
    return subprocess.check_output(words, text=True)


def records(folder, status="done", kind="train"):
    values = study_runs.records(folder / "results", kind)
    return [record for record in values if record["status"] == status]


def training_processes(folder):
    """Pids of the Python processes of this results folder's training jobs."""
    manifests = [
        json.loads(path.read_text()) for path in folder.glob("results/slurm/*/manifest.json")
    ]
    folders = [manifest["name"] for manifest in manifests if manifest["kind"] == "train"]
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:  # it has ended
            continue
        is_job = "submitit.core._submit" in words and any(
            Path(word).name in folders for word in words
        )
        if is_job and Path(words[0]).name.startswith("python"):
            pids.append(int(path.parent.name))
    return pids


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def logs(folder):
    """All that jobs have written to their logs."""
    paths = sorted(folder.glob("results/slurm/*/*_log.out"))
    return "".join(path.read_text("utf-8") for path in paths)
