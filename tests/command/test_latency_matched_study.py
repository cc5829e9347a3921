"""A study that matches latency, from its file to its table, with real timings."""

import csv
import json
import subprocess
import time

import pytest
from study_runs import STUDY, assert_no_torch, command, run

MATCH = """\
match:
  metric: latency
  by:
    timesformer: {key: model.width, max: 128}
  within: 95%
"""
FORMER = (
    "    TimeSformer-like: {model: {name: timesformer, patch: 8, width: 16, heads: 2, depth: 1}}\n"
)
DEEPER = FORMER.replace("-like", " of 2").replace("depth: 1", "depth: 2")
TIMES = "\N{MULTIPLICATION SIGN}"


def write(folder, seeds="[0]", variants=FORMER):
    path = folder / "order.yaml"
    text = STUDY.replace("    TSN:", f"{variants}    TSN:")
    text = text.replace("seeds: [0, 1]", f"seeds: {seeds}")
    path.write_text(text.replace("report: {", "report: {tables: [main], figures: [], ") + MATCH)
    return path


def scaled(path):
    files = sorted((path.parent / "results" / "scaled").glob("latency-*.json"))
    return {file.name: file.read_text("utf-8") for file in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The study after one run: its file, what was said before, and what the run said."""
    path = write(tmp_path_factory.mktemp("latency"))
    before = run(path, "--plan").stdout, run(path, "--status", "--json", code=1).stdout
    assert [one.name for one in path.parent.iterdir()] == ["order.yaml"]
    done = run(path, "--executor", "inline")
    return path, before, done.stdout


def records_of(path, model):
    files = (path.parent / "results" / "records").glob("*.json")
    found = [json.loads(file.read_text("utf-8")) for file in files]
    return [one for one in found if one["config"]["model"]["name"] == model]


def latency(path, model):
    (found,) = (
        measurement["samples"]
        for record in records_of(path, model)
        for measurement in record["measurements"]
        if (measurement["metric"], measurement["part"]) == ("latency", None)
    )
    return found


def test_a_plan_times_nothing_and_says_what_comes_first(finished):
    _, (plan, status), _ = finished

    assert (
        "the values marked ? are the nearest in MACs; a run first chooses those of 1 cell by"
        in plan
    )
    waiting = [job for job in json.loads(status)["jobs"] if job["reason"]]
    assert {job["reason"] for job in waiting} == {
        "waits for the timing that chooses model.width (match)"
    }
    assert {job["status"] for job in waiting} == {"not run"}


def test_what_was_chosen_is_trained_timed_and_told(finished):
    path, _, said = finished
    (width,) = {one["config"]["model"]["width"] for one in records_of(path, "timesformer")}
    found = [json.loads(text) for text in scaled(path).values()]
    ratios = [f"{one['reached']['ratio']:.3f}{TIMES}" for one in found if one["value"] == width]

    assert {one["kind"] for one in records_of(path, "timesformer")} == {"train", "cost"}
    assert f"variant=TimeSformer-like: width {width} has {ratios[0]}" in said
    assert "6 planned = 6 done" in said.splitlines()[-1]


def test_the_table_has_the_ratio_of_this_reports_own_timing_run(finished):
    path, _, _ = finished
    with (path.parent / "results/order/table.csv").open(encoding="utf-8") as file:
        rows = {row["variant"]: row["matched (latency)"] for row in csv.DictReader(file)}
    (width,) = {one["config"]["model"]["width"] for one in records_of(path, "timesformer")}
    ratios = [
        ours / theirs
        for ours, theirs in zip(latency(path, "timesformer"), latency(path, "vlf"), strict=True)
    ]

    assert rows["VLF"] == "target"
    assert rows["TimeSformer-like"].startswith(f"width {width}, {sorted(ratios)[2]:.3f}{TIMES} [")
    assert rows["TSN"].startswith("as it is, ")
    page = (path.parent / "results/order/report.md").read_text("utf-8")
    assert "so that their latency comes within 95 % of that of VLF" in page
    assert "chosen by timing a few values of each at batch 1 beside its target on" in page
    methods = (path.parent / "results/order/methods.md").read_text("utf-8")
    assert f"TimeSformer-like: width {width}, " in methods


def test_a_later_run_takes_what_was_chosen_and_loads_no_torch(finished):
    path, _, _ = finished
    before = scaled(path)
    assert_no_torch(path)
    assert scaled(path) == before


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_times_goes_on_with_what_it_has(tmp_path):
    path = write(tmp_path, seeds="[]", variants=FORMER + DEEPER)
    process = subprocess.Popen(
        command(path), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not scaled(path):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    kept = scaled(path)
    assert len(kept) == 1

    out = run(path).stdout

    assert "values of 1 cell, timed beside their targets" in out
    assert kept.items() <= scaled(path).items()
    assert len(scaled(path)) == 2
    assert "0 failed + 0 not run" in out.splitlines()[-1]


@pytest.mark.slow
def test_a_value_that_is_not_near_enough_ends_the_command_in_one_line_and_is_remembered(tmp_path):
    path = write(tmp_path, seeds="[]")
    path.write_text(path.read_text().replace("95%", "0.0001%"))

    first = run(path, code=2)
    again = run(path, code=2)

    for done in (first, again):
        assert done.stderr.count("\n") == 1
        assert "match.by." in done.stderr
        assert "within 0.0001 % of the latency of variant=VLF on" in done.stderr
        assert "widen within, or delete" in done.stderr
    assert again.stderr == first.stderr
    assert not list((tmp_path / "results").glob("records/*"))
