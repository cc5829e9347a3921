import math

import pytest
import slow_transformer as slow
import torch
from slow_transformer import stir
from torch import nn

from vlf.config import ConfigError, MotionConfig, VLFConfig
from vlf.models import build_model

DATA = MotionConfig(frames=3)


def tokens_seen_by(part, model, clip):
    """Shape of what the first block of a part sees."""
    shapes = []
    hook = part.blocks[0].register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))
    model(clip)
    hook.remove()
    return tuple(shapes[0])


def parameters(part):
    return sum(p.numel() for p in part.parameters())


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({}, 16),
        ({"stage": 3}, 4),
        ({"projection": "3x3s2"}, 4),
        ({"stage": 3, "projection": "3x3s2"}, 1),
    ],
)
def test_g_sees_the_places_of_one_frame_and_h_those_of_all(options, tokens):
    model = build_model(VLFConfig(**options), DATA)
    clip = torch.randn(2, 3, 3, 32, 32)

    assert tokens_seen_by(model.g, model, clip) == (2 * 3, tokens, 64)
    assert tokens_seen_by(model.h, model, clip) == (2, 3 * tokens, 64)


def test_pooled_h_sees_one_token_a_frame():
    model = build_model(VLFConfig(pool="frame"), DATA)

    assert tokens_seen_by(model.h, model, torch.randn(2, 3, 3, 32, 32)) == (2, 3, 64)


def test_without_g_there_is_no_parameter_in_it():
    model = build_model(VLFConfig(spatial_depth=0), DATA)

    assert isinstance(model.g, nn.Identity)
    assert parameters(model.g) == 0


def test_parameters_are_those_counted_by_hand():
    d, hidden, tokens, frames = 64, 128, 16, 8
    norm = 2 * d
    attention = (d * 3 * d + 3 * d) + (d * d + d)
    mlp = (d * hidden + hidden) + (hidden * d + d)
    block = 2 * norm + attention + mlp
    cnn = 9 * (3 * 16 + 16 * 32 + 32 * 64) + 2 * (16 + 32 + 64)

    model = build_model(VLFConfig(spatial_depth=3), MotionConfig(frames=8))

    assert parameters(model.f) == cnn + 64 * d + norm
    assert parameters(model.g) == tokens * d + 3 * block + norm
    assert parameters(model.h) == (tokens + frames) * d + 2 * block + norm
    assert parameters(model.head) == (d * d + d) + (d * 10 + 10)


def test_pooled_h_has_positions_in_time_only():
    pooled = build_model(VLFConfig(pool="frame"), MotionConfig(frames=8))
    full = build_model(VLFConfig(), MotionConfig(frames=8))

    assert parameters(full.h) - parameters(pooled.h) == 16 * 64


def test_a_wide_projection_is_a_convolution_of_stride_2():
    plain = build_model(VLFConfig(), DATA)
    wide = build_model(VLFConfig(projection="3x3s2"), DATA)

    assert parameters(wide.f) - parameters(plain.f) == (9 - 1) * 64 * 64


def test_the_whole_is_the_formula_written_out():
    config = VLFConfig(width=8, heads=2, stage=3, spatiotemporal_depth=1)
    model = stir(build_model(config, DATA)).eval()
    clip = torch.randn(1, 3, 3, 32, 32, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        seen = []
        for time, frame in enumerate(clip[0]):
            feature_map = model.f(frame[None])[0]  # (D, 2, 2)
            places = [feature_map[:, y, x] for y in range(2) for x in range(2)]
            places = torch.stack(places) + model.g.space_position
            places = slow.norm(model.g.norm, slow.block(model.g.blocks[0], places))
            seen += [places + model.h.space_position + model.h.time_position[time]]
        tokens = slow.norm(model.h.norm, slow.block(model.h.blocks[0], torch.cat(seen)))
        wanted = model.head(tokens.mean(dim=0))

        torch.testing.assert_close(model(clip)[0], wanted, rtol=1e-3, atol=1e-3)


def sine(place, width):
    """One position of Vaswani et al., pair by pair."""
    angles = [place / 10000 ** (2 * (i // 2) / width) for i in range(width)]
    return torch.tensor([math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(angles)])


def test_sine_positions_are_of_row_and_column_and_of_time_and_not_learned():
    model = build_model(VLFConfig(positions="sine", width=12, heads=3), DATA)

    for y in range(4):
        for x in range(4):
            wanted = torch.cat([sine(y, 6), sine(x, 6)])
            torch.testing.assert_close(model.g.space_position[4 * y + x], wanted)
            torch.testing.assert_close(model.h.space_position[4 * y + x], wanted)
    for t in range(3):
        torch.testing.assert_close(model.h.time_position[t, 0], sine(t, 12))
    assert not [name for name, _ in model.named_parameters() if "position" in name]


def test_without_positions_h_takes_the_places_of_a_frame_for_a_set():
    model = stir(build_model(VLFConfig(positions="none"), DATA)).eval()
    tokens = torch.randn(1, 3, 16, 64)

    with torch.no_grad():
        torch.testing.assert_close(model.h(tokens), model.h(tokens.flip(2)), rtol=1e-4, atol=1e-4)


def test_post_norm_g_and_h_are_the_formula_written_out():
    config = VLFConfig(width=8, heads=2, stage=3, spatiotemporal_depth=1, norm="post")
    model = stir(build_model(config, DATA)).eval()
    tokens = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        seen = [
            slow.post_norm_block(model.g.blocks[0], places + model.g.space_position)
            for places in tokens
        ]
        torch.testing.assert_close(model.g(tokens), torch.stack(seen), rtol=1e-4, atol=1e-4)
        both = tokens + model.h.space_position + model.h.time_position
        wanted = slow.post_norm_block(model.h.blocks[0], both.flatten(0, 1)).mean(dim=0)
        torch.testing.assert_close(model.h(tokens[None])[0], wanted, rtol=1e-4, atol=1e-4)


def test_a_class_token_goes_before_all_tokens_and_alone_is_read():
    config = VLFConfig(width=8, heads=2, stage=3, spatiotemporal_depth=1, readout="class_token")
    model = stir(build_model(config, DATA)).eval()
    tokens = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        places = tokens + model.h.space_position + model.h.time_position
        sequence = torch.cat([model.h.class_token[0], places.flatten(0, 1)])
        wanted = slow.norm(model.h.norm, slow.block(model.h.blocks[0], sequence))[0]
        torch.testing.assert_close(model.h(tokens[None])[0], wanted, rtol=1e-4, atol=1e-4)


def test_keys_start_as_queries_but_in_an_h_that_reads_a_class_token():
    model = build_model(VLFConfig(readout="class_token"), DATA)

    def tied(part):
        query, key, _ = part.blocks[0].attention.qkv.weight.chunk(3)
        return torch.equal(query, key)

    assert tied(model.g)
    assert not tied(model.h)


def test_a_class_token_without_blocks_is_refused():
    with pytest.raises(ValueError, match="readout: class_token needs a spatiotemporal_depth"):
        VLFConfig(readout="class_token", spatiotemporal_depth=0)


def test_the_projection_says_when_a_feature_map_is_too_small_for_it():
    config = VLFConfig(stage=3, projection="3x3s2")

    with pytest.raises(ConfigError, match="at least 2x2, got 1x1") as told:
        build_model(config, MotionConfig(size=16))

    assert told.value.key == "model.projection"
