"""A file of one model given to another: the error names the model it is of."""

import pytest
import torch
import torchvision
from peers import transformers_timesformer, transformers_vivit

from vlf.config import (
    ConfigError,
    MotionConfig,
    TimeSformerConfig,
    TSMConfig,
    TSNConfig,
    ViViTConfig,
    VLFConfig,
    VTNConfig,
    VTNLongformerConfig,
)
from vlf.models import MODELS, build_model
from vlf.weights import fit_weights
from vlf.weights.known import KNOWN, recognise

DATA = MotionConfig(frames=4)
RESNET = "timm:resnet18"
OURS = [
    VLFConfig(),
    TSNConfig(),
    TSMConfig(),
    TSNConfig(backbone=RESNET),
    TSMConfig(backbone=RESNET),
    TSMConfig(backbone=RESNET, stage=2),
    TSNConfig(backbone=RESNET, stage=2),
    TSMConfig(backbone="timm:mobilenetv2_100"),
    TSNConfig(backbone="timm:mobilenetv2_100"),
    TimeSformerConfig(),
    TimeSformerConfig(attention="joint"),
    TimeSformerConfig(attention="space"),
    ViViTConfig(),
    ViViTConfig(encoder="joint"),
    VTNConfig(),
    VTNLongformerConfig(),
]


def on_meta(config):
    with torch.device("meta"):
        return build_model(config, DATA)


def refusal(config, state, path):
    torch.save(state, path)
    config = config.model_copy(update={"weights": str(path)})
    with pytest.raises(ConfigError) as told:
        fit_weights(on_meta(config), config, DATA, path)
    assert told.value.key == "model.weights"
    return told.value.message


@pytest.mark.parametrize("config", OURS, ids=lambda config: config.name)
def test_each_of_our_models_is_known_by_its_keys(config):
    assert recognise(on_meta(config).state_dict()).name == config.name


def empty(keys):
    return dict.fromkeys(keys, torch.zeros(1))


PAIRED = ["backbone.conv1.conv.weight", "cls_head.fc_cls.weight", "cls_head.fc_cls.bias"]
BASE = ["module.base_model.conv1.weight", "module.new_fc.weight"]
FILES = {  # what the error says -> keys
    "the file is of TSM: say model.name: tsm": [
        [*PAIRED, "backbone.layer1.0.conv1.conv.net.weight"],
        [*BASE, "module.base_model.layer1.0.conv1.net.weight"],
        [*PAIRED, "backbone.layer2.1.conv.0.net.conv.weight"],
        ["base_model.features.3.conv.0.net.weight", "new_fc.weight"],
    ],
    "the file is of TSN: say model.name: tsn": [
        [*PAIRED, "backbone.layer1.0.conv1.conv.weight"],
        [*BASE, "module.base_model.layer1.0.conv1.weight"],
        ["base_model.features.3.conv.0.weight", "new_fc.weight"],
    ],
    "the file is of TSM with shift_place block, which no model here computes": [
        [*PAIRED, "backbone.layer1.0.net.conv1.conv.weight"],
        [*BASE, "module.base_model.layer1.0.net.conv1.weight"],
    ],
    "the file is of TSM with non-local blocks, which no model here computes": [
        [*PAIRED, "backbone.layer2.0.non_local_block.g.weight"],
        [*BASE, "base_model.layer2.0.nl.g.weight", "base_model.layer2.0.block.conv1.net.weight"],
    ],
    "the file is of TSM with temporal pooling, which no model here computes": [
        [*BASE, "base_model.layer2.net.0.conv1.net.weight"],
    ],
    "the file is of VTN (Kozlov et al.): say model.name: vtn": [
        ["resnet.0.weight", "self_attention_decoder.position_encoding.enc.weight", "fc.weight"],
    ],
    "the file is of VTN (Neimark et al.): say model.name: vtn_longformer": [
        ["backbone.cls_token", "temporal_encoder.encoder.layer.0.output.dense.weight"],
    ],
    "the file is of TimeSformer: say model.name: timesformer": [
        ["model.blocks.0.temporal_attn.qkv.weight", "model.cls_token"],
        list(transformers_timesformer("joint").state_dict()),
        list(transformers_timesformer("space").state_dict()),
    ],
    "the file is of ViViT: say model.name: vivit": [list(transformers_vivit().state_dict())],
    "the file is of VideoMAE, which no model here computes": [
        ["encoder.blocks.0.attn.q_bias", "encoder.patch_embed.proj.weight"],
    ],
    "the file is of a 3D ResNet of torchvision, which no model here computes": [
        ["stem.0.weight", "layer1.0.conv1.0.weight", "fc.weight"],
    ],
    "the file is of a ViT for images, of which model.pretrained starts a backbone": [
        ["cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"],
    ],
    "the file is of a ResNet for images, of which model.pretrained starts a backbone": [
        list(torchvision.models.resnet18().state_dict()),
    ],
}


GIVEN_TO = [TSNConfig(), TSMConfig(), VTNConfig(), ViViTConfig()]
WRONG = [
    (said, keys, config)
    for said, files in FILES.items()
    for keys in files
    for config in GIVEN_TO
    if not said.endswith(f"model.name: {config.name}")
]


@pytest.mark.parametrize(("said", "keys", "config"), WRONG)
def test_a_file_of_another_model_names_it(said, keys, config, tmp_path):
    assert said in refusal(config, empty(keys), tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("given", "other"),
    [
        (TSNConfig(), TSMConfig()),
        (TSMConfig(), TSNConfig()),
        (TSNConfig(backbone=RESNET), TSMConfig(backbone=RESNET)),
        (TSMConfig(backbone=RESNET), TSNConfig(backbone=RESNET)),
        (VLFConfig(), VTNConfig()),
        (TimeSformerConfig(), ViViTConfig()),
    ],
)
def test_one_of_our_models_given_to_another_is_named(given, other, tmp_path):
    said = refusal(other, build_model(given, DATA).state_dict(), tmp_path / "ours.pth")

    assert said.endswith(f"say model.name: {given.name}")


@pytest.mark.parametrize("config", OURS, ids=lambda config: config.name)
def test_advice_names_keys_that_the_model_has(config, tmp_path):
    state = build_model(config, DATA).state_dict()
    del state[next(key for key in state if key.startswith("f.") and key.endswith("weight"))]

    said = refusal(config, state, tmp_path / "short.pth")

    keys = said.partition("; give model.")[2].partition(" the values")[0]
    named = keys.replace(" and ", ", ").split(", ")
    assert set(named) <= type(config).model_fields.keys()
    assert named


def test_models_that_are_named_are_those_that_there_are():
    assert {known.name for known in KNOWN if known.name} <= MODELS.keys()
