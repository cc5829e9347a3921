import os
from types import MappingProxyType

import pytest

from study.plan.identity import architecture_digests, cost_identity, file_digests, train_identity
from study.spec.settings import CostConfig
from vlf.config import (
    ConfigError,
    HMDB51Config,
    KineticsConfig,
    MotionConfig,
    RunConfig,
    TimeSformerConfig,
    TrainConfig,
    TransformersConfig,
    TSMConfig,
    TSNConfig,
    VideoListConfig,
    VLFConfig,
)

CLIP = {"frames": 8, "size": 32, "classes": 10}


def identity(config, seed=0, device="cpu"):
    return train_identity(config, seed, device, file_digests(config))


def cost(
    model=None,
    clip=CLIP,
    protocol=None,
    device_model="A",
    device="cpu",
    torch="2.14",
    digests=MappingProxyType({}),
):
    return cost_identity(
        model or VLFConfig(), clip, protocol or CostConfig(), device_model, device, torch, digests
    )


@pytest.fixture
def lists(tmp_path):
    def make(folder, train="a.mp4 0\n"):
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        for name, text in [("train.txt", train), ("val.txt", "b.mp4 1\n"), ("test.txt", "c 0\n")]:
            (root / name).write_text(text, "utf-8")
        return RunConfig(data=VideoListConfig(root=str(root), num_classes=2))

    return make


def test_what_is_said_and_what_is_a_default_are_the_same_run():
    said = RunConfig(model=VLFConfig(width=64, heads=4), train=TrainConfig(epochs=16))

    assert identity(said) == identity(RunConfig())
    assert len(identity(said)) == 64


def test_all_that_can_change_an_accuracy_changes_the_identity():
    runs = [
        RunConfig(),
        RunConfig(data=MotionConfig(frames=4)),
        RunConfig(model=VLFConfig(width=32)),
        RunConfig(model=TSNConfig()),
        RunConfig(model=TSMConfig()),
        RunConfig(train=TrainConfig(threads=2)),
        RunConfig(train=TrainConfig(matmul_precision="high")),
    ]
    found = [identity(run) for run in runs]
    found += [identity(RunConfig(), seed=1), identity(RunConfig(), device="cuda")]

    assert len(set(found)) == len(found)


def test_the_index_of_a_device_does_not_count():
    assert identity(RunConfig(), device="cuda:3") == identity(RunConfig(), device="cuda")


def test_paths_do_not_count_but_the_contents_of_files_do(lists):
    here = identity(lists("here"))

    assert identity(lists("there")) == here
    assert identity(lists("other", train="a.mp4 1\n")) != here


def test_digests_are_named_by_role(lists):
    config = lists("here")

    assert list(file_digests(config)) == ["data.train", "data.val", "data.test"]


def test_split_files_in_a_folder_are_named_by_it_and_where_they_lie_does_not_count(tmp_path):
    def run(folder, splits, videos):
        (tmp_path / folder / splits).mkdir(parents=True)
        (tmp_path / folder / splits / "run_test_split1.txt").write_text("a.avi 1\n", "utf-8")
        root = str(tmp_path / folder)
        return RunConfig(data=HMDB51Config(root=root, splits=splits, videos=videos))

    here, there = run("here", "splits", "hmdb51_org"), run("there", "lists", "avi")

    assert list(file_digests(here)) == ["data.splits/run_test_split1.txt"]
    assert list(file_digests(there)) == ["data.splits/run_test_split1.txt"]
    assert identity(here) == identity(there)
    other = there.data.model_copy(update={"split": 2})
    digests = file_digests(there)
    assert train_identity(RunConfig(data=other), 0, "cpu", digests) != identity(there)


def test_which_clips_of_kinetics_are_here_is_part_of_the_identity(tmp_path):
    found = []
    for folder, clips in [("a", "x"), ("b", "xy"), ("c", "xy")]:
        (tmp_path / folder / "train").mkdir(parents=True)
        for name in ("train", "val"):
            (tmp_path / folder / f"{name}.csv").write_text("label\n", "utf-8")
        for clip in clips:
            (tmp_path / folder / "train" / f"{clip}_000000_000010.mp4").touch()
        root = str(tmp_path / folder)
        data = KineticsConfig(root=root, train="train.csv", test="val.csv")
        found.append(identity(RunConfig(data=data)))

    assert found[0] != found[1] == found[2]


def test_a_renamed_list_is_the_same_list(lists, tmp_path):
    config = lists("here")
    (tmp_path / "here" / "train.txt").rename(tmp_path / "here" / "first.txt")
    renamed = config.model_copy(
        update={"data": config.data.model_copy(update={"train": "first.txt"})}
    )

    assert identity(renamed) == train_identity(config, 0, "cpu", file_digests(renamed))


def test_a_list_that_was_written_again_is_read_again(lists, tmp_path):
    config = lists("here")
    before = file_digests(config)
    path = tmp_path / "here" / "train.txt"
    path.write_text("b.mp4 0\n", "utf-8")  # as long as before
    os.utime(path, ns=(1, 1))

    after = file_digests(config)

    assert after["data.train"] != before["data.train"]
    assert after["data.val"] == before["data.val"]


def test_weights_count_by_content_and_no_weights_differ_from_some(tmp_path):
    for name, content in [("a.pt", b"1"), ("b.pt", b"1"), ("c.pt", b"2")]:
        (tmp_path / name).write_bytes(content)
    found = {
        name: identity(RunConfig(model=VLFConfig(pretrained=str(tmp_path / name))))
        for name in ("a.pt", "b.pt", "c.pt")
    }

    assert found["a.pt"] == found["b.pt"]
    assert len({found["a.pt"], found["c.pt"], identity(RunConfig())}) == 3


def test_another_weight_file_under_the_same_path_is_another_run(tmp_path):
    config = RunConfig(model=TimeSformerConfig(weights=str(tmp_path / "k400.pt")))
    found = []
    for content in (b"one", b"another"):
        (tmp_path / "k400.pt").write_bytes(content)
        found.append(identity(config))
    (tmp_path / "moved.pt").write_bytes(b"another")
    moved = RunConfig(model=TimeSformerConfig(weights=str(tmp_path / "moved.pt")))

    assert len({*found, identity(RunConfig(model=TimeSformerConfig()))}) == 3
    assert identity(moved) == found[1]


def test_a_folder_counts_by_its_weights_and_their_description(tmp_path):
    def folder(name, **files):
        (tmp_path / name).mkdir()
        for stem, content in {"model.safetensors": "1", "config.json": "{}", **files}.items():
            (tmp_path / name / stem).write_text(content)
        return RunConfig(model=TimeSformerConfig(weights=str(tmp_path / name)))

    here = folder("here")

    assert list(file_digests(here)) == [
        "model.weights/model.safetensors",
        "model.weights/config.json",
    ]
    assert identity(folder("there", **{"README.md": "Hello"})) == identity(here)
    others = [{"model.safetensors": "2"}, {"config.json": "[]"}]
    found = {identity(folder(f"other {i}", **other)) for i, other in enumerate(others)}
    assert len({identity(here), *found}) == 3


def test_an_empty_folder_is_told_with_its_key(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        file_digests(RunConfig(model=TimeSformerConfig(weights=str(tmp_path))))

    assert caught.value.key == "model.weights"


def test_weights_change_no_cost_but_a_new_head_is_another_run(tmp_path):
    (tmp_path / "k400.pt").write_bytes(b"1")
    options = {"weights": str(tmp_path / "k400.pt")}
    plain, new = TimeSformerConfig(**options), TimeSformerConfig(**options, new_head=True)

    assert identity(RunConfig(model=plain)) != identity(RunConfig(model=new))
    assert new.untrained() == plain.untrained() == TimeSformerConfig()
    assert TSNConfig(pretrained=True).untrained() == TSNConfig()


def test_a_missing_file_is_told_with_its_key(lists, tmp_path):
    config = lists("here")
    (tmp_path / "here" / "val.txt").unlink()
    with pytest.raises(ConfigError) as caught:
        file_digests(config)

    assert caught.value.key == "data.val"
    assert caught.value.message == f"no such file: {tmp_path}/here/val.txt"
    with pytest.raises(ConfigError, match=r"^model\.pretrained: no such file: "):
        file_digests(RunConfig(model=TSNConfig(pretrained=str(tmp_path / "none.pt"))))


def test_a_cost_is_named_by_architecture_clip_protocol_and_machine():
    found = [
        cost(),
        cost(model=TimeSformerConfig()),
        cost(model=VLFConfig(spatial_depth=0)),
        cost(clip={**CLIP, "frames": 4}),
        cost(protocol=CostConfig(precision="bf16")),
        cost(protocol=CostConfig(rounds=10)),
        cost(device_model="B"),
        cost(device="cuda"),
        cost(torch="2.15"),
    ]

    assert len(set(found)) == len(found)
    assert cost(device="cuda:1") == cost(device="cuda")


def test_a_folder_of_weights_counts_by_content_and_its_config_alone_for_costs(tmp_path):
    def model(name, config=b"{}", weights=b"1"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_bytes(config)
        (folder / "model.safetensors").write_bytes(weights)
        architecture = "VivitForVideoClassification"
        return TransformersConfig(architecture=architecture, folder=str(folder))

    def train(one):
        return identity(RunConfig(model=one))

    def timed(one):
        return cost(model=one, digests=architecture_digests(one))

    first, copy = model("a"), model("b")
    trained, reshaped = model("c", weights=b"2"), model("d", config=b'{"hidden_size": 8}')
    assert train(first) == train(copy)
    assert len({train(one) for one in (first, trained, reshaped)}) == 3
    assert timed(first) == timed(copy) == timed(trained)
    assert timed(reshaped) != timed(first)
    assert architecture_digests(VLFConfig()) == {}
