import os
import shutil
from types import MappingProxyType

import pytest

from study.plan.fingerprint import code_fingerprint, fingerprint_of, registered
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

PEER_MODULES = ("vlf", "peers.torchvision", "peers.transformers")
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


@pytest.fixture
def tree(tmp_path, root):
    """A copy of the packages, free to be changed."""
    for package in ("vlf", "study"):
        shutil.copytree(
            root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def edited_copy(tree, name, old, new):
    """The tree under another name (fingerprints are cached by root), with one file changed."""
    copy = tree.with_name(f"{tree.name}-edited")
    shutil.copytree(tree, copy)
    path = copy / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return copy


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


def test_layouts_of_weight_files_count_where_a_run_starts_from_one(tree):
    other = tree.with_name(f"{tree.name}-layouts")
    shutil.copytree(tree, other)
    with (other / "vlf" / "weights" / "timesformer.py").open("a") as file:
        file.write("\nNEW = 1\n")

    scratch = RunConfig(model=TimeSformerConfig())
    started = RunConfig(model=TimeSformerConfig(weights="k400.pt"))
    assert fingerprint_of(scratch, "train", tree) == fingerprint_of(scratch, "train", other)
    assert fingerprint_of(started, "train", tree) != fingerprint_of(started, "train", other)
    assert fingerprint_of(started, "cost", tree) == fingerprint_of(started, "cost", other)


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


def test_registries_are_read_without_importing_what_they_name(root):
    assert registered("vlf.models", "MODELS", root)["tsn"] == "vlf.models.tsn"
    assert registered("vlf.data", "DATASETS", root)["motion"] == "vlf.data.datasets.motion"
    with pytest.raises(KeyError, match=r"vlf\.models has no MODEL"):
        registered("vlf.models", "MODEL", root)


@pytest.mark.parametrize("kind", ["train", "cost"])
def test_every_shipped_architecture_has_its_own_fingerprint(root, kind):
    models = [VLFConfig(), TSNConfig(), TSMConfig(), TimeSformerConfig()]
    found = {fingerprint_of(RunConfig(model=model), kind, root) for model in models}

    assert len(found) == len(models)


def test_code_of_a_helper_counts_and_its_remarks_do_not(tmp_path):
    package = tmp_path / "vlf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text("from vlf import helper\nX = helper.double(2)\n")
    helper = '"""Says one thing."""\ndef double(x):\n    """Twice."""\n    return 2 * x\n'
    (package / "helper.py").write_text(helper)

    def fingerprint(text):
        copy = tmp_path.with_name(f"{tmp_path.name}-{abs(hash(text))}")
        shutil.copytree(tmp_path, copy)
        (copy / "vlf" / "helper.py").write_text(text)
        return code_fingerprint(("vlf.model",), copy)

    before = fingerprint(helper)
    assert fingerprint(helper.replace("return 2 * x", "return (2*x)  # why")) == before
    assert fingerprint(helper.replace("Twice.", "Two times.")) == before
    assert fingerprint(helper.replace("Says one thing.", "Another.")) == before
    assert fingerprint(helper.replace("2 * x", "3 * x")) != before


def test_moving_a_module_leaves_the_fingerprint(tmp_path):
    def tree(name, **files):
        for path, text in files.items():
            target = tmp_path / name / "vlf" / f"{path.replace('__', '/')}.py"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        (tmp_path / name / "vlf" / "__init__.py").write_text("")
        return code_fingerprint(("vlf.model",), tmp_path / name)

    helper = "def double(x):\n    return 2 * x\n\ndef half(x):\n    return x / 2\n"
    before = tree(
        "before", model="from vlf.helper import double, half\nX = double(half(2))\n", helper=helper
    )
    moved = tree(
        "moved",
        model="from vlf.rooms.tools import half\nfrom vlf.rooms.tools import double\n"
        "X = double(half(2))\n",
        rooms__tools=helper,
    )
    swapped = tree(
        "swapped",
        model="from vlf.helper import double as half, half as double\nX = double(half(2))\n",
        helper=helper,
    )
    assert moved == before
    assert swapped != before


@pytest.mark.parametrize(
    "line",
    ["from vlf.helper import double", "import vlf.helper as h", "from .helper import double"],
)
def test_every_way_to_import_is_followed_inside_functions_too(tmp_path, line):
    package = tmp_path / "vlf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text(f"def build():\n    {line}\n")
    (package / "helper.py").write_text("def double(x):\n    return 2 * x\n")

    other = edited_copy(tmp_path, "vlf/helper.py", "2 * x", "3 * x")

    assert code_fingerprint(("vlf.model",), tmp_path) != code_fingerprint(("vlf.model",), other)


def test_another_architecture_and_its_line_in_the_registry_do_not_count(tree):
    other = edited_copy(
        tree, "vlf/models/__init__.py", '    "tsn":', '    "new": "vlf.models.new:New",\n    "tsn":'
    )
    with (other / "vlf" / "models" / "vivit.py").open("a") as file:
        file.write("\nNEW = 1\n")

    for kind in ("train", "cost"):
        run = RunConfig(model=TSNConfig())
        assert fingerprint_of(run, kind, tree) == fingerprint_of(run, kind, other)


def test_how_models_are_built_counts(tree):
    other = edited_copy(tree, "vlf/models/__init__.py", "(config, data)\n", "(config, data, 1)\n")

    assert fingerprint_of(RunConfig(), "cost", tree) != fingerprint_of(RunConfig(), "cost", other)


def test_how_a_cost_is_measured_counts_for_cost_alone(tree):
    other = tree.with_name(f"{tree.name}-metrics")
    shutil.copytree(tree, other)
    with (other / "study" / "measure" / "metrics" / "latency.py").open("a") as file:
        file.write("\nNEW = 1\n")

    run = RunConfig()
    assert fingerprint_of(run, "cost", tree) != fingerprint_of(run, "cost", other)
    assert fingerprint_of(run, "train", tree) == fingerprint_of(run, "train", other)


def test_a_module_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no module vlf\.nothing"):
        code_fingerprint(("vlf.nothing",), tmp_path)


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


def test_the_version_of_a_library_counts_where_a_module_imports_it(tree, monkeypatch):
    versions = {"torchvision": "1"}
    monkeypatch.setattr("study.plan.fingerprint.version", lambda name: versions.get(name, "1"))
    before = {name: code_fingerprint((f"vlf.models.{name}",), tree) for name in PEER_MODULES}

    versions["torchvision"] = "2"
    copy = tree.with_name(f"{tree.name}-later")  # fingerprints are cached by root
    shutil.copytree(tree, copy)
    after = {name: code_fingerprint((f"vlf.models.{name}",), copy) for name in PEER_MODULES}

    assert [name for name in PEER_MODULES if before[name] != after[name]] == ["peers.torchvision"]
