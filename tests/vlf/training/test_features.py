"""Features of a frozen backbone: kept, they give the numbers that they give computed anew."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from vlf.config import RunConfig
from vlf.data import open_clips
from vlf.data.augment import Augment
from vlf.data.preparation.write_video import write_video
from vlf.evaluate import evaluate
from vlf.features import Frozen
from vlf.models import build_model
from vlf.train import StoppedError, train_model

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[3]
CURVES = ("train_loss", "train_top1", "val_loss", "val_top1", "lr")
VLF = {"name": "vlf", "width": 16, "heads": 2, "spatial_depth": 0, "spatiotemporal_depth": 1}
VARIED = {"jitter": [0.2, 0.2, 0.2, 0.1], "rand_augment": 1, "flip": 0.5, "flip_swaps": [[0, 1]]}


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.manual_seed(3)
    model = build_model(RunConfig().model, RunConfig().data)
    torch.save(model.f[0].state_dict(), path)
    return str(path)


@pytest.fixture
def videos(tmp_path):
    """Nine noisy videos."""
    folder = tmp_path / "videos"
    folder.mkdir()
    draws = np.random.default_rng(0)
    lines = []
    for number in range(9):
        frames = draws.integers(0, 255, (6, 24, 28, 3)).astype(np.uint8)
        write_video(folder / f"{number}.mp4", frames, chroma=False)
        lines.append(f"{number}.mp4 {number % 3}\n")
    for split in ("train", "val", "test"):
        (folder / f"{split}.txt").write_text("".join(lines))
    return folder


def run_config(videos, weight_file, model=None, data=None, **train):
    data = {"root": str(videos), "num_classes": 3, "frames": 2, "size": 16, **(data or {})}
    return RunConfig.model_validate(
        {
            "data": {"name": "video_list", "views": 2, **VARIED, **data},
            "model": {**(model or VLF), "pretrained": weight_file},
            "train": {
                "epochs": 3, "batch_size": 4, "freeze": "f", "stored_views": 2, **train,
            },
        }
    )  # fmt: skip


def fit(config, folder, seed=0, **options):
    """A run to its end, its test scores with it."""
    trained = train_model(config, seed, CPU, checkpoint=folder / "checkpoint.pt", **options)
    model, clips = trained.reading(open_clips(config.data, "test"), "test")
    return trained, evaluate(model, clips, CPU, "fp32").scores


def same(one, other):
    """Weights, curves and predictions bit for bit."""
    states = one[0].model.state_dict(), other[0].model.state_dict()
    return (
        all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        and all(one[0].curves[name] == other[0].curves[name] for name in CURVES)
        and torch.equal(one[1], other[1])
    )


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def break_videos(videos):
    """Files of the same size that nothing can be decoded from."""
    for path in videos.glob("*.mp4"):
        path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    "model", [VLF, {"name": "tsn"}, {"name": "tsm"}, {"name": "vtn", "width": 16, "heads": 2}]
)
def test_kept_features_give_the_weights_and_predictions_of_features_computed_anew(
    videos, weight_file, model, tmp_path
):
    config = run_config(videos, weight_file, model)
    anew = fit(config, tmp_path / "a")
    first = fit(config, tmp_path / "b", features=tmp_path / "kept")
    break_videos(videos)
    again = fit(config, tmp_path / "c", features=tmp_path / "kept")

    assert same(anew, first)
    assert same(anew, again)


def test_features_are_made_once_for_all_seeds_and_architectures(videos, weight_file, tmp_path):
    kept = tmp_path / "kept"
    vlf, tsn = (run_config(videos, weight_file, one) for one in (VLF, {"name": "tsn"}))
    fit(vlf, tmp_path / "a", features=kept)
    files = files_of(kept)
    break_videos(videos)
    fit(vlf, tmp_path / "b", seed=1, features=kept)
    fit(tsn, tmp_path / "c", features=kept)

    # 9 clips: 2 stored views of training, and one file of all test views in validation and test.
    assert len(files) == 9 * 2 + 9 + 9
    assert files_of(kept) == files


def test_more_stored_views_begin_with_those_of_fewer(videos, weight_file, tmp_path):
    kept = tmp_path / "kept"
    fit(run_config(videos, weight_file), tmp_path / "a", features=kept)
    files = files_of(kept)
    fit(run_config(videos, weight_file, stored_views=3), tmp_path / "b", features=kept)

    more = files_of(kept)
    assert len(more) == len(files) + 9
    assert all(more[path] == content for path, content in files.items())


@pytest.mark.parametrize(
    "changed",
    [
        {"model": {"name": "tsm"}},
        {"model": {**VLF, "mean": [0.5] * 3, "std": [0.5] * 3}},
        {"model": {**VLF, "stage": 2}},
        {"precision": "bf16"},
    ],
)
def test_what_changes_features_has_features_of_its_own(videos, weight_file, changed, tmp_path):
    stores = []
    for options in ({}, changed):
        config = run_config(videos, weight_file, **options)
        model = build_model(config.model, config.data)
        stores.append(Frozen(model, config, CPU, tmp_path).store)

    assert stores[0] != stores[1]


def test_other_weights_have_features_of_their_own(videos, weight_file, tmp_path):
    state = torch.load(weight_file, weights_only=True)
    state["1.running_mean"][0] += 1e-3
    torch.save(state, tmp_path / "other.pt")
    stores = set()
    for path in (weight_file, str(tmp_path / "other.pt")):
        config = run_config(videos, path)
        model = build_model(config.model, config.data)
        stores.add(Frozen(model, config, CPU, tmp_path).store)

    assert len(stores) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "another's"])
def test_a_damaged_file_is_noticed_and_made_again(videos, weight_file, damage, tmp_path):
    kept = tmp_path / "kept"
    config = run_config(videos, weight_file)
    sound = fit(config, tmp_path / "a", features=kept)
    files = files_of(kept)
    path = next(path for path in sorted(files) if path.parent.name == "train")
    other = next(one for one in sorted(files, reverse=True) if one.parent.name == "train")
    content = bytearray(files[path])
    content[len(content) // 2] ^= 1
    path.write_bytes(
        {
            "cut": files[path][:-1],
            "flipped": bytes(content),
            "emptied": b"",
            "another's": files[other],
        }[damage]
    )

    assert same(sound, fit(config, tmp_path / "b", features=kept))
    assert files_of(kept) == files


def test_features_of_a_video_of_another_size_are_not_taken(videos, weight_file, tmp_path):
    kept = tmp_path / "kept"
    config = run_config(videos, weight_file)
    fit(config, tmp_path / "a", features=kept)
    draws = np.random.default_rng(1)
    frames = draws.integers(0, 255, (20, 24, 28, 3)).astype(np.uint8)
    write_video(videos / "0.mp4", frames, chroma=False)

    assert same(fit(config, tmp_path / "b"), fit(config, tmp_path / "c", features=kept))


def test_features_stand_for_what_the_whole_model_computes(videos, weight_file, tmp_path):
    config = run_config(videos, weight_file)
    trained, scores = fit(config, tmp_path, features=tmp_path / "kept")

    whole = evaluate(trained.model, open_clips(config.data, "test"), CPU, "fp32").scores

    # Clips in one batch round otherwise than each by itself.
    torch.testing.assert_close(scores, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "model", [{"name": "tsn"}, {"name": "tsn", "stage": 2}, {**VLF, "stage": 2}]
)
def test_networks_of_timm_whole_and_cut_have_features_too(videos, model, tmp_path):
    net = timm.create_model("resnet10t")
    torch.save(net.state_dict(), tmp_path / "net.pt")
    model = {**model, "backbone": "timm:resnet10t"}
    config = run_config(videos, str(tmp_path / "net.pt"), model, {"size": 32}, epochs=1)

    anew = fit(config, tmp_path / "a")
    kept = fit(config, tmp_path / "b", features=tmp_path / "kept")
    whole = evaluate(kept[0].model, open_clips(config.data, "test"), CPU, "fp32").scores

    assert same(anew, kept)
    torch.testing.assert_close(kept[1], whole, rtol=0, atol=1e-5)


def test_a_stored_view_that_is_mirrored_has_the_label_of_its_mirror(videos, weight_file, tmp_path):
    config = run_config(videos, weight_file, data={"flip": 1.0})
    model = build_model(config.model, config.data)
    clips = open_clips(config.data, "train")
    stored = Frozen(model, config, CPU, tmp_path).read(clips, "train")
    augment = Augment(config.data, clips.classes)

    for _ in range(2):  # made, then read
        labels = [stored.load_stored(index, 0, augment)[1] for index in range(3)]
        assert labels == [1, 0, 2]


def test_a_run_stopped_inside_an_epoch_goes_on_to_the_same_numbers(videos, weight_file, tmp_path):
    config = run_config(videos, weight_file)
    whole = fit(config, tmp_path / "a", features=tmp_path / "kept")
    asked = iter([False] * 3 + [True])
    with pytest.raises(StoppedError):
        fit(config, tmp_path / "b", features=tmp_path / "kept", should_stop=lambda: next(asked))
    checkpoint = tmp_path / "b" / "checkpoint.pt"

    resumed = fit(config, tmp_path / "b", features=tmp_path / "kept", resume_from=checkpoint)

    assert same(whole, resumed)


def test_loaders_compute_the_same_features(videos, weight_file, tmp_path):
    config = run_config(videos, weight_file)

    alone = fit(config, tmp_path / "a", features=tmp_path / "one")
    helped = fit(config, tmp_path / "b", features=tmp_path / "two", loaders=3)

    assert same(alone, helped)
    assert sorted(files_of(tmp_path / "one").values()) == sorted(
        files_of(tmp_path / "two").values()
    )


@pytest.mark.slow
def test_processes_that_share_batches_share_features(videos, weight_file, tmp_path):
    config = run_config(videos, weight_file, processes=2, epochs=1)

    anew = fit(config, tmp_path / "a")
    kept = fit(config, tmp_path / "b", features=tmp_path / "kept")

    assert same(anew, kept)
    assert len(files_of(tmp_path / "kept")) == 9 + 9 + 9  # one epoch sees one view of each clip


WORKER = """\
import sys, torch
from pathlib import Path
from vlf.config import RunConfig
from vlf.train import train_model
config, folder, kept, seed = sys.argv[1:]
trained = train_model(
    RunConfig.model_validate_json(config), int(seed), torch.device("cpu"),
    checkpoint=Path(folder) / "checkpoint.pt", features=Path(kept),
)
torch.save(trained.model.state_dict(), Path(folder) / "weights.pt")
"""


@pytest.mark.slow
def test_two_workers_at_once_make_what_one_makes(videos, weight_file, tmp_path):
    config = run_config(videos, weight_file)
    workers = []
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        told = [config.model_dump_json(), str(folder), str(tmp_path / "shared"), str(seed)]
        workers.append(subprocess.Popen([sys.executable, "-c", WORKER, *told], cwd=ROOT))
    assert [worker.wait() for worker in workers] == [0, 0]

    for seed in (0, 1):
        alone, _ = fit(config, tmp_path / "alone", seed=seed)
        state = torch.load(tmp_path / str(seed) / "weights.pt", weights_only=True)
        assert all(torch.equal(state[key], one) for key, one in alone.model.state_dict().items())
    assert not list((tmp_path / "shared").rglob("*.draft"))
