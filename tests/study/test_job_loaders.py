"""`run.loaders`: threads that decode ahead; a setting of where a job runs, not of what it is."""

import dataclasses

import pytest
import torch

from study.plan.planner import Choice, make_plan, task_of
from study.records.store import Store
from study.run.train import loaders_of
from study.spec.grid import expand
from study.spec.study import load_study
from vlf.config import MotionConfig

STUDY = """\
question: Does order matter?
base:
  data: {{name: video_list, root: {root}, num_classes: 2, val: ""}}
  model: {{name: tsn}}
run: {run}
"""
CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def task(tmp_path):
    (tmp_path / "train.txt").write_text("a.mp4 0\n")
    (tmp_path / "test.txt").write_text("a.mp4 0\n")

    def make(run):
        path = tmp_path / "study.yaml"
        path.write_text(STUDY.format(root=tmp_path, run=run), "utf-8")
        study = load_study(path)
        plan = make_plan(study, expand(study), Store(tmp_path), "cpu", Choice())
        return task_of(plan, plan.train[0], tmp_path)

    return make


def test_a_job_is_handed_the_loaders_of_its_study_and_keeps_its_identity(task):
    plain, five, none = task("{}"), task("{loaders: 5}"), task("{loaders: 0}")

    assert [one.loaders for one in (plain, five, none)] == [None, 5, 0]
    assert plain.key.identity == five.key.identity == none.key.identity
    assert plain.key.config == five.key.config
    assert loaders_of(five, CPU) == loaders_of(five, GPU) == 5
    assert loaders_of(none, GPU) == 0


def test_left_alone_they_are_the_cores_of_a_gpu_and_none_on_cpu(task, monkeypatch):
    monkeypatch.setattr("study.run.train.available_cores", lambda: 12)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert loaders_of(task("{}"), CPU) == 0
    assert loaders_of(task("{}"), GPU) == 3
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert loaders_of(task("{}"), GPU) == 8


def test_clips_that_are_made_have_no_loaders(task):
    one = task("{loaders: 5}")
    made = dataclasses.replace(one, config=one.config.model_copy(update={"data": MotionConfig()}))
    assert loaders_of(made, CPU) == 0
