"""A small study, its plan, records written by hand, and a session whose costs are timed at once."""

import re

from study.plan.planner import Choice, make_plan
from study.records.record import Record
from study.run.session import Work
from study.spec.grid import expand

STUDY = """\
question: Does order matter?
base:
  model: {name: vlf, width: 16, heads: 2}
factors:
  variant: {VLF: {}, TSN: {model: {name: tsn}}}
seeds: [0, 1]
run: {max_retries: 1}
report: {baseline: {variant: VLF}}
"""


def plan(study, store, **choice):
    return make_plan(study, expand(study), store, "cpu", Choice(**choice))


def find(made, kind, variant, seed=None):
    (job,) = [
        job
        for job in made.jobs
        if (job.kind, job.cell.levels["variant"], job.seed) == (kind, variant, seed)
    ]
    return job


def record_for(job, **changes):
    values = {
        "kind": job.kind,
        "identity": job.key.identity,
        "status": "done",
        "config": job.key.config,
        "seed": job.seed,
        "device": "cpu",
        "fingerprint": job.key.fingerprint,
        "measurements": (),
        "environment": {},
        "attempt": f"{job.kind}{job.seed}",
        "started": "2026-01-01T00:00:00",
        "seconds": 1.0,
    }
    return Record(**{**values, **changes})


def run(session, **work):
    """Run with costs that are timed at once; `work` replaces a part."""
    parts = {
        "register": lambda: None,
        "run_cost": time_at_once,
        "cost_on_node": None,
        "run_job": None,
        **work,
    }
    estimates = {job.name: 1.0 for job in session.plan.training}
    session.run(Work(**parts), estimates)


def time_at_once(made, store, notify):
    return {
        job.cell.name: (store.add(job.key, record_for(job, timing_run="run")), None)
        for job in made.cost
    }


def counts(text):
    """(planned, done, reused, skipped, failed, not run) of the last line."""
    return tuple(map(int, re.findall(r"\d+", text.splitlines()[-1])))
