"""MACs of every architecture by closed form, and by a second counter.

Shapes: B clips, T frames, N tokens of a frame, L tokens of a sequence, D width, K classes.
"""

import pytest
import torch
from test_models import MOTION, VARIANTS, clip

from study.measure.metrics.macs import count
from study.measure.metrics.second_count import recount
from vlf.config import (
    MotionConfig,
    TimeSformerConfig,
    TSMConfig,
    TSNConfig,
    VideoListConfig,
    ViViTConfig,
    VLFConfig,
)
from vlf.models import build_model

T, SIZE, K = 8, 32, 10
D, RATIO, PATCH = 64, 2, 8  # the defaults of the configs
N = (SIZE // PATCH) ** 2
DATA = MotionConfig(frames=T, size=SIZE)


def attention(length, width=D):
    """Three projections and one back, then all pairs of tokens twice: scores and mixture."""
    return 4 * length * width**2 + 2 * length**2 * width


def mlp(length, width=D, ratio=RATIO):
    return 2 * length * width * ratio * width


def block(length, width=D, ratio=RATIO):
    return attention(length, width) + mlp(length, width, ratio)


def tiny(size):
    """Three 3x3 convolutions of stride 2: 3 to 16 to 32 to 64 channels."""
    steps = [(3, 16, size // 2), (16, 32, size // 4), (32, 64, size // 8)]
    return sum(9 * channels * wider * side**2 for channels, wider, side in steps)


def vlf(g, h, tokens_of_h):
    f = T * (tiny(SIZE) + N * 64 * D)
    return {"f": f, "g": g * T * block(N), "h": h * block(tokens_of_h), "head": D * D + D * K}


def per_frame_classifier():
    return {"f": T * tiny(SIZE), "head": T * 64 * K}


def timesformer(block_of_h, depth=2):
    return {"f": T * N * 3 * PATCH**2 * D, "h": depth * block_of_h, "head": D * K}


def divided():
    """Over time without the class token, and its dense layer; over space with it; the MLP."""
    time = N * attention(T) + N * T * D**2
    return time + T * attention(1 + N) + mlp(1 + N * T)


def vivit(times):
    f = times * N * (3 * 2 * PATCH**2) * D
    return {"f": f, "g": 2 * times * block(1 + N), "h": block(1 + times), "head": D * K}


CLOSED_FORMS = {
    "VLF": (VLFConfig(), vlf(g=1, h=2, tokens_of_h=T * N)),
    "VLF no g": (VLFConfig(spatial_depth=0), vlf(g=0, h=2, tokens_of_h=T * N)),
    "VLF pooled": (VLFConfig(spatial_depth=0, pool="frame"), vlf(g=0, h=2, tokens_of_h=T)),
    "TSN": (TSNConfig(), per_frame_classifier()),
    "TSM": (TSMConfig(), per_frame_classifier()),  # a shift moves, and multiplies nothing
    "TimeSformer divided": (TimeSformerConfig(), timesformer(divided())),
    "TimeSformer joint": (TimeSformerConfig(attention="joint"), timesformer(block(1 + N * T))),
    "TimeSformer space": (TimeSformerConfig(attention="space"), timesformer(T * block(1 + N))),
    "ViViT": (ViViTConfig(), vivit(times=T // 2)),
}


@pytest.mark.parametrize(("config", "expected"), CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_macs_of_each_part_are_those_of_the_closed_form(config, expected):
    with torch.device("meta"):
        counts = count(build_model(config, DATA), (T, 3, SIZE, SIZE))

    assert dict(counts.macs) == expected
    assert counts.notes == ()


def test_a_trial_vlf_on_resnet18_has_the_counts_of_its_closed_form():
    config = VLFConfig(
        backbone="timm:resnet18",
        width=256,
        heads=8,
        mlp_ratio=4.0,
        spatial_depth=1,
        spatiotemporal_depth=4,
    )
    data = VideoListConfig(root="videos", frames=8, size=224, num_classes=174)

    with torch.device("meta"):
        counts = count(build_model(config, data), (8, 3, 224, 224))

    tokens = 7 * 7
    assert counts.macs["g"] == 8 * block(tokens, 256, 4)
    assert counts.macs["h"] == 4 * block(8 * tokens, 256, 4)
    resnet18 = 1.8141e9 - 512 * 1000  # published with its classifier of 1000 classes
    assert counts.macs["f"] == pytest.approx(8 * (resnet18 + tokens * 512 * 256), rel=1e-4)
    giga = {part: round(macs / 1e9, 3) for part, macs in counts.macs.items()}
    assert (giga["g"], giga["h"], round(giga["f"], 2)) == (0.318, 1.548, 14.56)
    assert sum(counts.macs.values()) / 1e9 == pytest.approx(16.43, abs=0.005)
    assert sum(counts.parameters.values()) / 1e6 == pytest.approx(15.4, abs=0.05)


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_both_counters_agree_on_every_architecture(config):
    model = build_model(config, MOTION).eval()
    counts = count(model, (MOTION.frames, 3, MOTION.size, MOTION.size))

    second = recount(model, clip(MOTION, batch=1))

    assert counts.notes == ()
    assert second.macs == pytest.approx(sum(counts.macs.values()), rel=1e-3)
    assert second.extras > 0  # of norms, which every one of them has
    assert second.activations > 0
