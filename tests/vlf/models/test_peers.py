import math

import pytest
import torch
import torchvision
import transformers

from study.measure.metrics.macs import count
from study.measure.metrics.second_count import recount
from vlf.config import (
    ConfigError,
    MotionConfig,
    TorchvisionConfig,
    TransformersConfig,
    VideoListConfig,
)
from vlf.models import build_model

MOTION = MotionConfig(frames=4)
VIDEO_MODELS = torchvision.models.list_models(module=torchvision.models.video)
# What the published counts of operations are for: frames and side of a clip. That of s3d and the
# swins is not the clip of their published accuracy (128 and 32 frames).
PUBLISHED_CLIP = {
    "mc3_18": (16, 112),
    "mvit_v1_b": (16, 224),
    "mvit_v2_s": (16, 224),
    "r2plus1d_18": (16, 112),
    "r3d_18": (16, 112),
    "s3d": (16, 224),
    "swin3d_b": (16, 224),
    "swin3d_s": (16, 224),
    "swin3d_t": (16, 224),
}
FOR_SMALL_CLIPS = ("r3d_18", "mc3_18", "r2plus1d_18", "swin3d_t")
SMALL = {
    "VideoMAEForVideoClassification": {"patch_size": 8, "num_hidden_layers": 2},
    "VivitForVideoClassification": {"tubelet_size": [2, 8, 8], "num_hidden_layers": 2},
    "TimesformerForVideoClassification": {"patch_size": 8, "num_hidden_layers": 2},
    "VJEPA2ForVideoClassification": {
        "patch_size": 8,
        "num_hidden_layers": 2,
        "num_pooler_layers": 1,
        "pred_num_hidden_layers": 1,
        "pred_hidden_size": 24,
    },
    "VideoPrismForVideoClassification": {
        "tubelet_size": [1, 8, 8],
        "num_spatial_layers": 2,
        "num_temporal_layers": 1,
    },
}


def small(name, **changes):
    settings = {"hidden_size": 24, "num_attention_heads": 4, **SMALL[name]}
    if not name.startswith("VJEPA2"):
        settings["intermediate_size"] = 48
    return TransformersConfig(architecture=name, settings={**settings, **changes})


def clips(data, batch=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, data.frames, 3, data.size, data.size, generator=generator)


def on_meta(config, data):
    with torch.device("meta"):
        return build_model(config, data).eval()


def test_every_video_model_of_torchvision_has_a_published_clip_to_be_counted_at():
    assert set(PUBLISHED_CLIP) == set(VIDEO_MODELS)


@pytest.mark.parametrize("name", VIDEO_MODELS)
def test_parameters_and_macs_of_torchvisions_video_models_are_the_published_ones(name):
    published = torchvision.models.get_model_weights(name)["KINETICS400_V1"].meta
    frames, size = PUBLISHED_CLIP[name]
    data = MotionConfig(frames=frames, size=size)

    counts = count(on_meta(TorchvisionConfig(architecture=name), data), (frames, 3, size, size))

    # Published for 400 classes; ours has 10, and its head is a linear layer of `features` inputs.
    features, remainder = divmod(counts.parameters["head"] - 10, 10)
    parameters = sum(counts.parameters.values()) + 390 * (features + 1)
    macs = sum(counts.macs.values()) + 390 * features
    assert remainder == 0
    assert parameters == published["num_params"]
    assert macs / 1e9 == pytest.approx(published["_ops"], abs=5e-4)  # its last digit
    assert counts.notes == ()


def twin(config, data):
    """The bare model of torchvision or transformers, with the peer's weights, and its logits."""
    peer = build_model(config, data).eval()
    prefix = "f.net."
    if isinstance(config, TorchvisionConfig):
        bare = torchvision.models.get_model(config.architecture, num_classes=data.classes)
        head = next(n for n in ("fc", "head", "classifier") if hasattr(bare, n))
        answer = lambda clip: bare(clip.transpose(1, 2))  # noqa: E731
    else:
        cls = getattr(transformers, config.architecture)
        sizes = {"image_size": data.size, "num_frames": data.frames}
        if config.architecture.startswith("VJEPA2"):
            sizes = {"crop_size": data.size, "frames_per_clip": data.frames}
        bare = cls(cls.config_class(**config.settings, **sizes, num_labels=data.classes))
        head, answer = "classifier", lambda clip: bare(clip).logits.flatten(1)
    keys = set(bare.state_dict())
    weights = {}
    for key, tensor in peer.state_dict().items():
        plain = key.removeprefix(prefix) if key.startswith(prefix) else f"{head}.{key[5:]}"
        for index, child in (("0.", "features."), ("1.", "avgpool.")):  # of s3d, cut in two
            if plain not in keys and plain.startswith(index):
                plain = child + plain.removeprefix(index)
        weights[plain] = tensor
    bare.load_state_dict(weights)  # strict: every key of the one is a key of the other
    bare.eval()
    return peer, answer


@pytest.mark.parametrize(
    ("config", "data"),
    [
        *((TorchvisionConfig(architecture=n), MOTION) for n in FOR_SMALL_CLIPS),
        (TorchvisionConfig(architecture="s3d"), MotionConfig(frames=16, size=224)),
        pytest.param(
            TorchvisionConfig(architecture="mvit_v2_s"),
            MotionConfig(frames=16, size=224),
            marks=pytest.mark.slow,
        ),
        *((small(name), MOTION) for name in SMALL),
    ],
    ids=lambda value: getattr(value, "architecture", ""),
)
def test_a_peers_logits_are_the_bare_models(config, data):
    peer, answer = twin(config, data)
    clip = clips(data, batch=1)

    with torch.no_grad():
        torch.testing.assert_close(peer(clip), answer(clip), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["mvit_v1_b", "mvit_v2_s"])
def test_mvit_is_made_for_the_studys_clips_with_its_published_blocks(name):
    with torch.device("meta"):
        published = torchvision.models.get_model(name, num_classes=10).state_dict()
    small = on_meta(TorchvisionConfig(architecture=name), MOTION)
    state = small.state_dict()

    assert small(clips(MOTION).to("meta")).shape == (2, 10)
    other = {
        key
        for key, tensor in state.items()
        if key.startswith("f.net.") and tensor.shape != published[key.removeprefix("f.net.")].shape
    }
    assert other
    assert all("pos" in key for key in other)  # learned positions alone know the clip's shape
    assert len(state) == len(published)


def test_every_video_classifier_of_transformers_is_among_those_tested():
    from transformers.models.auto import modeling_auto

    known = modeling_auto.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES
    assert set(SMALL) == set(known.values())


@pytest.mark.parametrize(
    "config",
    [*map(small, SMALL), *(TorchvisionConfig(architecture=n) for n in ("swin3d_t", "mvit_v2_s"))],
    ids=lambda config: config.architecture,
)
def test_both_counters_agree_on_peers(config):
    model = build_model(config, MOTION).eval()

    counts = count(model, (4, 3, 32, 32))
    second = recount(model, clips(MOTION, batch=1))

    assert counts.notes == ()
    assert math.isclose(second.macs, sum(counts.macs.values()), rel_tol=1e-3)


@pytest.mark.parametrize(
    ("name", "settings", "frames", "million", "giga"),
    [  # GMACs of one view for 400 classes, as mmaction2 and transformers have them
        ("TimesformerForVideoClassification", {}, 8, 121.57, 195.83),
        (
            "TimesformerForVideoClassification",
            {"attention_type": "joint_space_time"},
            8,
            86.11,
            179.56,
        ),
        ("VivitForVideoClassification", {}, 32, 88.95, 451.5),
    ],
)
def test_full_size_classifiers_have_their_published_counts(name, settings, frames, million, giga):
    data = VideoListConfig(root="videos", frames=frames, size=224, num_classes=400)
    model = on_meta(TransformersConfig(architecture=name, settings=settings), data)

    counts = count(model, (frames, 3, 224, 224))

    assert sum(counts.parameters.values()) / 1e6 == pytest.approx(million, rel=1e-4)
    assert sum(counts.macs.values()) / 1e9 == pytest.approx(giga, rel=1e-3)


def test_the_classifier_is_the_head_and_all_else_is_f():
    model = build_model(small("VideoMAEForVideoClassification"), MOTION)

    parts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()
    }

    assert list(parts) == ["f", "head"]
    assert parts["head"] == 24 * 10 + 10


def test_a_peer_with_parameters_that_no_clip_reaches_trains():
    model = build_model(small("VJEPA2ForVideoClassification"), MOTION)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}

    torch.nn.functional.cross_entropy(model(clips(MOTION)), torch.tensor([1, 2])).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

    idle = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert idle
    assert all(name.startswith("f.net.vjepa2.predictor.") for name in idle)


@pytest.mark.parametrize(
    ("config", "data", "key", "message"),
    [
        (
            TorchvisionConfig(architecture="r3d_81"),
            MOTION,
            "model.architecture",
            'torchvision has no video model "r3d_81"; did you mean "r3d_18"? (allowed: mc3_18, ',
        ),
        (
            TorchvisionConfig(architecture="resnet18"),
            MOTION,
            "model.architecture",
            'torchvision has no video model "resnet18"',
        ),
        (
            TorchvisionConfig(architecture="s3d"),
            MOTION,
            "model.architecture",
            '"s3d" cannot take clips of 4 frames of 32x32: ',
        ),
        (
            TorchvisionConfig(architecture="mvit_v2_s"),
            MotionConfig(frames=1),
            "model.architecture",
            '"mvit_v2_s" cannot take clips of 1 frames of 32x32: ',
        ),
        (
            TransformersConfig(architecture="VideoMAEForVideoClasification"),
            MOTION,
            "model.architecture",
            'has no video classifier "VideoMAEForVideoClasification"; did you mean '
            '"VideoMAEForVideoClassification"?',
        ),
        (
            small("VideoMAEForVideoClassification", hiden_size=3),
            MOTION,
            "model.settings.hiden_size",
            'VideoMAEConfig has no such key; did you mean "hidden_size"? (allowed: ',
        ),
        (
            small("VideoMAEForVideoClassification", num_frames=3),
            MOTION,
            "model.settings.num_frames",
            "is set from data.frames and cannot be set here",
        ),
        (
            small("VJEPA2ForVideoClassification", crop_size=3),
            MOTION,
            "model.settings.crop_size",
            "is set from data.size and cannot be set here",
        ),
        (
            small("VideoMAEForVideoClassification", num_labels=3),
            MOTION,
            "model.settings.num_labels",
            "is set from data.classes and cannot be set here",
        ),
        (
            small("VideoMAEForVideoClassification", hidden_size="wide"),
            MOTION,
            "model.settings",
            "VideoMAEConfig refuses them: ",
        ),
        (
            small("VideoMAEForVideoClassification", num_attention_heads=5),
            MOTION,
            "model.settings",
            'cannot build "VideoMAEForVideoClassification": ',
        ),
        (
            small("VideoMAEForVideoClassification", patch_size=5),
            MOTION,
            "model.settings",
            "patch_size: must divide data.size 32, got 5",
        ),
        (
            small("VivitForVideoClassification", tubelet_size=[2, 8, 9]),
            MOTION,
            "model.settings",
            "tubelet_size: must divide data.size 32, got 9",
        ),
        (
            small("VJEPA2ForVideoClassification"),
            MotionConfig(frames=3),
            "model.settings",
            "tubelet_size: must divide data.frames 3, got 2",
        ),
        (
            small("VivitForVideoClassification", num_channels=1),
            MOTION,
            "model.architecture",
            '"VivitForVideoClassification" cannot take clips of 4 frames of 32x32: ',
        ),
        (  # transformers does not average over the frames, as the paper does
            small("TimesformerForVideoClassification", attention_type="space_only"),
            MOTION,
            "model.architecture",
            "gives no logits for clips of 4 frames of 32x32, but a tensor of (8, 10)",
        ),
        (
            TransformersConfig(architecture="VivitForVideoClassification", folder="nowhere"),
            MOTION,
            "model.folder",
            '"nowhere" is no folder of a model: config.json: ',
        ),
    ],
)
def test_a_peer_that_cannot_be_built_is_one_line_that_names_the_key(config, data, key, message):
    with pytest.raises(ConfigError) as told:
        on_meta(config, data)

    assert told.value.key == key
    assert message in told.value.message
    assert "\n" not in told.value.message


def test_without_transformers_one_line_says_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)  # import then fails

    with pytest.raises(ConfigError, match=r'not installed: pip install "vlf-ablations\[peers\]"'):
        on_meta(small("VideoMAEForVideoClassification"), MOTION)
