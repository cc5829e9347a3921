import pytest
import slow_transformer as slow
import torch
from slow_transformer import stir

from vlf.config import ConfigError, MotionConfig, ViViTConfig
from vlf.models import build_model


def slow_encoder(layer, tokens):
    """(N, D) -> the class token or the mean (D,)."""
    has_token = layer.class_token is not None
    x = (torch.cat([layer.class_token[0], tokens]) if has_token else tokens) + layer.position
    for block in layer.blocks:
        x = slow.block(block, x)
    x = slow.norm(layer.norm, x)
    return x[0] if has_token else x.mean(dim=0)


@pytest.mark.parametrize("readout", ["class_token", "mean"])
def test_the_whole_is_tubelets_then_space_then_time_written_out(readout):
    config = ViViTConfig(width=8, heads=2, patch=8, spatial_depth=1, readout=readout)
    model = stir(build_model(config, MotionConfig(frames=6, size=16))).eval()
    clip = torch.randn(1, 6, 3, 16, 16, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        times = []
        for t in (0, 2, 4):
            tubelets = [
                clip[0, t : t + 2, :, y : y + 8, x : x + 8].transpose(0, 1)  # (3, 2, 8, 8)
                for y in (0, 8)
                for x in (0, 8)
            ]
            tokens = [
                (model.f.weight * one).sum(dim=(1, 2, 3, 4)) + model.f.bias for one in tubelets
            ]
            times.append(slow_encoder(model.g, torch.stack(tokens)))
        wanted = slow.linear(model.head[1], slow_encoder(model.h, torch.stack(times)))

        torch.testing.assert_close(model(clip)[0], wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"patch": 5}, "model.patch", "must divide data.size 32, got 5"),
        ({"tubelet_frames": 3}, "model.tubelet_frames", "must divide data.frames 8, got 3"),
    ],
)
def test_a_tubelet_that_does_not_divide_the_clip_names_both_numbers(options, key, message):
    with pytest.raises(ConfigError, match=message) as told:
        build_model(ViViTConfig(**options), MotionConfig())

    assert told.value.key == key


def test_the_joint_encoder_is_one_over_all_tubelets_written_out():
    config = ViViTConfig(width=8, heads=2, patch=8, tubelet_frames=2, encoder="joint", depth=1)
    model = stir(build_model(config, MotionConfig(frames=6, size=16))).eval()
    clip = torch.randn(1, 6, 3, 16, 16, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        tokens = [
            (model.f.weight * clip[0, t : t + 2, :, y : y + 8, x : x + 8].transpose(0, 1)).sum(
                dim=(1, 2, 3, 4)
            )
            + model.f.bias
            for t in (0, 2, 4)
            for y in (0, 8)
            for x in (0, 8)
        ]
        wanted = slow.linear(model.head[1], slow_encoder(model.h, torch.stack(tokens)))

        torch.testing.assert_close(model(clip)[0], wanted, rtol=1e-3, atol=1e-3)


def test_the_joint_encoder_has_as_many_blocks_as_the_factorised_one_if_not_told():
    config = ViViTConfig(encoder="joint", spatial_depth=3, temporal_depth=2)

    assert len(build_model(config, MotionConfig()).h.blocks) == 5
    assert len(build_model(ViViTConfig(encoder="joint", depth=1), MotionConfig()).h.blocks) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 4}, "depth: is of the joint encoder; say spatial_depth and temporal_depth"),
        (
            {"depth": 4, "encoder": "joint", "temporal_depth": 4},
            "depth: takes the place of spatial_depth and temporal_depth",
        ),
    ],
)
def test_a_depth_that_would_not_be_used_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ViViTConfig(**options)


def test_the_tanh_gelu_is_the_published_approximation():
    config = ViViTConfig(activation="gelu_tanh")
    activation = build_model(config, MotionConfig()).g.blocks[0].mlp[1]
    x = torch.linspace(-4, 4, 33)

    wanted = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))

    torch.testing.assert_close(activation(x), wanted)
    assert not torch.allclose(activation(x), torch.nn.functional.gelu(x), atol=1e-4)


def test_keys_start_as_queries_where_it_is_asked_for():
    model = build_model(ViViTConfig(attention_init="tied", readout="mean"), MotionConfig())
    for encoder in (model.g, model.h):
        query, key, _ = encoder.blocks[0].attention.qkv.weight.chunk(3)
        assert torch.equal(query, key)
    with pytest.raises(ValueError, match="attention_init: tied is for attention without a class"):
        ViViTConfig(attention_init="tied")
