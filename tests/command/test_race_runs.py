"""Races by the real command: killed at random, run again, reported."""

import json
import random
import subprocess
import time

import pytest
from study_runs import STUDY, answers, copy_costs, run
from test_interruption import start

RACE = STUDY.replace("seeds: [0, 1]", "seeds: {from: 2, to: 5, until: {half_width: 0.1}}").replace(
    "report: {",
    "claims: ['top1[VLF] > top1[TSN]', 'wins[VLF over TSN] > 0.5']\nreport: {figures: [], ",
)


@pytest.fixture(scope="module")
def raced(tmp_path_factory, ran):
    """A race of four rounds, undisturbed, and what it said."""
    path = tmp_path_factory.mktemp("race") / "order.yaml"
    path.write_text(RACE, "utf-8")
    copy_costs(ran.results, path.parent / "results")
    return path, run(path).stdout


def test_a_race_runs_round_after_round_and_reports_its_claims(raced):
    path, out = raced
    assert "round 1 of the race: 2 questions of 2 open, so 6 training runs in all" in out
    assert "round 4 of the race: the race has ended, with 10 training runs" in out
    assert "12 planned = 10 done + 2 reused" in out  # the costs were copied
    claims = (path.parent / "results" / "order" / "tables" / "claims.md").read_text("utf-8")
    assert "5 seeds" in claims
    methods = (path.parent / "results" / "order" / "methods.md").read_text("utf-8")
    assert "Seeds were added in rounds: every cell got 2" in methods


def test_a_finished_race_runs_nothing_and_its_plan_says_so(raced):
    path, _ = raced
    assert "12 planned = 0 done + 12 reused" in run(path).stdout
    plan = json.loads(run(path, "--plan", "--json").stdout)
    assert plan["race"]["is_over"]
    assert (plan["race"]["runs_planned"], plan["race"]["runs_most"]) == (10, 10)
    assert {one["seeds"] for one in plan["race"]["questions"]} == {5}
    assert "round 4 of the race" in run(path, "--status").stdout
    said = json.loads(run(path, "--claims", "--json").stdout)
    assert said["answer"].startswith("Compared with VLF")
    assert [(one["verdict"], one["comparisons"][0]["n"]) for one in said["claims"]] == [
        ("undecided", 5),
        ("undecided", 5),
    ]


def test_a_plan_before_the_first_run_has_the_least_and_the_most(study, ran):
    study.write_text(RACE, "utf-8")
    out = run(study, "--plan").stdout
    assert "race: at least 4 training runs and at most 10" in out
    assert "known after the first round" in out


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_a_race_killed_at_random_takes_the_decisions_of_an_undisturbed_one(
    raced, study, ran, kills
):
    study.write_text(RACE, "utf-8")
    copy_costs(ran.results, study.parent / "results")
    rng, hit = random.Random(kills), 0
    for _ in range(10 * kills):
        process = start(study)
        try:
            process.communicate(timeout=rng.uniform(4, 12))
        except subprocess.TimeoutExpired:  # it is at work
            process.kill()
            process.communicate()
            hit += 1
        if hit == kills or process.returncode == 0:
            break
        time.sleep(0.1)
    assert hit

    resumed = run(study)

    assert "0 failed + 0 not run" in resumed.stdout
    assert answers(study.parent / "results") == answers(raced[0].parent / "results")
    plans = [json.loads(run(path, "--plan", "--json").stdout)["race"] for path in (study, raced[0])]
    for plan in plans:
        plan.pop("hours")
    assert plans[0] == plans[1]
