"""A study that tunes, on a real scheduler: the second stage waits for the first."""

import pytest
from slurm_runs import jobs, records, until, write_study
from study_runs import run

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]

TUNE = "tune: {train.lr: [1.0e-3, 4.0e-3], seeds: [100], epochs: 1}\nrun:"


@pytest.fixture
def tuned(tmp_path, costs):
    path = write_study(tmp_path, costs=costs)
    path.write_text(path.read_text("utf-8").replace("run:", TUNE, 1), "utf-8")
    return path


def rates(runs):
    """Model -> {learning rate: validation top-1}."""
    values = {}
    for record in runs:
        (top1,) = [m["samples"][0] for m in record["measurements"] if m["metric"] == "val_top1"]
        rate = record["config"]["train"]["lr"]
        values.setdefault(record["config"]["model"]["name"], {})[rate] = top1
    return values


def test_tuning_ends_before_what_it_decides_is_submitted(tuned):
    out = run(tuned).stdout

    assert "8 planned = 6 done + 2 reused + 0 skipped + 0 failed + 0 not run" in out
    tried, trained = (records(tuned.parent, kind=kind) for kind in ("tune", "train"))
    chosen = {name: list(values) for name, values in rates(trained).items()}
    assert chosen == {
        name: [max(sorted(values), key=values.get)] for name, values in rates(tried).items()
    }
    assert len(chosen) == 2
    last = max(record["started"] for record in tried)
    assert all(record["started"] > last for record in trained)


def test_detach_submits_the_first_stage_and_a_job_the_second(tuned):
    folder = tuned.parent

    out = run(tuned, "--detach").stdout

    assert "4 jobs are with SLURM" in out
    assert "a job plans and submits the runs that tuning chooses" in out
    until(lambda: len(records(folder, kind="train")) == 2, seconds=240)
    last = max(record["started"] for record in records(folder, kind="tune"))
    assert all(record["started"] > last for record in records(folder, kind="train"))
    until(lambda: not jobs(folder, "RUNNING", "PENDING"))
    assert "8 planned = 0 done + 8 reused" in run(tuned).stdout
