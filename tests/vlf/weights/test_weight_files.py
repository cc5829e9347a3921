import pytest
import torch
from peers import randomise, save, transformers_timesformer, transformers_vivit

from vlf.config import (
    ConfigError,
    MotionConfig,
    TimeSformerConfig,
    TSNConfig,
    VideoListConfig,
    ViViTConfig,
    VLFConfig,
)
from vlf.models import build_model
from vlf.weights import CONVERTERS, fit_weights

SMALL = {"width": 24, "heads": 3, "patch": 8, "depth": 2}
CLIPS = VideoListConfig(root="videos", frames=4, size=32, num_classes=7)
MOTION = MotionConfig(frames=4)


def timesformer(weights, **options):
    return TimeSformerConfig(**{**SMALL, **options}, weights=str(weights))


def refusal(config, data=CLIPS):
    """The one line that a person is shown; the same before the first job, on the meta device."""
    with pytest.raises(ConfigError) as told:
        build_model(config, data)
    with torch.device("meta"):
        planned = build_model(config, data)
    with pytest.raises(ConfigError) as foretold:
        fit_weights(planned, config, data, config.weights)
    assert told.value.key == foretold.value.key == "model.weights"
    assert told.value.message == foretold.value.message
    assert "\n" not in told.value.message
    return told.value.message


@pytest.fixture(scope="module")
def peer_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "timesformer.pt"
    torch.save(randomise(transformers_timesformer("divided")).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def vivit_folder(tmp_path_factory):
    return save(transformers_vivit(), tmp_path_factory.mktemp("vivit"))


@pytest.mark.parametrize(
    "config",
    [
        VLFConfig(),
        TSNConfig(),
        TimeSformerConfig(),
        TimeSformerConfig(attention="space"),
        ViViTConfig(),
        ViViTConfig(encoder="joint"),
    ],
    ids=lambda config: config.name,
)
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_every_model_starts_from_what_it_was_saved_as(config, suffix, tmp_path):
    from safetensors.torch import save_file

    donor = randomise(build_model(config, MOTION))
    path = tmp_path / f"ours.{suffix}"
    (torch.save if suffix == "pt" else save_file)(donor.state_dict(), path)

    model = build_model(config.model_copy(update={"weights": str(path)}), MOTION)

    stored, state = donor.state_dict(), model.state_dict()
    assert stored.keys() == state.keys()
    assert all(torch.equal(state[key], stored[key]) for key in state)


def test_shards_of_a_folder_are_one_model(tmp_path):
    peer = randomise(transformers_timesformer("joint"))
    peer.save_pretrained(tmp_path, max_shard_size="20KB")

    model = build_model(timesformer(tmp_path, attention="joint"), CLIPS)

    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert torch.equal(model.head[1].weight, peer.classifier.weight)
    assert torch.equal(model.h.time_position, peer.timesformer.embeddings.time_embeddings[0])


def test_no_weights_are_read_on_the_meta_device(tmp_path):
    (tmp_path / "junk.pt").write_bytes(b"junk")

    with torch.device("meta"):
        model = build_model(timesformer(tmp_path / "junk.pt"), CLIPS)

    assert next(model.parameters()).is_meta


def test_a_new_head_leaves_the_files_and_starts_as_the_seed_says(peer_file):
    config, data = (
        timesformer(peer_file, new_head=True),
        CLIPS.model_copy(update={"num_classes": 3}),
    )
    torch.manual_seed(0)
    fresh = build_model(config.untrained(), data)
    torch.manual_seed(0)
    model = build_model(config, data)

    assert torch.equal(model.head[1].weight, fresh.head[1].weight)
    assert not torch.equal(model.h.class_token, fresh.h.class_token)
    assert torch.equal(
        model.h.class_token, torch.load(peer_file)["timesformer.embeddings.cls_token"]
    )


def test_another_number_of_classes_names_both_and_the_way_out(peer_file):
    said = refusal(timesformer(peer_file), CLIPS.model_copy(update={"num_classes": 3}))

    assert said.endswith(
        "has 7 classes and the data 3; say model.new_head: true to start with a new classifier"
    )


def test_a_file_without_a_classifier_asks_for_a_new_one(tmp_path):
    torch.save(transformers_timesformer("divided").timesformer.state_dict(), tmp_path / "bare.pt")
    config = timesformer(tmp_path / "bare.pt")

    assert refusal(config).endswith(
        "lacks head.1.weight, head.1.bias; say model.new_head: true to start with a new classifier"
    )
    build_model(config.model_copy(update={"new_head": True}), CLIPS)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"depth": 3}, "lacks h.blocks.2.attention_norm.weight, h.blocks.2.attention_norm.bias, "),
        ({"depth": 3}, " and 17 more; give model.width"),
        ({"depth": 1}, "has h.blocks.1.attention.qkv.weight, h.blocks.1.attention.qkv.bias, "),
        ({"attention": "joint"}, "has h.blocks.0.time_norm.weight, h.blocks.0.time_norm.bias, "),
        (
            {"width": 12},
            "where the model has (1, 1, 12); give model.width, mlp_ratio, readout, head, patch",
        ),
        ({"patch": 4}, "has f.weight of (24, 3, 8, 8) where the model has (24, 3, 4, 4); give mod"),
    ],
)
def test_a_model_of_another_shape_is_told_by_its_first_keys(options, told, peer_file):
    assert told in refusal(timesformer(peer_file, **options))


def test_a_file_of_another_model_names_the_layouts_and_what_it_looks_like(vivit_folder):
    said = refusal(timesformer(vivit_folder))

    assert "none of the layouts known for timesformer (ours, from_transformers, from_off" in said
    assert said.endswith("; the file is of ViViT: say model.name: vivit")


def test_one_of_our_own_models_is_not_taken_for_another(tmp_path):
    torch.save(build_model(TSNConfig(), MOTION).state_dict(), tmp_path / "tsn.pt")

    said = refusal(ViViTConfig(weights=str(tmp_path / "tsn.pt")), MOTION)

    assert "lacks f.weight, f.bias, g.class_token and " in said
    assert said.endswith("; the file is of TSN: say model.name: tsn")


def test_heads_and_activation_of_a_folder_are_checked_since_no_shape_shows_them(vivit_folder):
    joint = {"width": 24, "patch": 8, "encoder": "joint", "depth": 2, "weights": vivit_folder}

    assert "with 3 heads: say model.heads: 3, not 4" in refusal(ViViTConfig(heads=4, **joint))
    assert "say model.activation: gelu_tanh" in refusal(ViViTConfig(heads=3, **joint))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.pt", None, "does not exist: no such file or folder"),
        ("junk.pt", b"junk", "cannot be read as weights ("),
        ("junk.safetensors", b"junk", "cannot be read as weights ("),
        ("weights.onnx", b"junk", "must be a folder or end in one of .pt, .pth, "),
    ],
)
def test_what_cannot_be_read_is_one_line(name, content, told, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    assert f'"{tmp_path / name}" {told}' in refusal(timesformer(tmp_path / name))


def test_an_empty_folder_and_a_file_of_no_tensors_say_what_is_missing(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    (tmp_path / "folder").mkdir()

    assert "holds no state dict" in refusal(timesformer(tmp_path / "empty.pt"))
    assert "holds neither model*.safetensors nor" in refusal(timesformer(tmp_path / "folder"))


def test_pretrained_backbones_and_whole_weights_exclude_each_other():
    with pytest.raises(ValueError, match="weights: replace all that pretrained would give"):
        TSNConfig(weights="a.pt", pretrained="b.pt")


def test_every_layout_is_of_an_architecture_and_can_be_resolved():
    from vlf.models import MODELS
    from vlf.weights import converters

    assert CONVERTERS.keys() <= MODELS.keys()
    for name in CONVERTERS:
        assert converters(name)
        assert all(convert({"nobody's": torch.zeros(1)}) is None for convert in converters(name))
