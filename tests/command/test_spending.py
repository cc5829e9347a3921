"""What a plan said that a study would take, against what it took."""

import json
import os
import subprocess
import sys

import pytest
from study_runs import ROOT


def taken(folder, *places):
    """Bytes of files in some folders of the results."""
    files = (path for place in places for path in (folder / place).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def within_two(said, took):
    return took / 2 <= said <= 2 * took


@pytest.fixture(scope="module")
def spent(ran):
    """A study's plan as values, and its results folder after it has run."""
    return json.loads(ran.plan), ran.results


def test_a_plans_disk_is_within_a_factor_of_two_of_what_the_study_takes(spent):
    plan, results = spent
    disk = plan["disk_bytes"]

    assert within_two(disk["records"], taken(results, "records", "order"))
    assert within_two(disk["artifacts"], taken(results, "artifacts"))
    assert disk["checkpoints"] > 0
    assert taken(results, "attempts") == 0  # and they are gone


def test_a_report_tells_core_hours(spent):
    _, results = spent

    text = (results / "order/report.md").read_text("utf-8")

    assert "0 GPU-hours, and 0." in text
    assert "CPU-hours (hours of one core) of jobs without a GPU" in text


def test_each_job_leaves_an_event_file_that_its_record_does_not_name(spent):
    _, results = spent

    files = list((results / "artifacts").glob("*.tensorboard/*/events.out.tfevents.*"))

    shown = {path.parent.name for path in files}
    assert shown == {f"variant={v}, seed={s}" for v in ("VLF", "TSN") for s in (0, 1)}
    for path in (results / "records").glob("train-*.json"):
        assert "tensorboard" not in path.read_text("utf-8")


@pytest.mark.slow
def test_the_quick_factorization_study_takes_what_its_plan_says(tmp_path):
    def command(*options):
        arguments = ["ablations/factorization.yaml", "--quick", "--results", str(tmp_path / "all")]
        done = subprocess.run(
            [sys.executable, "run_study.py", *arguments, *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    disk = json.loads(command("--plan", "--json"))["disk_bytes"]
    command()

    assert within_two(disk["records"] + disk["artifacts"], taken(tmp_path, "all"))
