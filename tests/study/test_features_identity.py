"""What names the features of a frozen backbone, and the weights that they are made with."""

import hashlib

import pytest

from study.plan.identity import features_identity, file_digests, train_identity
from study.spec.grid import expand
from study.spec.study import load_study
from vlf.config import RunConfig, TSNConfig
from vlf.config.extras import EXTRAS

LITE0 = {"backbone": "timm:tf_efficientnet_lite0", "pretrained": "efficientnet_lite0"}


@pytest.fixture
def lists(tmp_path):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.txt").write_text("a.mp4 0\n")
    return tmp_path


def run_of(root, model=None, train=None, **data):
    data = {"name": "video_list", "root": str(root), "num_classes": 2, **data}
    model = {"name": "vlf", **LITE0, **(model or {})}
    return RunConfig.model_validate({"data": data, "model": model, "train": train or {}})


def test_features_are_named_by_data_alone_and_not_by_model_or_recipe(lists):
    named = features_identity(run_of(lists))

    assert features_identity(run_of(lists, {"width": 32}, {"epochs": 3, "lr": 0.1})) == named
    assert features_identity(run_of(lists, {"name": "tsn"})) == named


@pytest.mark.parametrize(
    "data", [{"frames": 4}, {"size": 64}, {"views": 2}, {"rand_augment": 1}, {"seed": 1}]
)
def test_other_clips_have_other_features(lists, data):
    assert features_identity(run_of(lists, **data)) != features_identity(run_of(lists))


def test_other_lists_have_other_features_and_a_moved_folder_has_the_same(lists, tmp_path):
    named = features_identity(run_of(lists))
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in lists.glob("*.txt"):
        (moved / path.name).write_bytes(path.read_bytes())

    assert features_identity(run_of(moved)) == named
    (moved / "train.txt").write_text("a.mp4 1\n")
    assert features_identity(run_of(moved)) != named


def test_a_run_is_named_by_the_content_of_the_extras_file():
    config = RunConfig(model=TSNConfig(**LITE0))
    path = EXTRAS["efficientnet_lite0"].path()

    digests = file_digests(config)

    assert hashlib.sha256(path.read_bytes()).hexdigest() in digests.values()
    assert train_identity(config, 0, "cpu", digests) != train_identity(
        config, 0, "cpu", dict.fromkeys(digests, "0" * 64)
    )


def test_costs_do_not_depend_on_weights_or_on_what_pixels_are_divided_by():
    said = TSNConfig(**LITE0, mean=(0.1, 0.1, 0.1), std=(0.2, 0.2, 0.2))

    assert said.untrained() == TSNConfig(backbone=LITE0["backbone"])


def test_all_cells_of_the_shipped_study_share_their_features(root):
    cells = expand(load_study(root / "ablations/frozen.yaml"))

    assert [cell.name for cell in cells] == [
        "variant=VLF", "variant=no g", "variant=VTN-like", "variant=TSN",
    ]  # fmt: skip
    assert {cell.config.train.freeze for cell in cells} == {"f"}
    assert len({(cell.config.model.backbone, cell.config.model.stage) for cell in cells}) == 1
