"""Peers of transformers that start from a local folder."""

import pytest
import torch
import transformers
from test_peers import MOTION, on_meta, small

from vlf.config import (
    ConfigError,
    TransformersConfig,
)
from vlf.models import build_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A VideoMAE of 7 classes and 4 frames, saved by transformers itself."""
    torch.manual_seed(5)
    config = small("VideoMAEForVideoClassification")
    kind = transformers.VideoMAEConfig(**config.settings, image_size=32, num_frames=4, num_labels=7)
    model = transformers.VideoMAEForVideoClassification(kind)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    path = tmp_path_factory.mktemp("videomae")
    model.save_pretrained(path)
    return path


def from_folder(folder, **options):
    name = "VideoMAEForVideoClassification"
    return TransformersConfig(architecture=name, folder=str(folder), **options)


def test_a_folders_weights_and_config_are_read_and_a_classifier_of_other_classes_is_new(folder):
    stored = transformers.VideoMAEForVideoClassification.from_pretrained(folder).state_dict()
    peer = build_model(from_folder(folder), MOTION)

    state = peer.state_dict()

    assert peer.training
    assert state["head.weight"].shape == (10, 24)
    for key, tensor in state.items():
        if key.startswith("f."):
            assert torch.equal(tensor, stored[key.removeprefix("f.net.")]), key


def test_the_config_of_a_folder_alone_gives_weights_from_the_seed(folder):
    options = from_folder(folder, pretrained=False, settings={"num_hidden_layers": 1})
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_model(options, MOTION).state_dict())

    stored = transformers.VideoMAEForVideoClassification.from_pretrained(folder).state_dict()
    key = "videomae.encoder.layer.0.output.dense.weight"
    (found,) = (name for name in states[0] if name.endswith("layer.0.output.dense.weight"))
    assert key in stored or found.removeprefix("f.net.") in stored
    assert not any("layer.1." in name for name in states[0])
    assert torch.equal(states[0][found], states[1][found])
    assert not torch.equal(states[0][found], stored[found.removeprefix("f.net.")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"hidden_size": 48}}, "has another shape of videomae."),
        ({"settings": {"num_hidden_layers": 3}}, "lacks videomae.encoder.layer.2."),
    ],
)
def test_weights_that_do_not_fit_the_settings_are_refused(folder, options, message):
    with pytest.raises(ConfigError) as told:
        build_model(from_folder(folder, **options), MOTION)

    assert told.value.key == "model.folder"
    assert message in told.value.message
    assert " more; its frames, size and settings must be those" in told.value.message


def test_a_folder_of_another_model_is_refused(folder):
    options = TransformersConfig(architecture="VivitForVideoClassification", folder=str(folder))

    with pytest.raises(ConfigError, match=r'of type "videomae"; Vivit.* needs "vivit"'):
        on_meta(options, MOTION)


def test_a_folder_of_a_config_alone_is_enough_where_no_weights_are_wanted(folder, tmp_path):
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())

    with pytest.raises(ConfigError, match="cannot build"):
        build_model(from_folder(tmp_path), MOTION)
    assert on_meta(from_folder(tmp_path, pretrained=False), MOTION).head.out_features == 10
