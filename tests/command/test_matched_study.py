"""A study with `match`, from its file to its table."""

import csv
import json

import pytest
from study_runs import STUDY, assert_no_torch, copy_records, refused, run

MATCH = """\
match:
  metric: macs
  by: {timesformer: {key: model.width, max: 128}}
  within: 20%
claims:
  - macs[TimeSformer-like] <= 1.2 * macs[VLF]
"""
FORMER = (
    "    TimeSformer-like: {model: {name: timesformer, patch: 8, width: 16, heads: 2, depth: 1}}\n"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ran):
    """A matched study that has run once: its file, the plan before, and its records."""
    path = tmp_path_factory.mktemp("matched") / "order.yaml"
    text = STUDY.replace("    TSN:", f"{FORMER}    TSN:").replace("seeds: [0, 1]", "seeds: [0]")
    text = text.replace("report: {", "report: {tables: [main], figures: [], ")
    path.write_text(text + MATCH, "utf-8")
    plan = json.loads(run(path, "--plan", "--json").stdout)
    assert not (path.parent / "results").exists()
    copy_records(ran.results, path.parent / "results")  # TimeSformer alone is made
    run(path, "--executor", "inline")
    files = (path.parent / "results" / "records").glob("*.json")
    return path, plan, [json.loads(file.read_text("utf-8")) for file in files]


def macs_of(records, name):
    (found,) = {
        measurement["samples"][0]
        for record in records
        if record["kind"] == "cost" and record["config"]["model"]["name"] == name
        for measurement in record["measurements"]
        if measurement["metric"] == "macs" and measurement["part"] is None
    }
    return found


def test_what_was_planned_is_what_was_trained_and_timed(finished):
    _, plan, records = finished
    planned = {job["matched"]["value"] for job in plan["jobs"] if "TimeS" in job["cell"]}
    ratios = {job["matched"]["ratio"] for job in plan["jobs"] if "TimeS" in job["cell"]}

    former = [one for one in records if one["config"]["model"]["name"] == "timesformer"]

    assert {one["kind"] for one in former} == {"train", "cost"}
    assert {one["config"]["model"]["width"] for one in former} == planned != {16}
    assert ratios == {macs_of(records, "timesformer") / macs_of(records, "vlf")}
    assert 0.8 <= ratios.pop() <= 1.2


def test_the_table_has_the_value_and_the_ratio_of_the_records(finished):
    path, _, records = finished
    with (path.parent / "results/order/table.csv").open(encoding="utf-8") as file:
        rows = {row["variant"]: row["matched (MACs)"] for row in csv.DictReader(file)}
    former = next(one for one in records if one["config"]["model"]["name"] == "timesformer")
    width, target = former["config"]["model"]["width"], macs_of(records, "vlf")
    times = "\N{MULTIPLICATION SIGN}"

    assert rows == {
        "VLF": "target",
        "TimeSformer-like": f"width {width}, {macs_of(records, 'timesformer') / target:.3f}{times}",
        "TSN": f"as it is, {macs_of(records, 'tsn') / target:.3f}{times}",
    }
    page = (path.parent / "results/order/report.md").read_text("utf-8")
    assert "MACs come within 20 % of those of VLF" in page


def test_a_matched_study_that_is_done_loads_no_torch(finished):
    assert_no_torch(finished[0])


def test_a_variant_that_cannot_come_near_ends_the_command_with_nothing_written(study):
    text = STUDY.replace("    TSN:", f"{FORMER}    TSN:") + MATCH.replace("20%", "0.01%")
    study.write_text(text, "utf-8")

    done = refused(study)

    assert done.count("\n") == 1
    assert "order.yaml:16: match.by.timesformer: no model.width brings" in done
    assert [one.name for one in study.parent.iterdir()] == ["order.yaml"]
