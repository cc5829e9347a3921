"""The studies of published datasets, planned where no data are."""

import subprocess
import sys
from pathlib import Path

import pytest

from study.plan.identity import train_identity
from study.plan.planner import Choice, make_plan
from study.records.store import Store
from study.spec.grid import expand
from study.spec.study import load_study

ROOT = Path(__file__).parents[2]
DATASETS = ("ssv2", "kinetics", "epic100")
CELLS = {"factorization": 18, "frames": 36, "depth": 9, "costs": 36}
FILES = [ROOT / "ablations" / dataset / f"{name}.yaml" for dataset in DATASETS for name in CELLS]
SHIPPED = sorted(
    path for path in (ROOT / "ablations").rglob("*.yaml") if path.parent.name != "shared"
)


def name_of(path):
    return str(path.relative_to(ROOT / "ablations"))


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_every_shipped_study_has_a_plan_where_its_data_are_not(path, tmp_path):
    study = load_study(path)
    cells = expand(study)

    plan = make_plan(study, cells, Store(tmp_path), "cuda", Choice())

    seeds = study.race.start if study.race else len(study.seeds)
    planned = len(plan.tune) + len(cells) * (1 + seeds)
    assert len([*plan.to_run, *plan.waiting]) == planned


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_published_studies_have_the_cells_that_they_are_meant_to(path):
    study = load_study(path)
    cells = expand(study)

    assert len(cells) == CELLS[path.stem]
    assert {cell.config.data.size for cell in cells} == {224}
    frames = {cell.config.data.frames for cell in cells}
    assert frames == ({8} if path.stem == "factorization" else {8, 16})
    assert {cell.config.model.backbone for cell in cells} == {
        "timm:resnet18",
        "timm:resnet50",
        "timm:efficientnet_b0",
        "timm:mobilenetv3_large_100",
    }
    assert all(cell.config.model.pretrained is True for cell in cells)
    assert study.run.executor == "slurm"
    processes = {cell.config.train.processes for cell in cells}
    assert processes == {study.run.slurm.gpus_per_node}


def recipe(dataset):
    cells = {cell.name: cell for cell in expand(load_study(FILES[4 * DATASETS.index(dataset)]))}
    return cells["backbone=ResNet-50, variant=TSM"].config


@pytest.mark.parametrize(
    ("dataset", "lr", "batch", "decay"),
    [("ssv2", 0.01, 64, 5e-4), ("kinetics", 0.02, 128, 1e-4), ("epic100", 0.01, 64, 5e-4)],
)
def test_tsm_is_trained_as_its_authors_commands_say(dataset, lr, batch, decay):
    config = recipe(dataset)
    train, data = config.train, config.data

    assert (train.lr, train.batch_size, train.weight_decay) == (lr, batch, decay)
    assert [share * train.epochs for share in train.milestones] == [20, 40]
    assert (train.epochs, train.gamma, train.clip_norm) == (50, 0.1, 20)
    assert (train.optimizer, train.momentum, train.nesterov) == ("sgd", 0.9, False)
    assert (train.head_lr_scale, train.bias_lr_scale) == (5, 2)
    assert (train.partial_bn, train.warmup_epochs) == (False, 0)
    assert (config.model.dropout, config.model.shift_div) == (0.5, 8)
    assert (data.short_side, data.crop, data.sampling) == (256, "multi_scale", "segments")
    assert data.flip == (0.0 if dataset == "ssv2" else 0.5)


@pytest.mark.parametrize("dataset", DATASETS)
def test_studies_of_a_dataset_share_the_records_of_the_same_run(dataset):
    def identities(name):
        cells = expand(load_study(ROOT / "ablations" / dataset / f"{name}.yaml"))
        return {train_identity(cell.config, 0, "cuda", {}) for cell in cells}

    assert identities("factorization") < identities("frames")
    assert len(identities("depth") & identities("frames")) == 6  # no g, VLF, and four changes


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_real_plan_counts_every_cell_and_tells_gpu_hours(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "run_study.py", str(path), "--plan", "--results", str(tmp_path / "none")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )

    assert done.returncode == 0, done.stderr
    assert "jobs to run on cuda" in done.stdout
    assert ("GPU-hours, by a rough guess" in done.stdout) is (path.stem != "costs")
    assert not (tmp_path / "none").exists()
