"""What a plan says of its data before anything runs: small batches, missing data, times."""

import io
import json

import pytest
import torch
from dataset_files import make_frames, make_kinetics
from rich.console import Console

from study.cli.plan_view import print_plan
from study.estimate.estimate import estimate
from study.measure.counts import CellCounts
from study.plan.data_check import inspect_data
from study.plan.planner import Choice, make_plan, task_of
from study.run.train import run_job
from study.spec.grid import expand
from study.spec.study import StudyError, load_study
from vlf.config import ConfigError, RunConfig
from vlf.features import OnFeatures
from vlf.last_batch import check_last_batch, smallest_share
from vlf.models import build_model
from vlf.models.freeze import find_backbone, freeze, hold

ONE = {"frames": 1, "size": 8}  # feature maps of one place, so one value a channel for each clip


def config(model=None, train=None, **data):
    values = {"data": {"name": "motion", **ONE, **data}, "model": model or {"name": "tsn"}}
    return RunConfig.model_validate({**values, "train": train or {}})


def refuses(run, clips):
    try:
        check_last_batch(run, clips)
    except ConfigError as error:
        return error.key == "train.batch_size"
    return False


MODELS = {
    "tsn": {"name": "tsn"},
    "vlf": {"name": "vlf", "width": 16, "heads": 2, "spatial_depth": 0},
    "vtn": {"name": "vtn", "width": 16, "heads": 2},
    "timesformer": {"name": "timesformer", "width": 16, "heads": 2, "patch": 4},
}


@pytest.mark.parametrize("shape", [ONE, {"frames": 2, "size": 8}, {"frames": 1, "size": 32}])
@pytest.mark.parametrize("name", ["tsn", "vlf", "vtn", "timesformer"])
def test_a_batch_of_one_clip_is_refused_just_where_torch_refuses_to_train_on_it(name, shape):
    run = config(MODELS[name], {"batch_size": 4}, **shape)
    model = build_model(run.model, run.data).train()
    try:
        model(torch.randn(1, shape["frames"], 3, shape["size"], shape["size"]))
        is_refused = False
    except ValueError:
        is_refused = True
    assert refuses(run, 9) is is_refused
    assert not refuses(run, 10)


def test_what_a_frozen_backbone_keeps_needs_no_second_clip():
    run = config({"name": "tsn"}, {"batch_size": 4})
    model = build_model(run.model, run.data)
    held = freeze(model, "f")
    model.train()
    hold(held)
    model(torch.randn(1, 1, 3, 8, 8))  # no error
    train = run.train.model_copy(update={"freeze": "f"})
    assert not refuses(run.model_copy(update={"train": train}), 9)
    train = run.train.model_copy(update={"freeze": 1})  # the later stages are trained
    assert refuses(run.model_copy(update={"train": train}), 9)


def test_stored_features_need_it_for_what_is_trained_behind_them_alone():
    run = config(MODELS["vlf"], {"batch_size": 4})
    model = build_model(run.model, run.data)
    held = freeze(model, "f")
    name, backbone = find_backbone(model)
    on_features = OnFeatures(model, name, (1, 3, 8, 8)).train()
    hold(held)
    features = backbone(torch.randn(1, 3, 8, 8))[None]
    try:
        on_features(features)
        is_refused = False
    except ValueError:
        is_refused = True
    train = run.train.model_copy(update={"freeze": "f", "stored_views": 2})
    assert refuses(run.model_copy(update={"train": train}), 9) is is_refused


@pytest.mark.parametrize(
    ("clips", "batch", "processes", "fewest"),
    [
        (33, 16, 1, 1), (32, 16, 1, 16), (34, 16, 1, 2), (1, 16, 1, 1), (5, 1, 1, 1), (5, 16, 1, 5),
        (32, 16, 4, 4), (34, 16, 4, 1), (40, 16, 4, 2), (35, 16, 2, 1), (32, 3, 4, 1),
    ],
)  # fmt: skip
def test_the_fewest_clips_that_a_process_has_in_a_step(clips, batch, processes, fewest):
    assert smallest_share(clips, batch, processes) == fewest


@pytest.mark.parametrize(
    ("clips", "train", "message"),
    [
        (
            33,
            {"batch_size": 16},
            "16 leaves a batch of one clip, with 33 training clips; .* try 15$",
        ),
        (5, {"batch_size": 1}, "1 leaves a batch of one clip, with 5 training clips; .*; try 3$"),
        (1, {"batch_size": 16}, "; more training clips are needed$"),
        (34, {"batch_size": 16, "processes": 4}, "34 training clips and 4 processes; .*; try 17$"),
    ],
)
def test_the_way_out_is_the_nearest_batch_size_that_trains(clips, train, message):
    with pytest.raises(ConfigError, match=message) as caught:
        check_last_batch(config(train=train), clips)
    nearest = caught.value.message.rpartition("try ")[2]
    if nearest.isdecimal():
        values = {**train, "batch_size": int(nearest)}
        check_last_batch(config(train=values), clips)


STUDY = """\
question: Does it train?
base:
  data: {data}
  model: {{name: tsn}}
  train: {{epochs: 1, batch_size: 2}}
seeds: [0, 1]
report: {{figures: [], tables: [main]}}
"""
MOTION = "{name: motion, frames: 1, size: 8, train_clips: 11, val_clips: 10, test_clips: 10}"


def planned(folder, store, data, text=STUDY):
    path = folder / "study.yaml"
    path.write_text(text.format(data=data), "utf-8")
    study = load_study(path)
    return make_plan(study, expand(study), store, "cpu", Choice())


def test_the_study_file_is_told_its_line_before_anything_runs(tmp_path, store):
    plan = planned(tmp_path, store, MOTION)
    assert plan.needs_a_look
    with pytest.raises(
        StudyError, match=r"study\.yaml:5: base\.train\.batch_size: 2 leaves a batch"
    ):
        inspect_data(plan, to_run=False)
    assert inspect_data(planned(tmp_path, store, MOTION.replace("11", "12")), to_run=True)


def frames_of(made, rest):
    return f"{{name: frames, root: {made.root}, num_classes: 3, {rest}}}"


def shown(plan, data):
    counts = {job.cell.name: CellCounts(1000, 2e8) for job in plan.cost}
    for name, one in data.items():
        counts[name] = CellCounts(1000, 2e8, data=one.notes, missing=one.missing)
    return counts


def printed(plan, counts, store):
    console = Console(width=200, record=True, file=io.StringIO())
    print_plan(plan, counts, estimate(plan, counts, store), console, as_json=False)
    return console.export_text()


def test_a_plan_of_data_that_are_not_there_says_so_first_and_no_time_that_it_does_not_know(
    tmp_path, store, capsys
):
    absent = "{name: video_list, root: no/where, num_classes: 3, size: 32}"
    plan = planned(tmp_path, store, absent)
    counts = shown(plan, inspect_data(plan, to_run=False))
    text = printed(plan, counts, store)
    first = text.splitlines()[0]
    assert first.startswith("warning: data are missing, and a run would be refused: ")
    assert 'study.yaml:3: base.data.root: no such folder: "no/where"' in first
    assert "not known, since data are missing" in text
    assert "training: not known how long" in text
    print_plan(plan, counts, estimate(plan, counts, store), Console(), as_json=True)
    values = json.loads(capsys.readouterr().out)
    assert (values["estimate_s"], values["device_hours"]) == (None, None)
    assert {job["estimate_s"] for job in values["jobs"]} == {None}
    assert values["missing"] == [first.partition("refused: ")[2].rstrip()]
    with pytest.raises(StudyError, match="no such folder"):
        inspect_data(plan, to_run=True)


def test_published_numbers_stand_in_for_a_published_dataset_that_is_not_there(tmp_path, store):
    plan = planned(tmp_path, store, "{name: kinetics, root: no/where}")
    text = printed(plan, shown(plan, inspect_data(plan, to_run=False)), store)
    assert text.startswith("warning: data are missing")
    assert "kinetics: its lists are not here; 240,436 training clips, as published" in text
    assert "in about" in text


@pytest.mark.parametrize(
    ("bad", "message"), [("fail", "no such folder"), ("skip", "none of its 3 videos can be used")]
)
def test_videos_that_are_missing_beside_lists_that_are_there_are_told(
    tmp_path, store, bad, message
):
    made = make_frames(tmp_path / "data")
    (tmp_path / "data" / "jpg").rename(tmp_path / "elsewhere")
    plan = planned(tmp_path, store, frames_of(made, f'size: 32, val: "", bad: {bad}'))

    (one,) = inspect_data(plan, to_run=False).values()

    assert "train.txt:3: no such folder" in one.missing
    assert "2 more" in one.missing
    with pytest.raises(StudyError, match=message):
        inspect_data(plan, to_run=True)


def test_a_list_that_is_wrong_ends_a_plan_too(tmp_path, store):
    made = make_frames(tmp_path / "data")
    (tmp_path / "data" / "test.txt").write_text("jpg/run/0001 8 7\n")
    data = frames_of(made, 'size: 32, val: ""')
    plan = planned(tmp_path, store, data)
    with pytest.raises(StudyError, match=r"study\.yaml:3: base\.data.*test\.txt:1: label"):
        inspect_data(plan, to_run=False)


@pytest.mark.parametrize("to_run", [False, True])
def test_what_splits_share_is_said_by_plan_and_run(tmp_path, store, to_run):
    make_kinetics(tmp_path / "data")
    data = f"{{name: kinetics, root: {tmp_path}/data, num_classes: 3, val: annotations/val.csv}}"
    text = STUDY.replace("epochs: 1,", "epochs: 1, select: best,")
    plan = planned(tmp_path, store, data, text)
    (one,) = inspect_data(plan, to_run).values()
    said = "test split: 3 of 3 clips are in the val split, too: train.select: best chooses the"
    assert any(note.startswith(said) for note in one.notes)
    text = printed(plan, shown(plan, inspect_data(plan, to_run)), store)
    assert f"{said} epoch on the test" in text


def test_the_record_says_what_splits_share_and_its_identity_does_not_change(tmp_path, store):
    made = make_frames(tmp_path / "data", size=32)
    data = (
        f"{{name: frames, root: {made.root}, num_classes: 3, frames: 2, size: 32, val: test.txt}}"
    )
    text = STUDY.replace("epochs: 1,", "epochs: 1, select: best,")
    plan = planned(tmp_path, store, data, text)
    record = run_job(task_of(plan, plan.train[0], store.root), lambda event: None)
    assert record.status == "done", record.detail
    assert record.notes == (
        "test split: 3 of 3 clips are in the val split, too: train.select: best chooses the epoch "
        f"on the test; the first is {made.root}/test.txt:1 ({made.root}/test.txt:1)",
    )
    store.refresh()
    assert planned(tmp_path, store, data, text).train[0].status == "reused"


def test_a_test_list_that_is_gone_ends_a_job_before_it_trains(tmp_path, store):
    made = make_frames(tmp_path / "data", size=32)
    data = frames_of(made, 'frames: 2, size: 32, val: ""')
    plan = planned(tmp_path, store, data)
    (tmp_path / "data" / "test.txt").write_text("jpg/run/0001 80 0\n")
    events = []
    record = run_job(task_of(plan, plan.train[0], store.root), events.append)
    assert record.status == "failed"
    assert "test.txt:1: no such image" in record.reason
    assert events == []


def test_times_are_said_with_how_many_run_at_a_time(tmp_path, store):
    plan = planned(tmp_path, store, MOTION, STUDY + "run: {{workers: 2}}\n")
    counts = {job.cell.name: CellCounts(1000, 5e15) for job in plan.cost}
    text = printed(plan, counts, store)
    assert "in about 191 days, with 2 jobs of 1 core at a time (an estimate); timing of" in text
