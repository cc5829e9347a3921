"""Races on a real scheduler: a round is an array, and a job plans the next one."""

import json

import pytest
from slurm_runs import ask, jobs, records, until, write_study
from study_runs import answers, run

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]

SEEDS = "{from: 2, to: 4, until: {half_width: 0.1}}"
CLAIMS = "claims: ['top1[VLF] > top1[TSN]']\nreport: {figures: [], "


def write_race(folder, costs):
    path = write_study(folder, costs=costs, seeds=SEEDS)
    path.write_text(path.read_text("utf-8").replace("report: {", CLAIMS), "utf-8")
    return path


def plan_jobs(folder):
    manifests = [
        json.loads(one.read_text()) for one in folder.glob("results/slurm/*/manifest.json")
    ]
    return [one for one in manifests if one["kind"] == "plan"]


def test_a_detached_race_is_planned_to_its_end_by_the_cluster(tmp_path, costs):
    there = write_race(tmp_path / "there", costs)
    here = write_race(tmp_path / "here", costs)

    out = run(there, "--detach").stdout

    assert "4 jobs are with SLURM" in out
    assert "when they have ended, a job plans and submits the next round, and so on" in out
    report = there.parent / "results" / "order" / "report.html"
    until(report.exists, seconds=300)  # the last of these jobs writes it
    until(lambda: not jobs(there.parent, "RUNNING", "PENDING"))
    assert len(plan_jobs(there.parent)) == 3  # after two, three and four seeds
    assert len(records(there.parent)) == 8
    run(here, "--executor", "process")
    assert answers(there.parent / "results") == answers(here.parent / "results")
    assert "10 planned = 0 done + 10 reused" in run(there).stdout


def test_a_race_goes_on_by_hand_where_the_job_that_plans_was_lost(tmp_path, costs):
    study = write_race(tmp_path, costs)
    run(study, "--detach")
    (lost,) = plan_jobs(tmp_path)
    ask("scancel", lost["job"])
    until(lambda: len(records(tmp_path)) == 4)
    until(lambda: not jobs(tmp_path, "RUNNING", "PENDING"))

    out = run(study).stdout

    assert "round 3 of the race: the race has ended, with 8 training runs" in out
    assert "10 planned = " in out
    assert "0 failed + 0 not run" in out


def test_detaching_twice_leaves_one_job_that_plans_and_cancel_ends_it(tmp_path, costs):
    study = write_study(tmp_path, costs=costs, seeds=SEEDS, epochs=400)
    run(study, "--detach")
    run(study, "--detach")

    assert len(plan_jobs(tmp_path)) == 1

    run(study, "--cancel")
    until(lambda: not jobs(tmp_path, "RUNNING", "PENDING"))
