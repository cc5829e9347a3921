"""EPIC-KITCHENS-100 from its publisher's files to a finished study, by the command."""

import json
import sys

import numpy as np
import pytest
import yaml
from study_runs import ROOT, run

sys.path.insert(0, str(ROOT / "tests" / "vlf" / "data"))
from epic_files import make_epic_kitchens


def write_study(folder):
    """A level a source of frames; both read the same segments."""
    levels = {}
    for source in ("videos", "rgb_frames"):
        config = make_epic_kitchens(folder / "data" / source, source, views=2)
        data = config.model_dump(mode="json", exclude_defaults=True)
        levels[source] = {"data": data | {"name": "epic_kitchens", "root": f"data/{source}"}}
    study = {
        "question": "Do verb and noun come in?",
        "base": {
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


@pytest.mark.slow  # two training processes
def test_epic_kitchens_becomes_a_finished_study_with_both_heads(tmp_path):
    path = write_study(tmp_path)
    done = run(path, "--executor", "inline")
    assert "4 planned = 4 done" in done.stdout
    for file in (tmp_path / "results" / "records").glob("train-*.json"):
        record = json.loads(file.read_text("utf-8"))
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
        assert found["top1"] == pytest.approx(100 * (verbs & nouns).mean())
        assert found["verb_top1"] == pytest.approx(100 * verbs.mean())
        assert found["noun_top1"] == pytest.approx(100 * nouns.mean())
    report = tmp_path / "results" / "epic"
    table = (report / "table.md").read_text("utf-8")
    assert "| top-1 (%) ↑ | verb top-1 (%) ↑ | noun top-1 (%) ↑ |" in table
    page = (report / "report.md").read_text("utf-8")
    assert "Confusion of the verb on the test split" in page
    assert r"| verb\_top1\[videos\] &gt;= verb\_top1\[rgb\_frames\] within 100 | undecided" in page
    assert "4 reused" in run(path, "--executor", "inline").stdout
