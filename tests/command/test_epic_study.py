"""EPIC-KITCHENS-100 from its publisher's files to a finished study, by the command."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from epic_files import make_epic_kitchens
from study_runs import ROOT, records, run

SOURCES = ("videos", "rgb_frames", "packed")


def write_study(folder):
    """A level a source of frames; all read the same segments."""
    levels = {}
    for source in SOURCES[:2]:
        config = make_epic_kitchens(folder / "data" / source, source, views=2)
        data = config.model_dump(mode="json", exclude_defaults=True)
        levels[source] = {"data": data | {"name": "epic_kitchens", "root": f"data/{source}"}}
    levels["packed"] = {"data": levels["videos"]["data"] | {"source": "packed"}}
    study = {
        "question": "Do verb and noun come in?",
        "base": {
            "data": levels["videos"]["data"],
            "model": {"name": "tsn"},
            "train": {"epochs": 2, "batch_size": 2, "mixup": 0.2},
        },
        "factors": {"source": levels},
        "claims": ["verb_top1[videos] >= verb_top1[rgb_frames] within 100"],
        "cost": {"batch_sizes": [1], "rounds": 5},
        "report": {"figures": ["confusion"], "tables": ["main"]},
    }
    path = folder / "epic.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), "utf-8")
    return path


def pack(study):
    """The segments that `base.data` names, by the command."""
    options = ["--size", "37", "--out", "data/videos/packed"]
    done = subprocess.run(
        [sys.executable, "-m", "vlf.data.pack", study.name, *options],
        cwd=study.parent,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow  # three training processes
def test_epic_kitchens_becomes_a_finished_study_with_both_heads(tmp_path):
    path = write_study(tmp_path)
    assert "6 videos, 48 frames" in pack(path)  # segments of 0.8 s at 10 frames a second
    done = run(path, "--executor", "inline")
    assert "6 planned = 6 done" in done.stdout
    scores = {}
    for record in records(tmp_path / "results"):
        found = {one["metric"]: one["samples"][0] for one in record["measurements"]}
        with np.load(tmp_path / "results" / record["artifacts"]["predictions"]["path"]) as arrays:
            verbs, nouns = (
                arrays[f"{head}_scores"].argmax(axis=1) == arrays[f"{head}_labels"]
                for head in ("verb", "noun")
            )
            assert arrays["verb_labels"].tolist() == [0, 1, 2]
            assert arrays["noun_labels"].tolist() == [1, 0, 2]
            assert arrays["noun_classes"].tolist() == ["tap", "board:chopping", "salt"]
            assert np.allclose(arrays["noun_scores"].sum(axis=1), 1)
            both = np.concatenate([arrays["verb_scores"], arrays["noun_scores"]], axis=1)
        scores[record["config"]["data"]["source"]] = both
        assert found["top1"] == pytest.approx(100 * (verbs & nouns).mean())
        assert found["verb_top1"] == pytest.approx(100 * verbs.mean())
        assert found["noun_top1"] == pytest.approx(100 * nouns.mean())
    assert set(scores) == {*SOURCES}
    assert np.abs(scores["packed"] - scores["videos"]).max() < 0.01  # up to what JPEG takes
    report = tmp_path / "results" / "epic"
    table = (report / "table.md").read_text("utf-8")
    assert "| top-1 (%) ↑ | verb top-1 (%) ↑ | noun top-1 (%) ↑ |" in table
    page = (report / "report.md").read_text("utf-8")
    assert "Confusion of the verb on the test split" in page
    assert r"| verb\_top1\[videos\] &gt;= verb\_top1\[rgb\_frames\] within 100 | undecided" in page
    assert "6 reused" in run(path, "--executor", "inline").stdout
