"""Parameters and MACs at the published sizes, without memory: on the meta device."""

import pytest
import torch

from study.measure.metrics.macs import count
from vlf.config import TimeSformerConfig, VideoListConfig, ViViTConfig
from vlf.models import build_model

BASE = {"width": 768, "heads": 12, "patch": 16, "depth": 12, "mlp_ratio": 4.0}
THEIRS = {
    "image_size": 224,
    "num_labels": 400,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
}
PUBLISHED = {  # config, frames, million parameters, GMACs of one view
    "TimeSformer-B divided": (TimeSformerConfig(**BASE), 8, 121.57, 195.83),
    "TimeSformer-B joint": (TimeSformerConfig(**BASE, attention="joint"), 8, 86.11, 179.56),
    "TimeSformer-B space": (TimeSformerConfig(**BASE, attention="space"), 8, 86.11, 140.5),
    "ViViT-B/16x2": (ViViTConfig(**BASE, encoder="joint"), 32, 88.95, 451.5),
}
each_published = pytest.mark.parametrize("name", PUBLISHED)


def count_ours(name):
    config, frames, *_ = PUBLISHED[name]
    data = VideoListConfig(root="videos", frames=frames, size=224, num_classes=400)
    with torch.device("meta"):
        model = build_model(config, data)
    return totals(count(model, (frames, 3, 224, 224)))


def count_transformers(name):
    import transformers

    config, frames, *_ = PUBLISHED[name]
    if config.name == "vivit":
        theirs = transformers.VivitConfig(num_frames=frames, tubelet_size=(2, 16, 16), **THEIRS)
        build = transformers.VivitForVideoClassification
    else:
        kinds = {"divided": "divided_space_time", "joint": "joint_space_time"}
        kind = kinds.get(config.attention, "space_only")
        theirs = transformers.TimesformerConfig(num_frames=frames, attention_type=kind, **THEIRS)
        build = transformers.TimesformerForVideoClassification
    with torch.device("meta"):
        model = build(theirs)
    return totals(count(model, (frames, 3, 224, 224)))


def totals(counts):
    assert counts.notes == ()
    return sum(counts.parameters.values()), sum(counts.macs.values())


@each_published
def test_parameters_and_macs_are_the_published_ones(name):
    parameters, macs = count_ours(name)

    *_, millions, giga = PUBLISHED[name]
    assert parameters / 1e6 == pytest.approx(millions, rel=0.005)
    assert macs / 1e9 == pytest.approx(giga, rel=0.005)


@each_published
def test_parameters_and_macs_are_those_of_transformers(name):
    (parameters, macs), (their_parameters, their_macs) = count_ours(name), count_transformers(name)

    # It classifies every frame where frames alone are attended to; we classify their mean.
    frames_classified = 7 * 768 * 400 if name.endswith("space") else 0
    # It has the norms, biases and positions of ours, and so not one parameter more or less.
    assert parameters == their_parameters
    assert macs == their_macs - frames_classified
