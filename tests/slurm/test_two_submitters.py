"""Two who submit one study and do not see each other's jobs; where the costs are."""

import json

import pytest
from slurm_runs import logs, records, start, until, write_study
from study_runs import run

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]


def test_a_cell_that_two_have_submitted_is_trained_once(tmp_path, costs):
    study = write_study(tmp_path, epochs=400, costs=costs)
    options = ("--only", "variant=TSN")
    run(study, *options, "--detach")
    until(lambda: "epoch 1/" in logs(tmp_path))
    for manifest in tmp_path.glob("results/slurm/*/manifest.json"):
        manifest.unlink()  # as if another person's: squeue tells us of our own jobs alone

    second = start(study, *options)
    until(lambda: "submitted 1 cells" in (tmp_path / "out.txt").read_text())

    assert second.wait() == 1  # the other variant is not run
    out = (tmp_path / "out.txt").read_text()
    assert "0 failed" in out.splitlines()[-1]
    assert logs(tmp_path).count("started variant=TSN") == 1
    (record,) = records(tmp_path)
    assert record["notes"] == []
    assert not records(tmp_path, "failed")


def test_status_says_where_the_costs_are(tmp_path):
    study = write_study(tmp_path, epochs=400)
    text = study.read_text("utf-8")
    study.write_text(text.replace("rounds: 5", "rounds: 2000, budget_s: 30"), "utf-8")
    run(study, "--cost-only", "--detach")

    def costs():
        status = json.loads(run(study, "--status", "--cost-only", "--json", code=1).stdout)
        return [job["reason"] for job in status["jobs"] if job["kind"] == "cost"]

    said = until(
        lambda: (said := costs()) and all("being timed" in reason for reason in said) and said
    )
    assert all(reason.startswith("being timed on node") and "log" in reason for reason in said)
    run(study, "--cancel")
    said = until(
        lambda: (said := costs()) and not any("being" in reason for reason in said) and said
    )
    assert all("cancelled" in reason for reason in said)
