"""Runs of the command for its tests, and the answers in a results folder."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch

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


TRUE_CLAIM = "parameters[VLF] < 10 * parameters[TSN]"
ALONE = STUDY.replace("    TSN: {model: {name: tsn}}\n", "")
QUIET = STUDY.replace("seeds: [0, 1]", "seeds: [0]").replace(
    "report: {", "report: {figures: [], tables: [], "
)


class Ran(NamedTuple):
    """A finished study: its file, its plan before the run as JSON, and the output of the run."""

    study: Path
    plan: str
    out: str

    @property
    def results(self):
        return self.study.parent / "results"


def records(results, kind="train"):
    """Values of all records of a kind, in the order of their names."""
    paths = sorted((results / "records").glob(f"{kind}-*.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


def copy_records(there, here, models=("vlf", "tsn"), seeds=(None, 0)):
    """Copy records of a results folder and their files, for a run that need not make them again.

    The seed of a cost record is None.
    """
    for folder in ("records", "artifacts"):
        (here / folder).mkdir(parents=True, exist_ok=True)
    for path in (there / "records").glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        if record["config"]["model"]["name"] in models and record["seed"] in seeds:
            shutil.copy(path, here / "records")
            for artifact in record["artifacts"].values():
                shutil.copy(there / artifact["path"], here / artifact["path"])


def copy_costs(there, here):
    copy_records(there, here, seeds=[None])


def command(study, *options):
    return [sys.executable, str(ROOT / "run_study.py"), str(study), *options]


class Said(NamedTuple):
    stdout: str
    stderr: str


def run(study, *options, code=0):
    """Run the command in this process, in the study's folder, with the results folder beside it.

    A process of its own would import torch for every command; `run_apart` starts one.
    """
    out, err = io.StringIO(), io.StringIO()
    before, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    variables = mock.patch.dict(os.environ, {"OMP_NUM_THREADS": "1", "COLUMNS": "200"})
    try:
        with variables, contextlib.chdir(study.parent), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a user sees warnings of libraries; they end nothing
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                exit_code = run_study.main([str(study), *options])
    except SystemExit as error:  # raised by argparse
        exit_code = error.code
    finally:
        signal.signal(signal.SIGTERM, before)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
        torch.set_float32_matmul_precision("highest")  # torch's default
    said = Said(out.getvalue(), err.getvalue())
    assert exit_code == code, said
    assert "Traceback" not in said.stderr
    return said


def run_apart(study, *options, code=0):
    """Run the command in a process of its own, as a person does."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        command(study, *options), cwd=study.parent, capture_output=True, text=True, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def refused(study, *options):
    """The message on stderr of a command that ends with exit code 2."""
    return run(study, *options, code=2).stderr


def assert_no_torch(study):
    """Assert that commands on a finished study of six jobs reuse all and load no torch."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import run_study\n"
        "for options in ([], ['--report'], ['--status'], ['--plan']):\n"
        f"    assert run_study.main([{str(study)!r}, *options]) == 0, options\n"
        "    assert 'torch' not in sys.modules, options"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=study.parent, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("6 planned = 0 done + 6 reused") == 4, done.stdout


def answers(folder):
    """(variant, seed) -> top-1 and the digest of the predictions' arrays, from the records."""
    results = {}
    for record in records(folder):
        if record["status"] != "done":
            continue
        (top1,) = [m["samples"][0] for m in record["measurements"] if m["metric"] == "top1"]
        with np.load(folder / record["artifacts"]["predictions"]["path"]) as arrays:
            digest = hashlib.sha256(arrays["scores"].tobytes()).hexdigest()
        results[record["config"]["model"]["name"], record["seed"]] = (top1, digest)
    return results
