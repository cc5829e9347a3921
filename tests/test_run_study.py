"""The command as a person uses it: real processes, real files, real kills."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]

STUDY = """\
question: Does order matter?
base:
  data: {name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 16, test_clips: 32}
  model: {name: vlf, width: 16, heads: 2, spatial_depth: 0, spatiotemporal_depth: 1}
  train: {epochs: 2, batch_size: 16}
factors:
  variant:
    VLF: {}
    TSN: {model: {name: tsn}}
seeds: [0, 1]
cost: {batch_sizes: [1], rounds: 5}
report: {baseline: {variant: VLF}}
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return path


def command(study, *options):
    return [sys.executable, str(ROOT / "run_study.py"), str(study), *options]


def run(study, *options, code=0):
    """Run the command in the study's folder; the results folder is beside the study."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        command(study, *options), cwd=study.parent, capture_output=True, text=True, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def answers(folder):
    """(variant, seed) -> top-1 and the digest of the predictions' arrays, from the records."""
    found = {}
    for path in (folder / "records").glob("train-*.json"):
        record = json.loads(path.read_text("utf-8"))
        if record["status"] != "done":
            continue
        (top1,) = [m["samples"][0] for m in record["measurements"] if m["metric"] == "top1"]
        with np.load(folder / record["artifacts"]["predictions"]["path"]) as arrays:
            digest = hashlib.sha256(arrays["scores"].tobytes()).hexdigest()
        found[record["config"]["model"]["name"], record["seed"]] = (top1, digest)
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study that has run once, with what it printed; shared, so tests must not change it."""
    path = tmp_path_factory.mktemp("finished") / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return path, run(path).stdout


def test_from_a_yaml_to_a_report(finished):
    study, out = finished

    assert "6 planned = 6 done + 0 reused + 0 skipped + 0 failed + 0 not run" in out
    results = study.parent / "results"
    made = results / "order"
    for name in ("records.csv", "table.csv", "table.md", "table.tex", "table.html", "report.md"):
        assert (made / name).stat().st_size > 0
    html = (made / "report.html").read_text("utf-8")
    assert "Does order matter?" in html
    assert "VLF" in html
    assert list(made.glob("figures/*.pdf"))
    assert not list((results / "attempts").glob("*/*"))  # no checkpoint of a done job is left


@pytest.mark.parametrize("option", ["", "--report", "--status"])
def test_with_nothing_left_to_do_no_torch_is_loaded(finished, option):
    study, _ = finished
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import run_study\n"
        f"code = run_study.main([{str(study)!r}, *{option.split()!r}])\n"
        "sys.exit('torch was loaded' if 'torch' in sys.modules else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=study.parent, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "6 planned = 0 done + 6 reused" in done.stdout


def test_both_executors_give_the_same_numbers(finished, study):
    run(study, "--executor", "inline")

    one, other = answers(finished[0].parent / "results"), answers(study.parent / "results")
    assert len(one) == 4
    assert one == other


def test_a_plan_says_what_is_done_and_what_is_missing(finished):
    plan = json.loads(run(finished[0], "--plan", "--json", "--set", "train.epochs=1").stdout)

    statuses = [(job["kind"], job["status"]) for job in plan["jobs"]]
    assert statuses.count(("cost", "reused")) == 2  # an architecture costs the same
    assert statuses.count(("train", "to run")) == 4  # other cells, not other results


def test_only_runs_a_part_and_says_that_the_rest_was_skipped(study):
    part = run(study, "--only", "variant=TSN,seed=1", code=1)

    assert "6 planned = 2 done + 0 reused + 4 skipped + 0 failed + 0 not run" in part.stdout
    assert set(answers(study.parent / "results")) == {("tsn", 1)}


def test_the_plan_counts_and_writes_nothing(study):
    plan = json.loads(run(study, "--plan", "--json").stdout)

    assert len(plan["jobs"]) == 6
    assert all(job["status"] == "to run" and job["macs"] > 0 for job in plan["jobs"])
    assert not (study.parent / "results").exists()


def test_quick_is_kept_apart(study):
    quick = run(study, "--quick")

    assert "4 planned = 4 done" in quick.stdout
    assert (study.parent / "results" / "quick" / "order" / "report.html").exists()
    assert not (study.parent / "results" / "records").exists()


def test_a_failing_cell_is_a_row_with_its_reason_and_exit_code_1(study):
    text = STUDY.replace(
        "TSN: {model: {name: tsn}}",
        "wild: {train.lr: 100.0, train.optimizer: sgd, train.clip_norm: 0, train.warmup_epochs: 0,"
        " train.momentum: 0.99, train.epochs: 8}",
    ).replace("report: {", "report: {figures: [], ")
    study.write_text(text, "utf-8")

    first = run(study, code=1)
    assert "4 done + 0 reused + 0 skipped + 2 failed + 0 not run" in first.stdout
    assert "diverged" in first.stdout
    assert "diverged" in (study.parent / "results" / "order" / "report.md").read_text("utf-8")

    run(study, code=1)  # tried again once, as run.max_retries says
    third = run(study, code=1)
    assert "tried 2 times; --retry-failed tries again" in third.stdout
    assert len(list((study.parent / "results" / "records").glob("*failed*"))) == 4
    run(study, "--retry-failed", code=1)
    assert len(list((study.parent / "results" / "records").glob("*failed*"))) == 6


LONG = (
    STUDY.replace("epochs: 2", "epochs: 12")
    .replace("train_clips: 48", "train_clips: 160")
    .replace("report: {", "report: {figures: [], tables: [], ")
)


def start(study, *options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(study, *options),
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def wait_for_checkpoint(study, process):
    while not list((study.parent / "results" / "attempts").glob("*/*/checkpoint.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the long study answers if nothing happens to it."""
    path = tmp_path_factory.mktemp("undisturbed") / "order.yaml"
    path.write_text(LONG, "utf-8")
    run(path)
    return answers(path.parent / "results")


@pytest.mark.parametrize(
    "how", ["SIGKILL", "SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)]
)
def test_a_run_stopped_in_the_middle_goes_on_to_the_numbers_of_an_undisturbed_one(
    study, undisturbed, how
):
    study.write_text(LONG, "utf-8")
    process = start(study)
    wait_for_checkpoint(study, process)
    if how == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal's Ctrl-C: to the whole group
    else:
        process.send_signal(getattr(signal, how))
    out, err = process.communicate()
    assert process.returncode == (-9 if how == "SIGKILL" else 130), out + err
    if how != "SIGKILL":
        assert "the same command goes on from here" in err
        assert "Traceback" not in err
        assert "not run" in out

    resumed = run(study)

    assert "0 failed + 0 not run" in resumed.stdout
    records = list((study.parent / "results" / "records").glob("train-*.json"))
    assert len(records) == 4
    assert any("left a checkpoint" in path.read_text("utf-8") for path in records)
    assert answers(study.parent / "results") == undisturbed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "frames: 4",
            "frams: 4",
            'order.yaml:3: base.data.frams: unknown key; did you mean "frames"?',
        ),
        ("epochs: 2", "epochs: two", "order.yaml:5: base.train.epochs: "),
        ("heads: 2", "heads: 3", "order.yaml:4: "),
        ("{name: tsn}", "{name: timesformer, patch: 5}", "order.yaml:9: "),
        ("spatial_depth: 0", "projection: 3x3s2, stage: 4", "order.yaml:4: "),
        (STUDY, "", "order.yaml: "),
    ],
    ids=["typo", "type", "width by heads", "patch by size", "feature map", "empty"],
)
def test_a_wrong_study_file_gets_one_line_and_writes_nothing(study, old, new, message):
    study.write_text(STUDY.replace(old, new), "utf-8")

    wrong = run(study, code=2)

    assert wrong.stderr.count("\n") == 1
    assert wrong.stderr.startswith("error: ")
    assert message in wrong.stderr
    assert not (study.parent / "results").exists()


def test_a_study_file_that_is_not_there_gets_one_line(tmp_path):
    wrong = run(tmp_path / "nothing.yaml", code=2)

    assert wrong.stderr.count("\n") == 1
    assert "nothing.yaml" in wrong.stderr


def test_help_is_answered_without_torch_and_names_every_option():
    code = (
        "import sys, run_study\n"
        "try: run_study.main(['--help'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    for option in ("--plan", "--status", "--report", "--json", "--executor", "--workers"):
        assert option in done.stdout
    for option in ("--retry-failed", "--only", "--set", "--results", "--device", "--quick"):
        assert option in done.stdout


def test_the_same_study_runs_on_real_video_files(study):
    export = [sys.executable, "-m", "vlf.data.motion", "--export", str(study.parent / "clips")]
    sizes = ["--train", "40", "--val", "10", "--test", "20", "--frames", "8", "--size", "32"]
    subprocess.run([*export, *sizes], cwd=ROOT, check=True, capture_output=True)
    text = STUDY.replace(
        "{name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 16, test_clips: 32}",
        "{name: video_list, root: clips, num_classes: 10, class_names: classes.txt, frames: 4}",
    ).replace("report: {", "report: {figures: [], ")
    study.write_text(text, "utf-8")

    done = run(study, "--executor", "inline")

    assert "6 planned = 6 done" in done.stdout
    (record, *_) = (study.parent / "results" / "records").glob("train-*.json")
    predictions = json.loads(record.read_text("utf-8"))["artifacts"]["predictions"]["path"]
    with np.load(study.parent / "results" / predictions) as arrays:
        assert len(arrays["labels"]) == 20
        assert arrays["classes"][0] == "move right"


def test_a_line_of_an_annotation_list_that_cannot_be_read_is_named_before_anything_runs(study):
    clips = study.parent / "clips"
    clips.mkdir()
    for name in ("train.txt", "val.txt", "test.txt"):
        (clips / name).write_text("a.mp4 99\n", "utf-8")
    data = "{name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 16, test_clips: 32}"
    study.write_text(STUDY.replace(data, "{name: video_list, root: clips, num_classes: 10}"))

    wrong = run(study, code=2)

    assert wrong.stderr.count("\n") == 1
    assert "order.yaml:3: base.data.train: clips/train.txt:1: " in wrong.stderr
    assert not (study.parent / "results").exists()
