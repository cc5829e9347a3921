"""Event files, read back by tensorboard itself."""

import subprocess
import sys
import time

import pytest

from study.plan.planner import Choice, make_plan, task_of
from study.plan.preflight import check_events
from study.records.store import Key, Store
from study.run.train import write_events
from study.spec.grid import expand
from study.spec.study import StudyError, load_study

CURVES = {
    "epoch": [1.0, 2.0],
    "train_loss": [2.5, 1.25],
    "val_top1": [float("nan"), 50.0],
    "lr": [0.5, 0.25],
    "seconds": [10.0, 20.0],
}
READ = """\
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1])
found.Reload()
print({tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]})
times = [e.wall_time for e in found.Scalars("lr")]
print(times[1] - times[0], times[1])
"""
STUDY = """\
question: Does order matter?
base: {model: {name: tsn}}
run: {tensorboard: true}
"""


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    study = load_study(path)
    return make_plan(study, expand(study), Store(tmp_path / "results"), "cpu", Choice())


def test_tensorboard_reads_the_curves_that_were_written(tmp_path):
    assert write_events(tmp_path / "events", CURVES) == ()

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, str(tmp_path / "events")],
        capture_output=True,
        text=True,
        check=True,
    )

    scalars, times = done.stdout.splitlines()
    assert eval(scalars) == {
        "train_loss": [(1, 2.5), (2, 1.25)],
        "val_top1": [(2, 50.0)],  # what was not measured is no value
        "lr": [(1, 0.5), (2, 0.25)],
    }
    between, last = map(float, times.split())
    assert between == pytest.approx(20.0, abs=0.01)
    assert abs(last - time.time()) < 3600


def test_where_tensorboard_is_not_installed_a_study_that_wants_it_is_refused_in_one_line(
    made, monkeypatch
):
    check_events(made)
    monkeypatch.setitem(sys.modules, "tensorboard", None)

    with pytest.raises(StudyError) as error:
        check_events(made)

    assert str(error.value).endswith(
        "order.yaml:3: run.tensorboard: needs the package tensorboard: pip install '.[tensorboard]'"
    )


def test_on_a_node_without_it_the_record_says_so_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)

    (note,) = write_events(tmp_path / "events", CURVES)

    assert "tensorboard is not installed where this job ran" in note
    assert not (tmp_path / "events").exists()


def test_it_is_no_part_of_what_names_a_run(made, tmp_path):
    (job,) = made.train
    task = task_of(made, job, tmp_path)

    assert task.tensorboard
    assert "tensorboard" not in str(job.key)


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        ("variant=no g, seed=0", "variant=no g, seed=0"),
        ("variant=../../x, seed=0", "variant=.._.._x, seed=0"),
        ("..", "job"),
    ],
)
def test_a_jobs_name_cannot_leave_its_folder(tmp_path, job, shown):
    key = Key("train", "0" * 64, "", {})

    folder = Store(tmp_path).events_folder(key, "attempt", job)

    assert folder.name == shown
    assert folder.parent.parent == tmp_path / "artifacts"
