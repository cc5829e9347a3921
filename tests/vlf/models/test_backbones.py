import pytest
import timm
import torch

from vlf.config import ConfigError, TSMConfig, TSNConfig
from vlf.models.backbones import build_backbone, build_vectors


def build(size=64, **options):
    return build_backbone(TSNConfig(**options), size)


@pytest.mark.parametrize(
    ("name", "stage", "size", "shape"),
    [
        ("tiny", None, 32, (64, 4, 4)),  # each convolution halves the side
        ("tiny", 2, 32, (64, 4, 4)),
        ("tiny", 3, 32, (128, 2, 2)),
        ("tiny", 2, 33, (64, 5, 5)),
        ("timm:resnet10t", None, 64, (512, 2, 2)),
        ("timm:resnet10t", 2, 64, (128, 8, 8)),
        ("timm:mobilenetv2_035", 2, 64, (16, 8, 8)),
        ("timm:vit_tiny_patch16_224", 5, 64, (192, 4, 4)),
        ("timm:swin_tiny_patch4_window7_224", 1, 64, (192, 8, 8)),
    ],
)
def test_a_stage_of_a_backbone_gives_its_feature_map(name, stage, size, shape):
    with torch.device("meta"):
        backbone, said = build(size, backbone=name, stage=stage)

        assert said == shape
        assert backbone(torch.zeros(2, 3, size, size)).shape == (2, *shape)


@pytest.mark.parametrize(
    ("name", "stage", "width"),
    [
        ("timm:mobilenetv2_100", None, 1280),
        ("timm:mobilenetv2_100", 4, 320),
        ("timm:resnet10t", None, 512),
        ("timm:resnet10t", 2, 128),
        ("timm:vit_tiny_patch16_224", None, 192),
        ("tiny", None, 64),
        ("tiny", 3, 128),
    ],
)
def test_a_frame_becomes_one_vector_of_the_whole_network_or_of_a_stage(name, stage, width):
    with torch.device("meta"):
        vectors, said = build_vectors(TSNConfig(backbone=name, stage=stage), 64)

        assert said == width
        assert vectors(torch.zeros(2, 3, 64, 64)).shape == (2, width)


def test_the_whole_resnet_gives_the_mean_of_its_last_feature_map():
    vectors, _ = build_vectors(TSNConfig(backbone="timm:resnet10t"), 64)
    backbone, _ = build(backbone="timm:resnet10t")
    backbone.net.model.load_state_dict(vectors.net.state_dict())
    frames = torch.randn(2, 3, 64, 64)

    with torch.no_grad():
        wanted = backbone.eval()(frames).mean(dim=(2, 3))
        torch.testing.assert_close(vectors.eval()(frames), wanted)


def test_a_vit_is_read_at_its_class_token_behind_the_last_norm():
    vectors, _ = build_vectors(TSNConfig(backbone="timm:vit_tiny_patch16_224"), 32)
    frames = torch.randn(2, 3, 32, 32)

    with torch.no_grad():
        wanted = vectors.eval().net.forward_features(frames)[:, 0]
        torch.testing.assert_close(vectors(frames), wanted)


def test_a_whole_network_starts_from_a_weight_file_that_holds_a_classifier(weight_file):
    config = TSNConfig(backbone="timm:resnet10t", pretrained=weight_file)
    vectors, _ = build_vectors(config, 64)

    stored, state = torch.load(weight_file), vectors.net.state_dict()
    assert "fc.weight" in stored
    assert all(torch.equal(tensor, stored[key]) for key, tensor in state.items())


def test_layers_behind_the_stage_are_not_kept():
    backbone, _ = build(backbone="timm:mobilenetv2_035", stage=1)

    backbone(torch.randn(2, 3, 64, 64)).square().sum().backward()

    assert all(p.grad is not None for p in backbone.parameters())


def test_learning_the_shape_moves_no_statistics_and_leaves_training_on():
    backbone, _ = build()

    assert backbone.training
    assert not backbone[1].running_mean.any()
    assert backbone[1].num_batches_tracked == 0


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet10t.pt"
    torch.save(timm.create_model("resnet10t").state_dict(), path)
    return str(path)


@pytest.mark.parametrize("config", [TSNConfig, TSMConfig])
def test_a_weight_file_is_what_the_backbone_starts_from(weight_file, config):
    options = config(backbone="timm:resnet10t", stage=2, pretrained=weight_file)
    backbone, _ = build_backbone(options, 64)

    stored, state = torch.load(weight_file), backbone.state_dict()

    assert "net.model.layer2.0.conv1.weight" in state
    for key, tensor in state.items():
        assert torch.equal(tensor, stored[key.removeprefix("net.model.")])


def test_tiny_starts_from_a_weight_file_too(tmp_path):
    torch.manual_seed(0)
    donor, _ = build()
    torch.save(donor.state_dict(), tmp_path / "tiny.pt")

    backbone, _ = build(pretrained=str(tmp_path / "tiny.pt"))

    assert torch.equal(backbone[0].weight, donor[0].weight)


def test_no_weights_are_read_on_the_meta_device(tmp_path):
    (tmp_path / "junk.pt").write_bytes(b"junk")

    for name in ("tiny", "timm:resnet10t"):
        for pretrained in {str(tmp_path / "junk.pt"), name != "tiny"}:
            with torch.device("meta"):
                backbone, _ = build(backbone=name, pretrained=pretrained)
            assert next(backbone.parameters()).is_meta


def test_weights_that_cannot_be_fetched_are_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ConfigError, match='cannot fetch the weights of "timm:resnet10t" ') as told:
        build(backbone="timm:resnet10t", pretrained=True)

    assert told.value.key == "model.pretrained"
    assert "\n" not in told.value.message


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        (
            {"backbone": "timm:resnet81"},
            "model.backbone",
            'timm has no model "resnet81"; did you mean "resnet18"',
        ),
        (
            {"backbone": "timm:resnet18.a1_in2k"},
            "model.backbone",
            'no weights "a1_in2k"; did you mean "a1_in1k"',
        ),
        (
            {"backbone": "timm:resnet10t", "stage": 5},
            "model.stage",
            'must be 0 to 4 for "timm:resnet10t", got 5',
        ),
        ({"stage": 1}, "model.stage", 'must be 2 or 3 for backbone "tiny", got 1'),
        ({"stage": 4}, "model.stage", 'must be 2 or 3 for backbone "tiny", got 4'),
        ({"pretrained": True}, "model.pretrained", '"tiny" has no published weights'),
        ({"pretrained": "no.pt"}, "model.pretrained", 'no such file: "no.pt"'),
        (
            {"backbone": "timm:resnet26", "pretrained": "{weights}"},
            "model.pretrained",
            "lacks .*, and has .*, which resnet26 has not",
        ),
        ({"pretrained": "{weights}"}, "model.pretrained", "has no layout known for tiny"),
        (
            {"backbone": "timm:inception_v3", "size": 32},
            "model.backbone",
            "cannot take frames of 32x32",
        ),
    ],
)
def test_a_backbone_that_cannot_be_built_names_the_key(options, key, message, weight_file):
    if options.get("pretrained") == "{weights}":
        options = {**options, "pretrained": weight_file}

    with pytest.raises(ConfigError, match=message) as told:
        build(**options)
    if "size" not in options:  # the same where a vector is asked for
        with pytest.raises(ConfigError, match=message) as of_vectors:
            build_vectors(TSNConfig(**options), 64)
        assert of_vectors.value.key == key

    assert told.value.key == key
    assert "\n" not in told.value.message


def test_a_weight_file_of_a_shallower_network_is_refused(tmp_path):
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "r18.pt")

    with pytest.raises(
        ConfigError, match=r'r18.pt" lacks layer1.2.conv1.weight, .* 77 more; is it'
    ):
        build(backbone="timm:resnet34", pretrained=str(tmp_path / "r18.pt"))


def test_a_model_without_feature_maps_is_refused():
    class Flat(torch.nn.Linear):
        def __init__(self):
            super().__init__(3, 3)

    @timm.models.register_model
    def flat_for_test(pretrained=False, pretrained_cfg=None, **options):
        return timm.models.build_model_with_cfg(
            Flat, "flat_for_test", pretrained, timm.models.PretrainedCfg(), **options
        )

    with pytest.raises(ConfigError, match='"flat_for_test" gives no feature maps') as told:
        build(backbone="timm:flat_for_test")

    assert told.value.key == "model.backbone"
