"""Keys worked out once for many cells are those that each cell would have alone."""

import json

import pytest

from study.plan.fingerprint import fingerprint_of
from study.plan.identity import file_digests, train_identity
from study.plan.jobs import CostPlace
from study.plan.keys import RunKeys, cost_key, cost_keys
from study.records.store import Key
from study.spec.grid import expand
from study.spec.study import load_study
from vlf.config import RunConfig

PLACE = CostPlace("cpu", "a CPU", "", "2.14.1")
STUDY = """
question: Are keys the same?
base: {data: {name: motion, frames: 4}, train: {milestones: [0.5]}}
factors:
  variant:
    VLF: {model: {name: vlf, width: 32, heads: 2}}
    wide: {model: {name: vlf, width: 64, heads: 2}}
    TSM: {model: {name: tsm, backbone: tiny}}
  train.lr: [1e-3, 2e-3]
  data.size: [32, 64]
report: {baseline: {variant: VLF}}
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "keys.yaml"
    path.write_text(STUDY, "utf-8")
    return load_study(path)


def alone(config, seed, kind):
    """The key of a run, with nothing shared: a config of its own and its full JSON."""
    own = RunConfig.model_validate(json.loads(config.model_dump_json()))
    identity = train_identity(own, seed, "cpu", file_digests(own), kind)
    return Key(kind, identity, fingerprint_of(own, "train"), own.model_dump(mode="json"))


@pytest.mark.parametrize("kind", ["train", "tune"])
def test_a_run_is_named_as_if_it_were_the_only_one(study, kind):
    keys = RunKeys("cpu")
    for cell in expand(study):
        for seed in (0, 7):
            key, absent = keys.of(kind, cell.config, seed)

            assert key == alone(cell.config, seed, kind)
            assert key.name == alone(cell.config, seed, kind).name  # and so the variant
            assert absent == ""


def test_cells_of_one_architecture_share_the_key_of_its_cost(study):
    cells = expand(study)

    keys = cost_keys(study, cells, PLACE)

    assert keys == {cell.name: cost_key(study, cell, PLACE) for cell in cells}
    assert len({key.name for key in keys.values()}) == 6  # three architectures, two sizes


def test_runs_whose_files_are_elsewhere_have_a_key_of_no_record_and_say_which(tmp_path):
    data = {"name": "video_list", "root": str(tmp_path), "num_classes": 2}
    config = RunConfig.model_validate({"data": data})

    key, absent = RunKeys("cpu").of("train", config, 0)

    assert "no such file" in absent
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.txt").write_text("a.mp4 0\n")
    found, nothing = RunKeys("cpu").of("train", config, 0)
    assert nothing == ""
    assert found.identity != key.identity
