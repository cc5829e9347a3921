"""A study that tunes, through the command, with real runs of a few steps."""

import csv
import json
import math
import signal
import subprocess
import time

import numpy as np
import pytest
from study_runs import command, copy_costs, refused, run

STUDY = """\
question: Does order matter?
base:
  data: {name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 40, test_clips: 32}
  model: {name: vlf, width: 16, heads: 2, spatial_depth: 0, spatiotemporal_depth: 1}
  train: {epochs: 2, batch_size: 16, warmup_epochs: 0, optimizer: sgd, clip_norm: 0}
factors:
  variant:
    VLF: {}
    TSN: {model: {name: tsn}}
seeds: [0]
tune:
  train.lr: [0.3, 0.05]
  train.weight_decay: [0.0, 1.0e+36]   # the second makes any run diverge in its second step
  seeds: [100, 101]
  epochs: 1
cost: {batch_sizes: [1], rounds: 5}
report: {baseline: {variant: VLF}, figures: [], tables: [tuning, status]}
"""


def records(study, kind):
    paths = sorted((study.parent / "results" / "records").glob(f"{kind}-*.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


def val_top1(record):
    found = [m["samples"][0] for m in record["measurements"] if m["metric"] == "val_top1"]
    return found[0] if found else -math.inf


def best_by_hand(study, model):
    """The learning rate with the highest mean validation top-1, read from the files alone."""
    found = {}
    for record in records(study, "tune"):
        if record["config"]["model"]["name"] == model:
            train = record["config"]["train"]
            found.setdefault((train["lr"], train["weight_decay"]), []).append(val_top1(record))
    return max(sorted(found), key=lambda tried: sum(found[tried]) / 2)


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return path


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, ran):
    """The study, run; and what the command said."""
    path = tmp_path_factory.mktemp("tuned") / "order.yaml"
    path.write_text(STUDY, "utf-8")
    copy_costs(ran.results, path.parent / "results")
    return path, run(path, "--executor", "inline").stdout


def test_each_variant_is_trained_with_the_rate_that_did_best_on_validation(tuned):
    study, out = tuned

    assert "20 planned = 10 done + 2 reused + 0 skipped + 8 failed + 0 not run" in out
    runs = [record["config"] for record in records(study, "train")]
    assert len(runs) == 2
    chosen = {
        run["model"]["name"]: (run["train"]["lr"], run["train"]["weight_decay"]) for run in runs
    }
    assert chosen == {name: best_by_hand(study, name) for name in ("vlf", "tsn")}
    assert {run["train"]["epochs"] for run in runs} == {2}
    tuning = records(study, "tune")
    assert {record["seed"] for record in tuning} == {100, 101}
    assert all(
        (record["status"] == "failed") == (record["config"]["train"]["weight_decay"] > 1)
        for record in tuning
    )


def test_a_tuning_run_leaves_nothing_of_the_test_split(tuned):
    study, _ = tuned

    done = [record for record in records(study, "tune") if record["status"] == "done"]

    assert len(done) == 8
    for record in done:
        assert {m["metric"] for m in record["measurements"]} == {"val_top1", "training_time"}
        assert record["artifacts"].keys() == {"curves"}
        with np.load(study.parent / "results" / record["artifacts"]["curves"]["path"]) as arrays:
            assert arrays["val_top1"].tolist() == [val_top1(record)]


def test_the_report_tells_budget_scores_and_choice_and_keeps_tuning_apart(tuned):
    study, _ = tuned
    folder = study.parent / "results" / "order"

    with (folder / "tables" / "tuning.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["cell"], row["weight decay"]) for row in rows] == [
        ("VLF", "0.0"), ("", "1.0e+36"), ("TSN", "0.0"), ("", "1.0e+36")
    ]  # fmt: skip
    for row, model in ((rows[0], "vlf"), (rows[2], "tsn")):
        best, _ = best_by_hand(study, model)
        assert float(row["choice"].partition(",")[0]) == best
        for rate in (0.05, 0.3):
            scores = [
                val_top1(record)
                for record in records(study, "tune")
                if record["config"]["model"]["name"] == model
                if record["config"]["train"]["lr"] == rate and record["status"] == "done"
            ]
            assert len(scores) == 2
            assert float(row[f"lr {rate}"]) == pytest.approx(sum(scores) / 2, abs=0.051)
    assert {row["lr 0.3"] for row in rows[1::2]} == {"diverged"}
    report = (folder / "report.md").read_text("utf-8")
    assert "Each cell has the train.lr and train.weight" in report
    with (folder / "records.csv").open(encoding="utf-8") as file:
        every = list(csv.DictReader(file))
    tune = [row for row in every if row["kind"] == "tune"]
    assert {row["seed"] for row in tune} == {"100", "101"}
    assert "train.lr=0.3, train.weight_decay=0.0" in {row["tried"] for row in tune}
    assert not [row for row in every if row["kind"] != "tune" and row["tried"]]
    assert {row["seed"] for row in every if row["metric"] == "top1"} == {"0"}


def test_a_second_run_and_a_report_have_nothing_to_do(tuned):
    study, _ = tuned

    for option in (("--status",), ("--executor", "inline")):
        out = run(study, *option).stdout
        assert "20 planned = 0 done + 12 reused + 0 skipped + 8 failed + 0 not run" in out
    assert "nothing to run: 20 planned" in run(study, "--plan").stdout.replace("\n", " ")


def test_cost_only_tunes_nothing_and_costs_do_not_depend_on_the_choice(tuned, study):
    copy_costs(tuned[0].parent / "results", study.parent / "results")

    out = run(study, "--cost-only").stdout

    assert "20 planned = 0 done + 2 reused + 18 skipped + 0 failed + 0 not run" in out
    told = json.loads(run(study, "--plan", "--json").stdout)
    assert {(j["kind"], j["status"]) for j in told["jobs"]} == {
        ("cost", "reused"), ("tune", "to run"), ("train", "waits")
    }  # fmt: skip
    assert {j["identity"] for j in told["jobs"] if j["kind"] == "train"} == {None}


@pytest.mark.slow
def test_set_changes_what_is_not_tuned_and_only_runs_a_part(tuned, study):
    copy_costs(tuned[0].parent / "results", study.parent / "results")
    wrong = refused(study, "--set", "train.lr=1")
    assert wrong == "error: --set: train.lr: is chosen by tune of this study\n"

    part = ("--only", "variant=TSN", "--set", "data.train_clips=32")
    out = run(study, "--executor", "inline", *part, code=1).stdout

    assert "20 planned = 5 done + 2 reused + 9 skipped + 4 failed + 0 not run" in out
    assert {r["config"]["data"]["train_clips"] for r in records(study, "tune")} == {32}
    assert {r["config"]["model"]["name"] for r in records(study, "tune")} == {"tsn"}


@pytest.mark.slow
def test_a_quick_run_tunes_less(tuned, study):
    study.write_text(STUDY.replace("[0.0, 1.0e+36]", "[0.0, 0.1, 0.2]"), "utf-8")
    copy_costs(tuned[0].parent / "results", study.parent / "results" / "quick")

    out = run(study, "--quick").stdout

    # two costs, two by two values of two cells with one seed, and the two runs that count
    assert "12 planned = 10 done + 2 reused + 0 skipped + 0 failed + 0 not run" in out


def test_a_run_killed_in_the_first_stage_goes_on_to_the_choice_of_an_undisturbed_one(
    tuned, study, tmp_path
):
    copy_costs(tuned[0].parent / "results", tmp_path / "results")
    process = subprocess.Popen(
        command(study, "--executor", "inline"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while len(list((tmp_path / "results" / "records").glob("tune-*.json"))) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = len(records(study, "tune"))
    assert not records(study, "train")

    out = run(study, "--executor", "inline").stdout

    assert "0 not run" in out
    assert before >= 3
    assert len(records(study, "tune")) == 16  # none of what was there ran again
    undisturbed = tuned[0]
    for kind in ("tune", "train"):
        assert {_said(record) for record in records(study, kind)} == {
            _said(record) for record in records(undisturbed, kind)
        }


def _said(record):
    """What a record says, less when and how long."""
    values = sorted(
        (m["metric"], *m["samples"])
        for m in record["measurements"]
        if m["metric"] != "training_time"
    )
    return record["identity"], record["seed"], record["status"], tuple(values)
