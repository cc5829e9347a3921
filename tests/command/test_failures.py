"""A study with a run that diverges: a failure everywhere, with its log, and a number nowhere."""

import csv
import json
from pathlib import Path

import pytest
from study_runs import STUDY, copy_records, run

WILD = (
    "wild: {train.lr: 100.0, train.optimizer: sgd, train.clip_norm: 0, train.warmup_epochs: 0,"
    " train.momentum: 0.99, train.epochs: 8}"
)


@pytest.fixture
def study(tmp_path, ran):
    path = tmp_path / "order.yaml"
    text = STUDY.replace("TSN: {model: {name: tsn}}", WILD).replace("seeds: [0, 1]", "seeds: [0]")
    path.write_text(text.replace("report: {", "report: {figures: [], tables: [status], "), "utf-8")
    copy_records(ran.results, tmp_path / "results")
    return path


def test_a_run_that_diverges_is_failed_for_the_run_the_status_and_the_plan(study):
    out = run(study, code=1).stdout

    lines = out.splitlines()
    (line,) = [text for text in lines if text.startswith("train variant=wild, seed=0: ")]
    assert "seed=0: failed: diverged: " in line
    assert "4 planned = 0 done + 3 reused + 0 skipped + 1 failed + 0 not run" in out
    log = Path(line.rpartition("(log: ")[2].rstrip(")"))
    said = (study.parent / log).read_text("utf-8")
    assert "Traceback" in said
    assert "DivergedError" in said
    assert "diverged" in (study.parent / "results/order/report.md").read_text("utf-8")
    rows = csv.DictReader((study.parent / "results/order/records.csv").read_text().splitlines())
    assert [r["value"] for r in rows if (r["variant"], r["kind"]) == ("wild", "train")] == [""]

    status = run(study, "--status", code=1).stdout
    assert line in status.splitlines()
    assert "4 planned = 0 done + 3 reused + 0 skipped + 1 failed + 0 not run" in status
    jobs = json.loads(run(study, "--status", "--json", code=1).stdout)["jobs"]
    assert [job["log"] for job in jobs if job["status"] == "failed"] == [str(log)]
    assert line in [text.strip() for text in run(study, "--plan").stdout.splitlines()]

    run(study, "--retry-failed", code=1)
    records = study.parent / "results" / "records"
    assert len(list(records.glob("*.forgiven.json"))) == 1
    assert len(list(records.glob("*failed*"))) == 2
