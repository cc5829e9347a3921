"""A study that tunes, on a real scheduler: the second stage waits for the first."""

import pytest
from slurm_runs import jobs, records, run, until, write_study

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]

TUNE = "tune: {train.lr: [1.0e-3, 4.0e-3], seeds: [100], epochs: 1}\nrun:"


def write_tuned(folder):
    path = write_study(folder)
    path.write_text(path.read_text("utf-8").replace("run:", TUNE, 1), "utf-8")
    return path


def chosen(folder):
    return {
        (one["config"]["model"]["name"], one["seed"], one["config"]["train"]["lr"])
        for one in records(folder, kind="train")
    }


def test_tuning_ends_before_what_it_decides_is_submitted(tmp_path):
    there, here = write_tuned(tmp_path / "there"), write_tuned(tmp_path / "here")

    out = run(there).stdout
    run(here, "--executor", "process")

    assert "10 planned = 10 done + 0 reused + 0 skipped + 0 failed + 0 not run" in out
    assert chosen(there.parent) == chosen(here.parent)
    assert len(chosen(there.parent)) == 4
    last = max(one["started"] for one in records(there.parent, kind="tune"))
    assert all(one["started"] > last for one in records(there.parent, kind="train"))


def test_detach_submits_the_first_stage_and_the_same_command_the_second(tmp_path):
    study = write_tuned(tmp_path)

    out = run(study, "--detach").stdout

    assert "6 jobs are with SLURM" in out
    assert "run the same command again: it chooses, and submits the 4 training jobs" in out
    until(lambda: len(records(tmp_path, kind="tune")) == 4)
    until(lambda: not jobs(tmp_path, "RUNNING", "PENDING"))
    assert not records(tmp_path, kind="train")

    again = run(study, "--detach").stdout

    assert "4 jobs are with SLURM" in again
    assert "chooses" not in again
    until(lambda: len(records(tmp_path, kind="train")) == 4)
    assert "10 planned = 0 done + 10 reused" in run(study).stdout
