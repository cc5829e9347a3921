"""A results folder as a study leaves it, made without training: every job has its record."""

import contextlib
import io
import os
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import study_runs
from plans import record_for

import run_study
from study.match.cells import match_cells
from study.plan.planner import Choice, make_plan
from study.records.environment import device_model
from study.records.record import Measurement
from study.records.store import Store
from study.spec.grid import expand
from study.spec.study import load_study

STUDY = study_runs.STUDY.replace("report:", "run: {device: cpu}\nreport:")
DAY_S = 86_400


def plan_of(path, root, overrides=()):
    study = load_study(path, overrides)
    cells = match_cells(study, expand(study), root)
    return make_plan(study, cells, Store(root), "cpu", Choice())


def record_of(job, **changes):
    """A complete record of a planned job."""
    values = {
        "measurements": tuple(
            Measurement(metric, "%", "higher", (50.0,)) for metric in ("top1", "val_top1")
        ),
        "environment": {"device_model": device_model("cpu"), "torch": version("torch")},
        "attempt": "a" * 12,
        "started": "2030-01-01T00:00:00.000+00:00",
        "timing_run": "run1" if job.kind == "cost" else "",
    }
    return record_for(job, **{**values, **changes})


def npz(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def add(store, job, attempt="a" * 12, **changes):
    """Write a job's record, with predictions where it is one of training."""
    artifacts = {}
    if job.kind == "train" and changes.get("status", "done") == "done":
        content = npz(scores=np.full((3, 2), job.seed), labels=np.zeros(3))
        artifacts["predictions"] = store.add_artifact(job.key, attempt, "predictions", content)
    record = record_of(job, attempt=attempt, artifacts=artifacts, **changes)
    return store.add(job.key, record)


def fill(path, root, overrides=()):
    """Write every record that a study is missing; the plan as it was before."""
    plan = plan_of(path, root, overrides)
    store = Store(root)
    for job in plan.jobs:
        if job.status == "to run":
            add(store, job)
    return plan


def age(*paths, days=2):
    """Make files, folders and what is in them look untouched for some days."""
    then = time.time() - days * DAY_S
    for path in paths:
        for one in [*(path.rglob("*") if path.is_dir() else ()), path]:
            os.utime(one, (then, then), follow_symlinks=False)


def contents(root):
    """Name -> bytes of every file under a folder."""
    files = (path for path in Path(root).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def main(*words):
    """Exit code, output and errors of the command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    os.environ["COLUMNS"] = "200"  # a table is not to wrap
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_study.main([str(word) for word in words])
    return code, " ".join(out.getvalue().split()), err.getvalue()
