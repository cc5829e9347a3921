import pytest
import torch
from slow_transformer import stir
from torch import nn

from vlf.config import ConfigError, MotionConfig, TSMConfig, TSNConfig
from vlf.models import build_model
from vlf.models.tsm import Shift


def slow_shift(clips, fold):
    """One place at a time: (B, T, C, H, W) -> the same, in plain loops."""
    shifted = torch.zeros_like(clips)
    frames, channels = clips.shape[1:3]
    for t in range(frames):
        for c in range(channels):
            source = t + 1 if c < fold else t - 1 if c < 2 * fold else t
            if 0 <= source < frames:
                shifted[:, t, c] = clips[:, source, c]
    return shifted


@pytest.mark.parametrize(
    ("frames", "channels", "fold"),
    [(4, 16, 2), (3, 13, 1), (4, 5, 0), (1, 16, 2), (2, 4, 2), (5, 7, 3)],
)
def test_a_shift_moves_the_first_fold_back_and_the_second_forward(frames, channels, fold):
    clips = torch.randn(2, frames, channels, 3, 2)
    kept = clips.clone()

    for memory in (torch.contiguous_format, torch.channels_last):
        x = clips.flatten(0, 1).contiguous(memory_format=memory)
        shifted = Shift(frames, fold)(x)
        assert torch.equal(shifted.unflatten(0, (2, frames)), slow_shift(clips, fold))
    assert torch.equal(clips, kept)


@pytest.mark.parametrize(
    ("frames", "channels"), [(8, 64), (8, 20), (5, 13), (4, 7), (1, 16), (1, 5), (2, 8)]
)
def test_an_eighth_of_the_channels_each_way_is_bit_for_bit_as_published(frames, channels):
    x = torch.randn(2, frames, channels, 3, 2)
    fold = channels // 8
    out = torch.zeros_like(x)
    out[:, :-1, :fold] = x[:, 1:, :fold]
    out[:, 1:, fold : 2 * fold] = x[:, :-1, fold : 2 * fold]
    out[:, :, 2 * fold :] = x[:, :, 2 * fold :]

    assert torch.equal(Shift(frames, fold)(x.flatten(0, 1)), out.flatten(0, 1))


@pytest.mark.parametrize("name", ["resnet50", "mobilenetv2_100"])
def test_a_network_shifts_an_eighth_of_what_its_convolutions_see(name):
    with torch.device("meta"):
        model = build_model(TSMConfig(backbone=f"timm:{name}"), MotionConfig())

    shifted = [m for m in model.modules() if isinstance(m, nn.Sequential) and len(m) == 2]
    shifted = [(m[0].fold, m[1].in_channels) for m in shifted if isinstance(m[0], Shift)]
    assert shifted
    assert all(fold == channels // 8 for fold, channels in shifted)
    assert name != "mobilenetv2_100" or (3, 24) in shifted


def test_gradients_travel_back_to_the_frame_that_the_channel_came_from():
    x = torch.zeros(3, 4, 1, 1, requires_grad=True)

    Shift(frames=3, fold=1)(x)[1].sum().backward()  # what frame 1 sees

    assert x.grad.flatten(1).tolist() == [[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]]


def test_tiny_shifts_before_every_convolution_but_the_first():
    model = build_model(TSMConfig(stage=3), MotionConfig())

    layers = [m for m in model.f.modules() if isinstance(m, nn.Conv2d | Shift)]

    assert [type(m) for m in layers] == [nn.Conv2d] + [Shift, nn.Conv2d] * 3
    assert [m.fold for m in layers if isinstance(m, Shift)] == [2, 4, 8]


@pytest.mark.parametrize(
    ("name", "stage", "shifts"),
    [
        ("resnet18", None, 8),
        ("resnet18", 2, 4),
        ("resnet50", None, 16),
        ("resnet101", None, 2 + 2 + 12 + 2),  # every second of 3, 4, 23 and 3 blocks
        ("mobilenetv2_100", None, 10),  # of 17 blocks, 10 have a shortcut
    ],
)
def test_timm_networks_shift_inside_their_residual_blocks(name, stage, shifts):
    with torch.device("meta"):
        model = build_model(TSMConfig(backbone=f"timm:{name}", stage=stage), MotionConfig())

    places = [n for n, m in model.named_modules() if isinstance(m, Shift)]
    assert len(places) == shifts
    assert all(place.endswith((".conv1.0", ".conv_pw.0")) for place in places)


def test_the_shortcut_of_a_block_stays_in_its_frame():
    model = build_model(TSMConfig(backbone="timm:resnet18"), MotionConfig(frames=2))
    block = model.f.net.layer1[0].eval()
    nn.init.zeros_(block.bn2.weight)  # the residual branch, where the shift is, gives nothing

    x = torch.rand(2, 64, 4, 4)

    assert torch.equal(block(x), x)


def test_a_frame_sees_no_further_than_one_frame_a_shift():
    model = stir(build_model(TSMConfig(), MotionConfig(frames=8))).eval()  # two shifts
    per_frame = []
    model.head.register_forward_hook(lambda *call: per_frame.append(call[2]))
    clip = torch.randn(1, 8, 3, 32, 32)
    other = clip.clone()
    other[0, 3] += 1

    with torch.no_grad():
        model(clip)
        model(other)

    moved = (per_frame[0] != per_frame[1]).any(dim=1).tolist()
    assert moved == [False, True, True, True, True, True, False, False]


def test_tsn_is_the_mean_of_its_frames_logits():
    model = stir(build_model(TSNConfig(), MotionConfig(frames=4))).eval()
    single = build_model(TSNConfig(), MotionConfig(frames=1)).eval()
    single.load_state_dict(model.state_dict())
    clip = torch.randn(2, 4, 3, 32, 32)

    with torch.no_grad():
        wanted = sum(single(clip[:, t : t + 1]) for t in range(4)) / 4
        torch.testing.assert_close(model(clip), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"shift_div": 33}, "model.shift_div", "1/33 of 32 channels; must be at most 32"),
        (
            {"backbone": "timm:convnext_atto"},
            "model.backbone",
            '"timm:convnext_atto" has no place for a shift; allowed: tiny, .*ResNet .*MobileNetV2',
        ),
        ({"backbone": "timm:resnet18", "stage": 0}, "model.stage", "no residual block"),
    ],
)
def test_a_network_that_cannot_shift_names_the_key(options, key, message):
    with torch.device("meta"), pytest.raises(ConfigError, match=message) as told:
        build_model(TSMConfig(**options), MotionConfig())

    assert told.value.key == key
