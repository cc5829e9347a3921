"""Checkpoints as training code writes them, with more in them than a state dict."""

import argparse
import json
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from peers import save, transformers_vivit

from vlf.config import (
    ConfigError,
    MotionConfig,
    TransformersConfig,
    TSMConfig,
    TSNConfig,
    VTNLongformerConfig,
)
from vlf.models import build_model
from vlf.weights.files import read_weights

DATA = MotionConfig()


@pytest.fixture(scope="module")
def donor():
    torch.manual_seed(3)
    return build_model(TSNConfig(), DATA)


def loaded(path, **options):
    return build_model(TSNConfig(weights=str(path), **options), DATA)


def refusal(config):
    with pytest.raises(ConfigError) as told:
        build_model(config, DATA)
    assert told.value.key == "model.weights"
    assert told.value.message.isprintable()
    return told.value.message


@pytest.fixture
def history(monkeypatch):
    """An object of a class that is there when a file is written and not when it is read."""
    name = "mmengine.logging.history_buffer"
    made = type("HistoryBuffer", (), {"__module__": name, "mean": lambda self: 0})
    parts = ["mmengine", "mmengine.logging", name]
    for part in parts:
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    sys.modules[name].HistoryBuffer = made
    buffer = made()
    buffer.values = np.arange(3.0)
    return buffer


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("old", [False, True])
def test_a_checkpoint_of_a_runner_with_its_own_objects_is_read(
    protocol, old, history, donor, tmp_path
):
    hub = {"log_scalars": {"train/loss": history}, "runtime_info": {"epoch": 3}}
    checkpoint = {
        "meta": {"seed": 1, "hook_msgs": {"best_score": np.float64(71.5)}},
        "state_dict": donor.state_dict(),
        "message_hub": hub,
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{}]},
        "args": argparse.Namespace(lr=0.1),
    }
    options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": not old}
    torch.save(checkpoint, tmp_path / "epoch_3.pth", **options)
    for part in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
        sys.modules.pop(part)

    model = loaded(tmp_path / "epoch_3.pth")

    stored, state = donor.state_dict(), model.state_dict()
    assert all(torch.equal(state[key], stored[key]) for key in stored)


@pytest.mark.parametrize(
    "name", ["model_state", "state_dict", "model", "model_state_dict", "module", "net", "weights"]
)
def test_a_state_dict_is_found_under_the_name_that_it_has(name, donor, tmp_path):
    rest = {"epoch": 3, "rng_state": torch.get_rng_state(), "scaler": {"scale": 2.0}}
    if name in ("net", "weights"):
        del rest["rng_state"]  # a tensor by itself, beside which only known names are looked for
    torch.save({**rest, name: donor.state_dict()}, tmp_path / "run.ckpt")

    assert torch.equal(loaded(tmp_path / "run.ckpt").head[1].weight, donor.head[1].weight)


WRAPPERS = ["module", "_orig_mod", "module._orig_mod", "_orig_mod.module", "model"]
WRAPPERS += ["model._orig_mod", "_fsdp_wrapped_module", "net.model"]
LOSSES = {"cls_head.loss_cls.class_weight": torch.ones(10), "criterion.weight": torch.ones(10)}
OTHERS = {  # what is no part of a model -> the content of a file that holds it
    **{
        wrapper: lambda model, wrapper=wrapper: {
            "state_dict": {f"{wrapper}.{key}": value for key, value in model.state_dict().items()}
        }
        for wrapper in WRAPPERS
    },
    "the count of an average": lambda model: torch.optim.swa_utils.AveragedModel(
        model
    ).state_dict(),
    "weights of a loss": lambda model: {"state_dict": {**model.state_dict(), **LOSSES}},
    "an average beside the weights": lambda model: {
        "state_dict": model.state_dict(),
        "state_dict_ema": {k: torch.zeros_like(v) for k, v in model.state_dict().items()},
    },
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_what_wrappers_averages_and_losses_add_takes_no_part(content, donor, tmp_path):
    torch.save(content(donor), tmp_path / "run.pth")

    assert torch.equal(loaded(tmp_path / "run.pth").head[1].weight, donor.head[1].weight)


def test_two_state_dicts_of_which_none_is_known_are_named(donor, tmp_path):
    state = donor.state_dict()
    torch.save({"student": state, "teacher": state}, tmp_path / "two.pth")

    said = refusal(TSNConfig(weights=str(tmp_path / "two.pth")))

    assert said.endswith("holds 2 state dicts (student, teacher); save one")


def test_a_model_that_was_pickled_whole_is_named(donor, tmp_path):
    torch.save(donor, tmp_path / "whole.pth")

    said = refusal(TSNConfig(weights=str(tmp_path / "whole.pth")))

    assert "holds no state dict but an object of vlf.models.tsn.TSN: save model.state_d" in said


def test_tensors_of_a_gpu_and_of_16_bits_are_read_on_the_cpu(tmp_path):
    torch.save({"f.weight": torch.arange(6).bfloat16()}, tmp_path / "cpu.pth")
    with (
        zipfile.ZipFile(tmp_path / "cpu.pth") as cpu,
        zipfile.ZipFile(tmp_path / "gpu.pth", "w") as gpu,
    ):
        for name in cpu.namelist():
            content = cpu.read(name)
            if name.endswith("data.pkl"):
                assert content.count(b"X\x03\0\0\0cpu") == content.count(b"ctorch\nBF") == 1
                content = content.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:1")
                content = content.replace(b"ctorch\nBF", b"ctorch.cuda\nBF")
            gpu.writestr(name, content)

    state = read_weights(tmp_path / "gpu.pth").state

    assert state["f.weight"].dtype == torch.bfloat16
    assert state["f.weight"].tolist() == [0, 1, 2, 3, 4, 5]


def test_views_of_one_storage_are_read_as_views(tmp_path):
    base = torch.arange(12.0)
    views = {"a": base[2:6], "b": base.view(3, 4).t(), "c": base[::3], "d": base[:0], "e": base[1]}
    for old in (False, True):
        torch.save(views, tmp_path / "views.pth", _use_new_zipfile_serialization=not old)

        state = read_weights(tmp_path / "views.pth").state

        assert all(torch.equal(state[key], views[key]) for key in views)


IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
HALF = {"mean": [114.75, 114.75, 114.75], "std": [57.375, 57.375, 57.375]}


def with_constants(donor, path, constants, shape=(3, 1, 1)):
    buffers = {
        f"data_preprocessor.{kind}": torch.tensor(values).view(shape)
        for kind, values in constants.items()
    }
    torch.save({"state_dict": {**donor.state_dict(), **buffers}}, path)
    return path


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1), (3,)])
def test_the_constants_of_a_preprocessor_are_read_and_are_no_weights(shape, donor, tmp_path):
    path = with_constants(donor, tmp_path / "same.pth", IMAGENET, shape)

    assert torch.equal(loaded(path).head[1].weight, donor.head[1].weight)


OTHERWISE = "say model.mean: [0.45, 0.45, 0.45] and model.std: [0.225, 0.225, 0.225]; to adapt to"


def test_clips_that_were_normalised_otherwise_are_refused_with_the_values(donor, tmp_path):
    path = with_constants(donor, tmp_path / "other.pth", HALF)

    assert OTHERWISE in refusal(TSNConfig(weights=str(path)))
    for mean, std in (((0.45,) * 3, (0.225,) * 3), ((0.5,) * 3, (0.5,) * 3)):
        model = loaded(path, mean=mean, std=std)  # what is said is taken
        assert torch.equal(model.head[1].weight, donor.head[1].weight)


HALF_LINES = "MEAN:\n  - 0.45\n  - 0.45\n  - 0.45\n  STD:\n  - 0.225\n  - 0.225\n  - 0.225\n"
CONFIG_TEXTS = {
    "yacs": f"DATA:\n  {HALF_LINES}",
    "yacs in one line": "DATA:\n  MEAN: [0.45, 0.45, 0.45]\n  STD: [0.225, 0.225, 0.225]\n",
    "mmengine": f"dict(mean=[\n    114.75, 114.75, 114.75], std={HALF['std']}, type='x')",
    "json": '{"mean": [114.75, 114.75, 114.75], "std": [57.375, 57.375, 57.375]}',
}


@pytest.mark.parametrize("text", CONFIG_TEXTS.values(), ids=CONFIG_TEXTS)
@pytest.mark.parametrize("place", ["cfg", "meta"])
def test_the_normalisation_that_a_stored_config_says_is_compared(text, place, donor, tmp_path):
    said = {"cfg": text} if place == "cfg" else {"meta": {"config": text}}
    torch.save({"state_dict": donor.state_dict(), **said}, tmp_path / "run.pth")

    assert OTHERWISE in refusal(TSNConfig(weights=str(tmp_path / "run.pth")))


def test_a_config_with_several_normalisations_says_none(donor, tmp_path):
    text = "a=dict(mean=[1.0, 2.0, 3.0], std=[1, 1, 1])\nb=dict(mean=[4, 5, 6], std=[1, 1, 1])"
    torch.save({"state_dict": donor.state_dict(), "cfg": text}, tmp_path / "run.pth")

    loaded(tmp_path / "run.pth")


def test_blue_before_red_is_refused(donor, tmp_path):
    blue_first = {"mean": IMAGENET["mean"][::-1], "std": [1.0, 1.0, 1.0]}
    path = with_constants(donor, tmp_path / "caffe.pth", blue_first)

    assert "with blue before red" in refusal(TSNConfig(weights=str(path)))


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"image_mean": [0.45] * 3, "image_std": [0.225] * 3}, True),
        ({"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": False}, False),
        ({"offset": True, "do_normalize": False}, True),
        ({"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}, False),
    ],
)
def test_the_preprocessor_of_a_folder_is_compared(values, refused, donor, tmp_path):
    from safetensors.torch import save_file

    save_file(donor.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))

    if refused:
        assert "say model.mean: [0." in refusal(TSNConfig(weights=str(tmp_path)))
    else:
        loaded(tmp_path)


@pytest.mark.parametrize("name", ["preprocessor_config.json", "video_preprocessor_config.json"])
def test_the_preprocessor_of_a_peers_folder_is_compared_too(name, tmp_path):
    save(transformers_vivit(frames=8, classes=10), tmp_path)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / name).write_text(json.dumps(half))
    options = {"architecture": "VivitForVideoClassification", "folder": str(tmp_path)}

    with pytest.raises(ConfigError) as told:
        build_model(TransformersConfig(**options), DATA)
    build_model(TransformersConfig(**options, mean=(0.5,) * 3, std=(0.5,) * 3), DATA)
    build_model(TransformersConfig(**options, pretrained=False), DATA)

    assert told.value.key == "model.folder"
    assert "say model.mean: [0.5, 0.5, 0.5] and model.std: [0.5, 0.5, 0.5]" in told.value.message


def test_the_backbones_file_is_compared_too(tmp_path):
    import timm

    state = {f"backbone.{k}": v for k, v in timm.create_model("resnet10t").state_dict().items()}
    text = "img_norm_cfg = dict(mean=[114.75, 114.75, 114.75], std=[57.375, 57.375, 57.375])"
    torch.save({"state_dict": state, "meta": {"config": text}}, tmp_path / "backbone.pth")
    options = {"backbone": "timm:resnet10t", "pretrained": str(tmp_path / "backbone.pth")}

    with pytest.raises(ConfigError) as told:
        build_model(TSNConfig(**options), DATA)
    model = build_model(TSNConfig(**options, mean=(0.45,) * 3, std=(0.225,) * 3), DATA)

    assert told.value.key == "model.pretrained"
    assert OTHERWISE in told.value.message
    stored = state["backbone.layer4.0.conv1.weight"]
    assert torch.equal(model.f.net.layer4[0].conv1.weight, stored)


@pytest.mark.parametrize(
    ("config", "said", "told"),
    [
        (TSMConfig(), "backbone=dict(type='ResNetTSM', shift_div=4)", "say model.shift_div: 4"),
        (TSMConfig(), "shift_div: 4\n", "say model.shift_div: 4, not 8"),
        (VTNLongformerConfig(), "VTN:\n  NUM_ATTENTION_HEADS: 8\n", "say model.heads: 8, not 4"),
        (VTNLongformerConfig(), "  ATTENTION_WINDOW:\n  - 32\n  - 32\n", "say model.window: 32"),
    ],
)
def test_what_no_shape_shows_is_compared_with_the_stored_config(config, said, told, tmp_path):
    state = build_model(config, DATA).state_dict()
    torch.save({"model_state": state, "cfg": said}, tmp_path / "run.pyth")

    assert told in refusal(config.model_copy(update={"weights": str(tmp_path / "run.pyth")}))


def test_options_of_a_script_are_read_as_a_config(tmp_path):
    state = build_model(TSMConfig(), DATA).state_dict()
    args = argparse.Namespace(shift_div=4, arch="resnet50")
    torch.save({"state_dict": state, "args": args}, tmp_path / "run.pth")

    said = refusal(TSMConfig(weights=str(tmp_path / "run.pth")))

    assert "was made with shift_div 4: say model.shift_div: 4, not 8" in said
