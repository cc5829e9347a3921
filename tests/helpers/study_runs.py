"""How the tests of the command run it, and what they read back."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import run_study

ROOT = Path(__file__).parents[2]

STUDY = """\
question: Does order matter?
base:
  data: {name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 16, test_clips: 32}
  model: {name: vlf, width: 16, heads: 2, spatial_depth: 0, spatiotemporal_depth: 1}
  train: {epochs: 2, batch_size: 16}
factors:
  variant:
    VLF: {}
    TSN: {model: {name: tsn}}
seeds: [0, 1]
cost: {batch_sizes: [1], rounds: 5}
report: {baseline: {variant: VLF}}
"""


class Ran(NamedTuple):
    """A study that has run: its file, its plan before as JSON, and what the run said."""

    study: Path
    plan: str
    out: str

    @property
    def results(self):
        return self.study.parent / "results"


def copy_costs(there, here, models=("vlf", "tsn")):
    """Take a results folder's costs: a test of something else has no need to time them again."""
    (here / "records").mkdir(parents=True, exist_ok=True)
    for path in (there / "records").glob("cost-*.json"):
        if json.loads(path.read_text("utf-8"))["config"]["model"]["name"] in models:
            shutil.copy(path, here / "records")


def command(study, *options):
    return [sys.executable, str(ROOT / "run_study.py"), str(study), *options]


def run(study, *options, code=0):
    """Run the command in the study's folder; the results folder is beside the study."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        command(study, *options), cwd=study.parent, capture_output=True, text=True, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def refused(study, *options):
    """What the command says on stderr when it refuses with exit code 2; run in this process.

    A refusal comes before anything is run: a process of its own would load torch to say a line.
    """
    said, before = io.StringIO(), signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.chdir(study.parent), contextlib.redirect_stderr(said):
            code = run_study.main([str(study), *options])
    except SystemExit as error:  # argparse's own
        code = error.code
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == 2, said.getvalue()
    return said.getvalue()


def answers(folder):
    """(variant, seed) -> top-1 and the digest of the predictions' arrays, from the records."""
    found = {}
    for path in (folder / "records").glob("train-*.json"):
        record = json.loads(path.read_text("utf-8"))
        if record["status"] != "done":
            continue
        (top1,) = [m["samples"][0] for m in record["measurements"] if m["metric"] == "top1"]
        with np.load(folder / record["artifacts"]["predictions"]["path"]) as arrays:
            digest = hashlib.sha256(arrays["scores"].tobytes()).hexdigest()
        found[record["config"]["model"]["name"], record["seed"]] = (top1, digest)
    return found
