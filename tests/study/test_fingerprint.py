"""Edits of the code that change a fingerprint, which is cached by folder: copies have new names."""

import shutil

import pytest

from study.plan.fingerprint import code_fingerprint, fingerprint_of, registered
from vlf.config import RunConfig, TimeSformerConfig, TSMConfig, TSNConfig, VLFConfig

PEER_MODULES = ("vlf", "peers.torchvision", "peers.transformers")


@pytest.fixture
def tree(tmp_path, root):
    """A copy of the packages, free to be changed."""
    for package in ("vlf", "study"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / package, tmp_path / package, ignore=ignored)
    return tmp_path


def edited(tree, name, old="", new="\nNEW = 1\n"):
    """A copy of a tree with one text of a file replaced, or with a line at its end."""
    copy = tree.with_name(f"{tree.name}-edited")
    shutil.copytree(tree, copy)
    path = copy / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else text + new, "utf-8")
    return copy


def write_package(folder, **files):
    """A package `vlf` of these modules."""
    for name, text in {"__init__": "", **files}.items():
        path = folder / "vlf" / f"{name.replace('__', '/') if name != '__init__' else name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("file", "old", "kind", "config", "counts"),
    [
        ("vlf/models/vivit.py", "", "train", RunConfig(model=TSNConfig()), False),
        ("vlf/models/vivit.py", "", "cost", RunConfig(model=TSNConfig()), False),
        ("vlf/models/__init__.py", "(config, data)\n", "cost", RunConfig(), True),
        ("study/measure/metrics/latency.py", "", "cost", RunConfig(), True),
        ("study/measure/metrics/latency.py", "", "train", RunConfig(), False),
        ("vlf/weights/timesformer.py", "", "train", RunConfig(model=TimeSformerConfig()), False),
        (
            "vlf/weights/timesformer.py",
            "",
            "train",
            RunConfig(model=TimeSformerConfig(weights="k400.pt")),
            True,
        ),
        (
            "vlf/weights/timesformer.py",
            "",
            "cost",
            RunConfig(model=TimeSformerConfig(weights="k400.pt")),
            False,
        ),
    ],
)
def test_code_counts_where_a_run_uses_it(tree, file, old, kind, config, counts):
    other = edited(tree, file, old, "(config, data, 1)\n" if old else "\nNEW = 1\n")

    changed = fingerprint_of(config, kind, tree) != fingerprint_of(config, kind, other)

    assert changed == counts


@pytest.mark.parametrize("kind", ["train", "cost"])
def test_a_new_line_in_a_registry_does_not_count(tree, kind):
    entry = '    "new": "vlf.models.new:New",\n    "tsn":'
    other = edited(tree, "vlf/models/__init__.py", '    "tsn":', entry)

    run = RunConfig(model=TSNConfig())
    assert fingerprint_of(run, kind, tree) == fingerprint_of(run, kind, other)


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


HELPER = '"""Says one thing."""\ndef double(x):\n    """Twice."""\n    return 2 * x\n'


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("return 2 * x", "return (2*x)  # why", False),
        ("Twice.", "Two times.", False),
        ("Says one thing.", "Another.", False),
        ("2 * x", "3 * x", True),
    ],
)
def test_code_of_a_helper_counts_and_its_remarks_do_not(tmp_path, old, new, counts):
    model = "from vlf import helper\nX = helper.double(2)\n"
    write_package(tmp_path, model=model, helper=HELPER)
    other = edited(tmp_path, "vlf/helper.py", old, new)

    changed = code_fingerprint(("vlf.model",), tmp_path) != code_fingerprint(("vlf.model",), other)

    assert changed == counts


def test_moving_a_module_leaves_the_fingerprint(tmp_path):
    def fingerprint(name, **files):
        return code_fingerprint(("vlf.model",), write_package(tmp_path / name, **files))

    helper = "def double(x):\n    return 2 * x\n\ndef half(x):\n    return x / 2\n"
    use = "X = double(half(2))\n"
    before = fingerprint(
        "before", model=f"from vlf.helper import double, half\n{use}", helper=helper
    )
    there = "from vlf.rooms.tools import half\nfrom vlf.rooms.tools import double\n"
    moved = fingerprint("moved", model=f"{there}{use}", rooms__tools=helper)
    swap = "from vlf.helper import double as half, half as double\n"
    swapped = fingerprint("swapped", model=f"{swap}{use}", helper=helper)

    assert moved == before
    assert swapped != before


@pytest.mark.parametrize(
    "line",
    ["from vlf.helper import double", "import vlf.helper as h", "from .helper import double"],
)
def test_every_way_to_import_is_followed_inside_functions_too(tmp_path, line):
    write_package(tmp_path, model=f"def build():\n    {line}\n", helper=HELPER)
    other = edited(tmp_path, "vlf/helper.py", "2 * x", "3 * x")

    assert code_fingerprint(("vlf.model",), tmp_path) != code_fingerprint(("vlf.model",), other)


def test_a_module_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no module vlf\.nothing"):
        code_fingerprint(("vlf.nothing",), tmp_path)


def test_the_version_of_a_library_counts_where_a_module_imports_it(tree, monkeypatch):
    versions = {"torchvision": "1"}
    monkeypatch.setattr("study.plan.fingerprint.version", lambda name: versions.get(name, "1"))
    before = {name: code_fingerprint((f"vlf.models.{name}",), tree) for name in PEER_MODULES}

    versions["torchvision"] = "2"
    copy = tree.with_name(f"{tree.name}-later")
    shutil.copytree(tree, copy)
    after = {name: code_fingerprint((f"vlf.models.{name}",), copy) for name in PEER_MODULES}

    assert [name for name in PEER_MODULES if before[name] != after[name]] == ["peers.torchvision"]
