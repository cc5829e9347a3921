"""From each publisher's file layout to a finished study, by the command as a person uses it."""

import pytest
import yaml
from dataset_files import MAKERS
from study_runs import records, refused, run

KINETICS_NOTES = [
    "train split: 1 of 4 videos are missing and left out",
    "test split: 1 of 4 videos are missing and left out",
]


def write_study(folder, names, **data):
    """A study with a level a dataset, all of them TSN for one epoch."""
    levels = {}
    for name in names:
        config = MAKERS[name](folder / "data" / name)
        levels[name] = {"data": config.model_dump(mode="json", exclude_defaults=True)}
        levels[name]["data"] |= {"name": name, "root": f"data/{name}", **data}
    study = {
        "question": "Do the datasets come in?",
        "base": {"model": {"name": "tsn"}, "train": {"epochs": 1, "batch_size": 2}},
        "factors": {"dataset": levels},
        "cost": {"batch_sizes": [1], "rounds": 5},
        "report": {"figures": [], "tables": ["main"]},
    }
    path = folder / "datasets.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), "utf-8")
    return path


@pytest.mark.slow  # a training process a dataset
def test_every_dataset_becomes_a_finished_study(tmp_path):
    path = write_study(tmp_path, MAKERS)
    done = run(path, "--executor", "inline")
    assert f"{2 * len(MAKERS)} planned = {2 * len(MAKERS)} done" in done.stdout
    found = {one["config"]["data"]["name"]: one for one in records(tmp_path / "results")}
    assert set(found) == set(MAKERS)
    for name, record in found.items():
        assert record["status"] == "done"
        assert record["notes"] == (KINETICS_NOTES if name == "kinetics" else [])
    table = (tmp_path / "results" / "datasets" / "table.md").read_text("utf-8")
    assert KINETICS_NOTES[0] in table
    again = run(path, "--executor", "inline")
    assert f"{2 * len(MAKERS)} reused" in again.stdout


def test_a_plan_tells_what_is_missing_once(tmp_path):
    path = write_study(tmp_path, ["kinetics"])
    path.write_text(path.read_text().replace("factors:\n", "factors:\n  train.epochs: [1, 2]\n"))
    plan = run(path, "--plan")
    for note in KINETICS_NOTES:
        assert f"train.epochs=1, dataset=kinetics and 1 more: {note}" in plan.stdout


def test_a_plan_of_data_that_are_elsewhere_is_a_plan(tmp_path):
    path = write_study(tmp_path, ["kinetics"])
    (tmp_path / "data" / "kinetics").rename(tmp_path / "moved")
    assert "no such file: data/kinetics/annotations/train.csv" in run(path, "--plan").stdout


def test_what_cannot_be_read_is_one_line_before_anything_runs(tmp_path):
    path = write_study(tmp_path, ["something"])
    listed = tmp_path / "data" / "something" / "labels" / "train.json"
    listed.write_text(listed.read_text("utf-8").replace("Closing [", "Shutting ["), "utf-8")
    wrong = refused(path)
    assert wrong.count("\n") == 1
    assert "datasets.yaml:15: factors.dataset.something.data" in wrong
    assert (
        'data/something/labels/train.json:3: "Shutting something" is no class of labels/labels.json'
    ) in wrong
    assert not (tmp_path / "results" / "records").exists()
