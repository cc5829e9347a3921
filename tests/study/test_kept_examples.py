"""`run.examples`: clips kept for figures; a setting of where a job runs, not of what it is."""

import numpy as np
import pytest

from study.plan.planner import Choice, make_plan, task_of
from study.records.store import Store
from study.run.train import run_job
from study.spec.grid import expand
from study.spec.study import StudyError, load_study

STUDY = """\
question: Does order matter?
base:
  data: {name: motion, frames: 2, size: 16, train_clips: 10, val_clips: 10, test_clips: 10}
  model: {name: vlf, width: 8, heads: 1, spatial_depth: 0, spatiotemporal_depth: 1}
  train: {epochs: 1, batch_size: 2}
run: RUN
"""


def task_for(folder, run):
    folder.mkdir()
    path = folder / "study.yaml"
    path.write_text(STUDY.replace("RUN", run), "utf-8")
    study = load_study(path)
    plan = make_plan(study, expand(study), Store(folder), "cpu", Choice())
    return task_of(plan, plan.train[0], folder)


def test_a_job_keeps_the_chosen_clips_and_its_answers_are_those_without(tmp_path):
    with_clips = task_for(tmp_path / "a", "{examples: [5, 1, 99]}")
    without = task_for(tmp_path / "b", "{examples: []}")

    kept = run_job(with_clips, lambda _: None)
    plain = run_job(without, lambda _: None)

    assert with_clips.key.identity == without.key.identity
    assert kept.artifacts["predictions"].sha256 == plain.artifacts["predictions"].sha256
    assert "examples" not in plain.artifacts
    with np.load(tmp_path / "a" / kept.artifacts["examples"].path) as arrays:
        assert arrays["index"].tolist() == [5, 1]
        assert arrays["frames"].shape == (2, 2, 16, 16, 3)
        assert arrays["received"].shape == (2, 1, 2, 2, 2)


def test_left_alone_a_job_keeps_the_first_four(tmp_path):
    assert task_for(tmp_path / "a", "{}").examples == (0, 1, 2, 3)


def test_a_clip_below_0_is_refused_with_its_line(tmp_path):
    with pytest.raises(StudyError, match=r"study.yaml:6: run.examples"):
        task_for(tmp_path / "a", "{examples: [-1]}")
