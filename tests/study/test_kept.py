"""What a results folder keeps of the studies that were run in it."""

import json
import os
from pathlib import Path

import pytest
from made_results import STUDY, fill, plan_of

from study.manage.reachable import Needs
from study.plan.known_studies import (
    kept_of,
    known_studies,
    load_known,
    read_since,
    report_parts,
    write_kept,
)
from study.records.store import Store
from study.spec.study import StudyError, load_study


def keep(path, root, overrides=(), device="cpu"):
    kept = kept_of(load_study(path, overrides), device)
    write_kept(kept, root)
    return root / "studies" / kept.file_name


@pytest.mark.parametrize("place", ["ablations/deep/order.yaml", "order.yaml", "a/b/order.yaml"])
@pytest.mark.parametrize("extended", ["base.yaml", "shared/base.yaml", "../../up/base.yaml"])
def test_a_kept_study_is_planned_when_its_files_are_gone(tmp_path, place, extended):
    path = tmp_path / "x" / "y" / place
    base = Path(os.path.normpath(path.parent / extended))
    for one in (path, base):
        one.parent.mkdir(parents=True, exist_ok=True)
    base.write_text(STUDY, "utf-8")
    path.write_text(f"extends: {extended}\nseeds: [3]\n", "utf-8")
    wanted = plan_of(path, tmp_path / "results")
    file = keep(path, tmp_path / "results")
    path.unlink()
    base.unlink()

    kept, (study,) = load_known(file)

    assert study.seeds == (3,)
    assert study.digest == wanted.study.digest
    assert kept.parts == report_parts(path)


def test_names_of_reports_follow_from_where_the_file_is():
    assert report_parts(Path("/x/ablations/ssv2/depth.yaml")) == ("ssv2", "depth")
    assert report_parts(Path("/x/depth.yaml")) == ("depth",)
    assert report_parts(Path("/x/ablations/y/ablations/depth.yaml")) == ("depth",)
    assert report_parts(Path("/x/ablations.yaml")) == ("ablations",)


def test_an_edited_study_replaces_what_was_kept_and_other_options_are_beside_it(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    keep(path, tmp_path)
    keep(path, tmp_path, ["train.epochs=3"])
    keep(path, tmp_path, device="cuda")
    path.write_text(STUDY.replace("seeds: [0, 1]", "seeds: [5]"), "utf-8")
    keep(path, tmp_path)

    found = [load_known(one) for one in known_studies(tmp_path)]

    told = sorted((kept.device, kept.overrides, study.seeds) for kept, (study, *_) in found)
    assert told == [
        ("cpu", (), (5,)),
        ("cpu", ("train.epochs=3",), (0, 1)),
        ("cuda", (), (0, 1)),
    ]


def test_a_study_that_was_edited_since_counts_as_it_was_run_and_as_it_is(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    file = keep(path, tmp_path)
    path.write_text(STUDY.replace("seeds: [0, 1]", "seeds: [5]"), "utf-8")

    assert [study.seeds for study in load_known(file)[1]] == [(0, 1), (5,)]

    path.write_text(STUDY.replace("seeds", "seed"), "utf-8")
    with pytest.raises(StudyError, match='did you mean "seeds"'):
        load_known(file)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"files": {"ablations/order.yaml": STUDY + "\n"}},
        {"files": {"../order.yaml": STUDY}, "main": "../order.yaml"},
        {"files": {"/order.yaml": STUDY}, "main": "/order.yaml"},
        {"overrides": "train.epochs=3"},
        {"overrides": ["train.speed=3"]},
        {"main": "other.yaml"},
        {"more": 1},
    ],
)
def test_what_is_not_as_it_was_kept_is_refused(tmp_path, change):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    file = keep(path, tmp_path)
    path.unlink()
    assert load_known(file)[1]
    values = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**values, **change}), "utf-8")

    with pytest.raises(StudyError):
        load_known(file)


def test_a_folder_with_older_records_says_since_when_it_keeps_studies(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    keep(path, tmp_path / "new")
    fill(path, tmp_path / "new")
    fill(path, tmp_path / "old")
    keep(path, tmp_path / "old")

    assert read_since(tmp_path / "new") is None
    assert read_since(tmp_path / "old") is not None


TUNED = STUDY + "tune: {train.lr: [1.0e-3, 2.0e-3], seeds: [100], epochs: 1}\n"


@pytest.mark.parametrize("text", [STUDY, TUNED])
def test_what_is_needed_is_what_a_plan_asks_for(tmp_path, text):
    path = tmp_path / "order.yaml"
    path.write_text(text, "utf-8")
    plan = fill(path, tmp_path)  # tuning decides with the second look
    plan = plan_of(path, tmp_path)
    needs = Needs()
    needs.add(plan.study, "cpu", tmp_path)

    assert all(
        job.key.variant in needs.variants[job.kind, job.key.identity] for job in plan.training
    )
    for record in Store(tmp_path).all_done():
        if record.kind == "cost":
            assert needs.architecture_of(record)[1]
    if text == STUDY:
        assert len(needs.variants) == len(plan.training)
