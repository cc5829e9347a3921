"""Time and disk of a plan, by hand; records are written by hand, nothing is trained."""

import dataclasses
import io
import json
import shutil
from collections import namedtuple

import pytest
from plans import record_for
from rich.console import Console

from study.cli.plan_view import print_plan
from study.cli.status_view import print_status
from study.estimate.clips import clips_of
from study.estimate.disk import checkpoint_bytes
from study.estimate.estimate import OVERHEAD_S, estimate
from study.measure.counts import CellCounts
from study.plan.planner import Choice, make_plan
from study.records.record import Measurement
from study.records.units import size
from study.spec.grid import expand
from study.spec.study import load_study
from vlf.config import KineticsConfig, MotionConfig, RunConfig, SomethingConfig, UCF101Config

STUDY = """\
question: Does order matter?
base:
  data: {name: motion, frames: 4, train_clips: 1000, test_clips: 500}
  model: {name: vlf, width: 16, heads: 2}
  train: {epochs: 10, threads: 2}
factors:
  variant: {VLF: {}, TSN: {model: {name: tsn}}}
seeds: [0, 1]
run: {workers: 2}
report: {baseline: {variant: VLF}}
"""
COUNTS = {
    "variant=VLF": CellCounts(parameters=1000, macs=2e8),
    "variant=TSN": CellCounts(parameters=400, macs=1e8),
}
# 3 passes x MACs x 1000 clips x 10 epochs
WORK = {"variant=VLF": 6e12, "variant=TSN": 3e12}


def planned(folder, store, text=STUDY, device="cpu", name="order"):
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    study = load_study(path)
    return make_plan(study, expand(study), store, device, Choice())


def write(store, job, took=None, measurements=(), **changes):
    timed = (Measurement("training_time", "s", "lower", (took,)),) if took else ()
    values = {
        "measurements": (*timed, *measurements),
        "timing_run": "run" if job.kind == "cost" else "",
    }
    store.add(job.key, record_for(job, **{**values, **changes}))


def find(plan, kind, cell, seed=None):
    (job,) = [j for j in plan.jobs if (j.kind, j.cell.name, j.seed) == (kind, cell, seed)]
    return job


def test_without_records_the_rate_is_a_guess_that_says_so(tmp_path, store):
    cpu = estimate(planned(tmp_path, store), COUNTS, store)
    gpu = estimate(planned(tmp_path, store, device="cuda"), COUNTS, store)

    assert cpu.seconds["variant=VLF, seed=0"] == pytest.approx(OVERHEAD_S + 6e12 / 1e10)
    assert gpu.seconds["variant=VLF, seed=0"] == pytest.approx(OVERHEAD_S + 6e12 / 1.15e13)
    assert cpu.basis.startswith("a rough guess")
    assert cpu.basis.endswith("10 GMAC/s a core")
    assert "at 11.5 TMAC/s a GPU (30 in bf16), as NVIDIA publishes of an A100" in gpu.basis


def test_bf16_on_a_gpu_is_guessed_to_be_faster(tmp_path, store):
    text = STUDY.replace("threads: 2", "precision: bf16")

    gpu = estimate(planned(tmp_path, store, text, device="cuda"), COUNTS, store)

    assert gpu.seconds["variant=VLF, seed=0"] == pytest.approx(OVERHEAD_S + 6e12 / 3e13)


def test_hours_are_those_of_cores_and_of_gpus(tmp_path, store):
    cpu = estimate(planned(tmp_path, store), COUNTS, store)
    text = STUDY.replace("threads: 2", "processes: 4")
    gpu = estimate(planned(tmp_path, store, text, device="cuda"), COUNTS, store)

    jobs_s = 2 * sum(OVERHEAD_S + work / 1e10 for work in WORK.values())
    assert cpu.device_hours == pytest.approx(jobs_s * 2 / 3600)  # two threads
    shared_s = 2 * sum(OVERHEAD_S + work / 1.15e13 / 4 for work in WORK.values())
    assert gpu.device_hours == pytest.approx(shared_s * 4 / 3600)  # four GPUs share each job


def test_the_studys_own_records_come_before_any_guess(tmp_path, store):
    write(store, find(planned(tmp_path, store), "train", "variant=TSN", 0), took=100.0)

    expected = estimate(planned(tmp_path, store), COUNTS, store)

    assert expected.basis == "the records of this study"
    assert expected.seconds["variant=TSN, seed=1"] == pytest.approx(OVERHEAD_S + 100)
    assert expected.seconds["variant=VLF, seed=1"] == pytest.approx(OVERHEAD_S + 200)
    left_s = 3 * OVERHEAD_S + 100 + 2 * 200
    assert expected.device_hours == pytest.approx(left_s * 2 / 3600)  # what is done costs nothing


OTHER = STUDY.replace("epochs: 10", "epochs: 5").replace("train_clips: 1000", "train_clips: 400")


@pytest.mark.parametrize(("model", "is_known"), [("this CPU", True), ("another CPU", False)])
def test_records_of_other_studies_on_the_same_device_come_before_a_guess(
    tmp_path, store, monkeypatch, model, is_known
):
    monkeypatch.setattr("study.executors.executor.device_model", lambda device: "this CPU")
    other = planned(tmp_path, store, OTHER, name="other")
    macs = Measurement("macs", "1", "lower", (2e8,))
    write(store, find(other, "cost", "variant=VLF"), measurements=(macs,))
    # 3 x 2e8 x 400 clips x 5 epochs = 1.2e12 MACs in 60 s
    job = find(other, "train", "variant=VLF", 0)
    write(store, job, took=60.0, environment={"device_model": model})

    expected = estimate(planned(tmp_path, store), COUNTS, store)

    rate = 1.2e12 / 60 if is_known else 1e10
    assert expected.seconds["variant=VLF, seed=0"] == pytest.approx(OVERHEAD_S + 6e12 / rate)
    assert expected.seconds["variant=TSN, seed=0"] == pytest.approx(OVERHEAD_S + 3e12 / rate)
    assert (expected.basis == "1 records of other studies on this CPU") is is_known


def test_clips_are_counted_in_lists_that_are_here_and_published_where_they_are_not(tmp_path):
    absent = str(tmp_path / "absent")
    here = tmp_path / "k400"
    (here / "annotations").mkdir(parents=True)
    header = "label,youtube_id,time_start,time_end,split\n"
    (here / "annotations/train.csv").write_text(header + "a,b,0,1,train\n" * 7)
    (here / "annotations/val.csv").write_text(header + "a,b,0,1,val\n" * 3)

    def sizes(config):
        clips = clips_of(config)
        return clips.train, clips.test, clips.is_published

    assert sizes(MotionConfig(train_clips=80, test_clips=30)) == (80, 30, False)
    assert sizes(MotionConfig(train_clips=80, test_clips=30, limit=40)) == (40, 30, False)
    assert sizes(KineticsConfig(root=str(here))) == (7, 3, False)
    assert sizes(KineticsConfig(root=absent)) == (240_436, 19_796, True)
    assert sizes(KineticsConfig(root=absent, num_classes=7)) == (0, 0, False)
    assert sizes(SomethingConfig(root=absent, limit=1000)) == (1000, 1000, True)
    assert sizes(UCF101Config(root=absent)) == (9_537, 3_783, True)


def test_disk_is_what_predictions_and_checkpoints_hold(tmp_path, store):
    disk = estimate(planned(tmp_path, store), COUNTS, store).disk

    scores = 4 * 500 * (10 * 4 + 8)  # four jobs, 500 test clips, ten classes of float32, a label
    examples = 4 * 4 * (4 * 3 * 32 * 32)  # frames of four clips a job
    known = scores + examples
    assert known < disk.artifacts < known + 4 * 6_000  # and curves and names of classes
    # Two at a time: weights and AdamW's two moments, the new file beside the old one.
    assert disk.checkpoints == 2 * (2 * 3 * 1000 * 4)
    assert disk.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.01)


@pytest.mark.parametrize(
    ("recipe", "copies"),
    [
        ("optimizer: sgd", 2),
        ("optimizer: sgd, momentum: 0", 1),
        ("select: best", 4),
    ],
)
def test_a_checkpoint_holds_what_the_optimiser_keeps_and_the_best_weights(
    tmp_path, store, recipe, copies
):
    text = STUDY.replace("threads: 2", recipe)

    disk = estimate(planned(tmp_path, store, text), COUNTS, store).disk

    assert disk.checkpoints == 2 * (2 * copies * 1000 * 4)


def test_what_is_done_takes_no_more_disk(tmp_path, store):
    plan = planned(tmp_path, store)
    for job in plan.jobs:
        write(store, job)

    done = estimate(planned(tmp_path, store), COUNTS, store)

    assert (done.disk.most, done.device_hours) == (0, 0.0)


def printed(plan, expected):
    console = Console(width=200, record=True, file=io.StringIO())
    print_plan(plan, COUNTS, expected, console, as_json=False)
    return console.export_text()


SWEEP = """\
question: Which learning rate, which optimiser?
base:
  data: {name: motion, frames: 4, train_clips: 1000, test_clips: 500}
  model: {name: vlf, width: 16, heads: 2}
factors:
  train.lr: [5e-4, 1e-3]
  train.optimizer: [adamw, sgd]
  train.weight_decay: [0, 0.05]
seeds: [0]
report: {baseline: {train.lr: 5e-4, train.optimizer: adamw, train.weight_decay: 0}}
"""


def test_a_plan_and_a_status_are_whole_on_terminals_of_every_width(tmp_path, store):
    plan = planned(tmp_path, store, SWEEP)
    counts = {cost.cell.name: CellCounts(parameters=136_123, macs=23.17e6) for cost in plan.cost}
    expected = estimate(plan, counts, store)

    for width in range(40, 201, 8):
        console = Console(width=width, file=io.StringIO())
        print_plan(plan, counts, expected, console, as_json=False)
        said = console.file.getvalue()
        console = Console(width=width, file=io.StringIO())
        print_status(plan.outcomes(), console, as_json=False)
        status = console.file.getvalue()

        table = said[: said.index(" jobs to run on ")].splitlines()[:-1]
        assert all(len(line) <= width for line in table), width
        assert "…" not in said + status
        words = set(said.replace(":", "").split())
        assert {"lr", "optimizer", "weight", "decay", "adamw", "0.136", "23.17"} <= words, width
        assert all(word in status for cost in plan.cost for word in cost.cell.name.split())


def test_a_plan_warns_in_one_line_where_the_disk_is_too_small(tmp_path, store, monkeypatch):
    plan = planned(tmp_path, store)
    assert "does not fit" not in printed(plan, estimate(plan, COUNTS, store))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("study.estimate.disk.shutil.disk_usage", lambda path: usage(9, 9, 50_000))

    text = printed(plan, estimate(plan, COUNTS, store))

    (line,) = [line for line in text.splitlines() if "does not fit" in line]
    assert line.startswith("warning: it does not fit on the disk of the results folder")
    assert line.rstrip().endswith("50 kB are free")


def test_a_plan_tells_hours_and_their_basis_in_words_and_to_scripts(tmp_path, store, capsys):
    plan = planned(tmp_path, store, device="cuda")
    expected = estimate(plan, COUNTS, store)

    text = printed(plan, dataclasses.replace(expected, device_hours=1234.4))
    print_plan(plan, COUNTS, expected, Console(quiet=True), as_json=True)
    values = json.loads(capsys.readouterr().out)

    assert "training: about 1,234 GPU-hours, by a rough guess" in text
    assert values["device_hours_are"] == "GPU-hours"
    assert values["device_hours"] == pytest.approx(expected.device_hours, abs=1e-3)
    assert values["disk_bytes"]["checkpoints"] == expected.disk.checkpoints


def test_bytes_are_told_in_powers_of_a_thousand():
    assert [size(n) for n in (999, 1e3, 2.5e6, 1.234e9, 4e12)] == [
        "999 bytes",
        "1 kB",
        "2.5 MB",
        "1.23 GB",
        "4 TB",
    ]


@pytest.mark.parametrize(
    "recipe",
    [{}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.0}, {"select": "best"}],
)
def test_a_checkpoint_is_as_large_as_is_said(tmp_path, recipe):
    import torch

    from vlf.train import train_model

    config = RunConfig.model_validate(
        {
            "data": {"name": "motion", "frames": 2, "limit": 10},
            "model": {"name": "timesformer", "width": 64, "depth": 4},
            "train": {"epochs": 1, "batch_size": 10, **recipe},
        }
    )
    path = tmp_path / "checkpoint.pt"
    trained = train_model(config, 0, torch.device("cpu"), checkpoint=path)
    parameters = sum(parameter.numel() for parameter in trained.model.parameters())

    said = checkpoint_bytes(config.train, parameters)

    assert said < path.stat().st_size < 1.3 * said
