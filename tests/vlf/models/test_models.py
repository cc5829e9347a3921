import pytest
import torch
from slow_transformer import stir

from vlf.config import (
    MotionConfig,
    TimeSformerConfig,
    TorchvisionConfig,
    TransformersConfig,
    TSMConfig,
    TSNConfig,
    VideoListConfig,
    ViViTConfig,
    VLFConfig,
    VTNConfig,
    VTNLongformerConfig,
)
from vlf.models import MODELS, build_model

VARIANTS = {  # label -> config; every entry of MODELS is here, which a test holds
    "VLF": VLFConfig(),
    "VLF no g": VLFConfig(spatial_depth=0),
    "VLF pooled": VLFConfig(spatial_depth=0, pool="frame"),
    "VLF pooled behind g": VLFConfig(pool="frame"),
    "VLF no h": VLFConfig(spatiotemporal_depth=0),
    "VLF few tokens": VLFConfig(projection="3x3s2", stage=3, width=20, heads=5),
    "VLF sine positions": VLFConfig(positions="sine", width=20, heads=5),
    "VLF no positions": VLFConfig(positions="none"),
    "VLF post-norm": VLFConfig(norm="post"),
    "VLF class token": VLFConfig(readout="class_token"),
    "VLF pooled class token": VLFConfig(pool="frame", readout="class_token", norm="post"),
    "VLF linear head": VLFConfig(attention_init="glorot", head="linear"),
    "TSN": TSNConfig(),
    "TSM": TSMConfig(stage=3),
    "TimeSformer": TimeSformerConfig(),
    "TimeSformer joint": TimeSformerConfig(attention="joint"),
    "TimeSformer space": TimeSformerConfig(attention="space", width=12, heads=3),
    "TimeSformer mean": TimeSformerConfig(attention_init="tied", readout="mean", head="mlp"),
    "TimeSformer joint mean": TimeSformerConfig(attention="joint", readout="mean"),
    "TimeSformer space mean": TimeSformerConfig(attention="space", readout="mean"),
    "ViViT": ViViTConfig(),
    "ViViT mean": ViViTConfig(attention_init="tied", readout="mean", head="mlp"),
    "ViViT joint mean": ViViTConfig(encoder="joint", readout="mean"),
    "ViViT deep": ViViTConfig(temporal_depth=2, patch=16, tubelet_frames=1),
    "ViViT joint": ViViTConfig(encoder="joint", activation="gelu_tanh"),
    "torchvision": TorchvisionConfig(architecture="mc3_18"),
    "transformers": TransformersConfig(
        architecture="TimesformerForVideoClassification",
        settings={"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
        | {"intermediate_size": 48, "patch_size": 8},
    ),
    "VTN": VTNConfig(),
    "VTN of another width": VTNConfig(width=24, heads=3, depth=1),
    "VTN Longformer": VTNLongformerConfig(depth=2, window=4),
    "VTN Longformer one window": VTNLongformerConfig(depth=1),
}
# a mean over frames is all that they have, or no frame is told its time
ORDER_BLIND = {"TSN", "VLF no h", "TimeSformer space", "TimeSformer space mean"} | {
    "VLF no positions"
}
ENDS = ("weight", "bias")
MOTION = MotionConfig(frames=4)
each_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)


def idle_as_published(config):
    """Of its last Longformer layer a class token alone is read, which has its own projections."""
    if not isinstance(config, VTNLongformerConfig):
        return []
    layer = f"h.layers.{config.depth - 1}.attention.self"
    return [f"{layer}.{name}.{end}" for name in ("query", "key", "value") for end in ENDS]


def clip(data, batch=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, data.frames, 3, data.size, data.size, generator=generator)


def test_every_architecture_is_among_the_variants_tested():
    assert {config.name for config in VARIANTS.values()} == set(MODELS)


@each_variant
@pytest.mark.parametrize(
    "data",
    [MOTION, VideoListConfig(root="videos", frames=2, size=48, num_classes=7)],
    ids=["4 frames of 32", "2 frames of 48"],
)
def test_every_model_maps_a_batch_of_clips_to_logits(config, data):
    model = build_model(config, data).eval()

    for batch in (1, 3):
        assert model(clip(data, batch)).shape == (batch, data.classes)


@each_variant
def test_every_parameter_belongs_to_a_part(config):
    model = build_model(config, MOTION)

    parts = {name.split(".")[0] for name, _ in model.named_parameters()}

    assert parts <= {"f", "g", "h", "head"}
    assert {"f", "head"} <= parts
    assert {name for name, _ in model.named_children()} <= {"f", "g", "h", "head"}


@each_variant
def test_every_parameter_learns(config):
    model = stir(build_model(config, MOTION))

    logits = model(clip(MOTION))
    (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()

    idle = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == idle_as_published(config)


@each_variant
def test_the_order_of_frames_matters_but_to_models_that_only_average(config, request):
    model = stir(build_model(config, MOTION)).eval().double()  # rounding is far below 1e-9
    forward = clip(MOTION).double()

    with torch.no_grad():
        change = (model(forward) - model(forward.flip(1))).abs().max().item()

    label = request.node.callspec.id
    assert change < 1e-9 if label in ORDER_BLIND else change > 1e-5


@each_variant
def test_clips_of_a_batch_do_not_see_each_other(config):
    model = stir(build_model(config, MOTION)).eval()
    clips = clip(MOTION, batch=3)

    with torch.no_grad():
        together, alone = model(clips), torch.cat([model(one[None]) for one in clips])

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@each_variant
def test_a_model_on_the_meta_device_has_the_same_parameters_and_no_memory(config):
    with torch.device("meta"):
        planned = build_model(config, MOTION)
    built = build_model(config, MOTION)

    assert {tensor.device.type for tensor in planned.state_dict().values()} == {"meta"}
    assert planned(clip(MOTION).to("meta")).shape == (2, 10)
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (planned, built)]
    assert shapes[0] == shapes[1]


@each_variant
def test_the_seed_alone_decides_the_weights(config):
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(build_model(config, MOTION).state_dict())

    first, again, other = states
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@each_variant
@pytest.mark.parametrize("shape", [(1, 8, 3, 32, 32), (2, 4, 3, 64, 64), (4, 3, 32, 32)])
def test_a_clip_of_another_shape_is_refused(config, shape):
    model = build_model(config, MOTION)

    with pytest.raises(ValueError, match=r"clip: must be \(B, 4, 3, 32, 32\), got \("):
        model(torch.zeros(shape))
