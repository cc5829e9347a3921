"""The command as a person uses it: real processes and real files."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from study_runs import ALONE, ROOT, STUDY, answers, assert_no_torch, copy_costs, refused, run


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ran):
    """A study that has run once, with what it printed; shared, so tests must not change it."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(ran.study.parent, folder, dirs_exist_ok=True)
    return folder / "order.yaml", ran.out


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


def test_with_nothing_left_to_do_no_torch_is_loaded(finished, tmp_path):
    shutil.copytree(finished[0].parent, tmp_path / "copy")
    study = tmp_path / "copy" / "order.yaml"
    study.write_text(STUDY.replace("report: {", "report: {figures: [seeds], "), "utf-8")

    assert_no_torch(study)


def test_both_executors_give_the_same_numbers(finished, study):
    copy_costs(finished[0].parent / "results", study.parent / "results")
    study.write_text(STUDY.replace("report: {", "report: {figures: [], tables: [], "), "utf-8")
    run(study, "--executor", "inline")

    one, other = answers(finished[0].parent / "results"), answers(study.parent / "results")
    assert len(one) == 4
    assert one == other


def test_a_folder_compared_with_itself_shows_no_change_and_passes_the_gate(finished):
    study, _ = finished

    out = run(study, "--compare", "results", "--gate", "5%").stdout

    assert "parameters" in out
    assert "worse" not in out.replace("is worse by more than", "")
    assert "no cost is worse by more than 5.0%" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--compare", "nowhere"], "--compare: nowhere is no results folder"),
        (["--gate", "5%"], "--gate: goes with --compare"),
        (["--compare", "results", "--gate", "much"], "must be a percentage such as 5%"),
    ],
)
def test_wrong_comparisons_get_one_line(finished, options, message):
    assert message in refused(finished[0], *options)


def test_a_plan_says_what_is_done_and_what_is_missing(finished):
    plan = json.loads(run(finished[0], "--plan", "--json", "--set", "train.epochs=1").stdout)

    statuses = [(job["kind"], job["status"]) for job in plan["jobs"]]
    assert statuses.count(("cost", "reused")) == 2  # an architecture costs the same
    assert statuses.count(("train", "to run")) == 4  # other cells, not other results


def test_a_plan_tells_the_same_counts_from_records_as_from_models(finished):
    def counts(*options):
        plan = json.loads(run(finished[0], "--plan", "--json", *options).stdout)
        return [(job["cell"], job["parameters"], job["macs"]) for job in plan["jobs"]]

    assert counts() == counts("--results", "none yet")


def test_only_runs_a_part_and_says_that_the_rest_was_skipped(finished, study):
    copy_costs(finished[0].parent / "results", study.parent / "results")
    study.write_text(STUDY.replace("report: {", "report: {figures: [], tables: [], "), "utf-8")
    part = run(study, "--only", "variant=TSN,seed=1", code=1)

    assert "6 planned = 1 done + 2 reused + 3 skipped + 0 failed + 0 not run" in part.stdout
    assert set(answers(study.parent / "results")) == {("tsn", 1)}


def test_the_plan_counts_and_writes_nothing(study):
    plan = json.loads(run(study, "--plan", "--json").stdout)

    assert len(plan["jobs"]) == 6
    assert all(job["status"] == "to run" and job["macs"] > 0 for job in plan["jobs"])
    assert not (study.parent / "results").exists()


def test_a_plan_shows_modules_down_to_blocks_on_request(finished):
    study = finished[0]
    plan = json.loads(run(study, "--plan", "--modules", "3", "--json").stdout)

    rows = {row["module"]: row for row in plan["modules"]["variant=VLF"]}
    length, width = 4 * 4 * 4, 16  # tokens of a clip: 4 frames of 4x4 places
    block = 4 * length * width**2 + 2 * length**2 * width + 4 * length * width**2
    assert rows["h.blocks.0"]["class"] == "Block"
    assert rows["h.blocks.0"]["macs"] == rows["h"]["macs"] == block
    (total,) = {job["macs"] for job in plan["jobs"] if job["cell"] == "variant=VLF"}
    assert sum(row["macs"] for name, row in rows.items() if "." not in name) == total
    shown = run(study, "--plan", "--modules", "2").stdout
    assert f"{block:,}" in shown  # of h and its list of blocks
    assert "h.blocks" in shown
    assert "h.blocks.0" not in shown


def test_quick_is_kept_apart(finished, study):
    copy_costs(finished[0].parent / "results", study.parent / "results" / "quick")
    study.write_text(STUDY.replace("report: {", "report: {figures: [], "), "utf-8")
    quick = run(study, "--quick")

    assert "4 planned = 2 done + 2 reused" in quick.stdout
    assert (study.parent / "results" / "quick" / "order" / "report.html").exists()
    assert not (study.parent / "results" / "records").exists()


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
        (
            "{name: tsn}",
            "{name: tsn, pretrained: no.pt}",
            'order.yaml:9: factors.variant.TSN.model.pretrained: no such file: "no.pt"',
        ),
        (STUDY, "", "order.yaml: "),
    ],
    ids=["typo", "type", "width by heads", "patch by size", "feature map", "weights", "empty"],
)
def test_a_wrong_study_file_gets_one_line_and_writes_nothing(study, old, new, message):
    study.write_text(STUDY.replace(old, new), "utf-8")

    wrong = refused(study)

    assert wrong.count("\n") == 1
    assert wrong.startswith("error: ")
    assert message in wrong
    assert not (study.parent / "results").exists()


def test_a_study_file_that_is_not_there_gets_one_line(tmp_path):
    wrong = refused(tmp_path / "nothing.yaml")

    assert wrong.count("\n") == 1
    assert "nothing.yaml" in wrong


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
    for option in ("--slurm", "--detach", "--cancel", "--compare", "--gate", "--modules"):
        assert option in done.stdout


@pytest.mark.parametrize("option", [[], ["--detach"], ["--cancel"], ["--slurm", "partition=gpu"]])
def test_slurm_on_a_machine_without_it_is_one_line_and_writes_nothing(study, option, monkeypatch):
    monkeypatch.setenv("PATH", "")

    wrong = refused(study, "--executor", "slurm", *option)

    assert wrong.count("\n") == 1
    assert "needs sbatch, srun, squeue on PATH" in wrong
    assert "--executor process" in wrong
    assert not (study.parent / "results").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--slurm", "partition"], "expected KEY=VALUE such as partition=gpu, got 'partition'"),
        (["--slurm", "particion=gpu"], '--slurm: particion: unknown key; did you mean "partition"'),
        (["--slurm", "timeout_min=soon"], "--slurm: timeout_min: expected a whole number"),
        (["--detach"], "--detach: "),
        (["--modules", "2"], "--modules: goes with --plan"),
        (["--cancel"], "--cancel: "),
    ],
)
def test_wrong_slurm_options_get_one_line(study, options, message):
    wrong = refused(study, *options)

    assert wrong.count("\n") == 1
    assert message in wrong
    assert not (study.parent / "results").exists()


def test_the_same_study_runs_on_real_video_files(finished, study):
    copy_costs(finished[0].parent / "results", study.parent / "results")
    export = [sys.executable, "-m", "vlf.data.export", str(study), "--as", "h264"]
    out = ["--out", str(study.parent / "clips")]
    subprocess.run([*export, *out], cwd=ROOT, check=True, capture_output=True)
    text = (
        STUDY.replace("seeds: [0, 1]", "seeds: [0]")
        .replace(
            "{name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 16, test_clips: 32}",
            "{name: video_list, root: clips, num_classes: 10, class_names: classes.txt, frames: 4}",
        )
        .replace("report: {", "report: {figures: [], ")
    )
    study.write_text(text, "utf-8")

    done = run(study, "--executor", "inline")

    assert "4 planned = 2 done + 2 reused" in done.stdout
    (record, *_) = (study.parent / "results" / "records").glob("train-*.json")
    predictions = json.loads(record.read_text("utf-8"))["artifacts"]["predictions"]["path"]
    with np.load(study.parent / "results" / predictions) as arrays:
        assert len(arrays["labels"]) == 32
        assert arrays["classes"][0] == "move right"


def test_a_line_of_an_annotation_list_that_cannot_be_read_is_named_before_anything_runs(study):
    clips = study.parent / "clips"
    clips.mkdir()
    for name in ("train.txt", "val.txt", "test.txt"):
        (clips / name).write_text("a.mp4 99\n", "utf-8")
    data = "{name: motion, frames: 4, size: 32, train_clips: 48, val_clips: 16, test_clips: 32}"
    study.write_text(STUDY.replace(data, "{name: video_list, root: clips, num_classes: 10}"))

    wrong = refused(study)

    assert wrong.count("\n") == 1
    assert "order.yaml:3: base.data." in wrong
    assert "clips/train.txt:1: label must be 0 to 9" in wrong
    assert not (study.parent / "results").exists()


# Counting large models takes long; tests/study/test_published_studies.py plans all uncounted.
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path, marks=[] if path.stem in ("factorization", "frames") else pytest.mark.slow
        )
        for path in sorted((ROOT / "ablations").glob("*.yaml"))
    ],
    ids=lambda p: p.stem,
)
def test_every_study_that_is_shipped_plans(path, tmp_path):
    plan = json.loads(run(path, "--plan", "--json", "--results", str(tmp_path)).stdout)

    assert plan["jobs"]
    assert all(job["macs"] > 0 and job["parameters"] > 0 for job in plan["jobs"])


@pytest.mark.slow
def test_costs_alone_of_a_named_device_merge_by_copying_the_records(study):
    costs = STUDY.replace("seeds: [0, 1]", "seeds: []")
    study.write_text(costs, "utf-8")
    there = run(study, "--cost-only", "--device-name", "bench-2", "--results", "there").stdout
    assert "2 planned = 2 done" in there
    run(study)

    shutil.copytree(
        study.parent / "there" / "records", study.parent / "results" / "records", dirs_exist_ok=True
    )
    merged = run(study, "--report").stdout

    assert "2 planned = 0 done + 2 reused" in merged
    table = (study.parent / "results/order/tables/devices.csv").read_text("utf-8")
    assert "bench-2 CPU: / baseline" in table.splitlines()[0]
    assert "not measured" not in table
    assert "other code" not in table


def test_costs_are_measured_where_the_data_are_not_and_training_is_skipped(study):
    data = "{name: video_list, root: nowhere, num_classes: 5, frames: 4, size: 32}"
    study.write_text(re.sub(r"data: .*", f"data: {data}", ALONE), "utf-8")
    assert "nowhere" in refused(study)

    out = run(study, "--cost-only").stdout

    assert "3 planned = 1 done + 0 reused + 2 skipped + 0 failed + 0 not run" in out


@pytest.mark.parametrize("name", ["", "_x", "a/b", "x" * 41])
def test_a_device_name_that_a_heading_cannot_hold_is_refused(study, name):
    assert "must be up to 40 letters" in refused(study, "--device-name", name)
