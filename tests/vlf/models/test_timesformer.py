import pytest
import slow_transformer as slow
import torch
from slow_transformer import stir

from vlf.config import ConfigError, MotionConfig, TimeSformerConfig
from vlf.models import build_model
from vlf.models.timesformer import DividedBlock

T, N, D = 3, 4, 8  # frames, patches of a frame, width


def config(**options):
    return TimeSformerConfig(**{"width": D, "heads": 2, "patch": 8, "depth": 1, **options})


def slow_divided_block(layer, x):
    """(1 + N*T, D) -> the same, one place and one frame at a time."""
    n = (len(x) - 1) // T
    token, patches = x[0], {(i, t): x[1 + i * T + t] for i in range(n) for t in range(T)}
    for i in range(n):
        tube = torch.stack([patches[i, t] for t in range(T)])
        update = slow.attention(layer.time_attention, slow.norm(layer.time_norm, tube))
        update = slow.linear(layer.time_dense, update)
        for t in range(T):
            patches[i, t] = patches[i, t] + update[t]
    moves = []
    for t in range(T):
        frame = torch.stack([token] + [patches[i, t] for i in range(n)])
        update = slow.attention(layer.attention, slow.norm(layer.attention_norm, frame))
        moves.append(update[0])
        for i in range(n):
            patches[i, t] = patches[i, t] + update[1 + i]
    token = token + sum(moves) / T
    x = torch.stack([token] + [patches[i, t] for i in range(n) for t in range(T)])
    return x + slow.mlp(layer.mlp, slow.norm(layer.mlp_norm, x))


def slow_patches(model, clip):
    """What f makes of each square, by a sum of products: clip (T, 3, 16, 16) -> (T, N) of (D,)."""
    squares = [(slice(y, y + 8), slice(x, x + 8)) for y in (0, 8) for x in (0, 8)]
    weight, bias = model.f.weight, model.f.bias
    return [
        [(weight * frame[:, rows, columns]).sum(dim=(1, 2, 3)) + bias for rows, columns in squares]
        for frame in clip
    ]


def slow_mean_model(model, patches, attention):
    """The same without a class token: the mean of all tokens is classified, by an MLP."""
    h, block = model.h, model.h.blocks[0]
    x = {(i, t): patches[t][i] + h.space_position[i] for i in range(N) for t in range(T)}
    if attention != "space":
        x = {(i, t): value + h.time_position[t] for (i, t), value in x.items()}
    if attention == "joint":
        tokens = slow.block(block, torch.stack([*x.values()]))
    elif attention == "space":
        frames = [torch.stack([x[i, t] for i in range(N)]) for t in range(T)]
        tokens = torch.cat([slow.block(block, frame) for frame in frames])
    else:
        for i in range(N):
            tube = torch.stack([x[i, t] for t in range(T)])
            update = slow.attention(block.time_attention, slow.norm(block.time_norm, tube))
            for t, row in enumerate(slow.linear(block.time_dense, update)):
                x[i, t] = x[i, t] + row
        frames = [torch.stack([x[i, t] for i in range(N)]) for t in range(T)]
        tokens = torch.cat([slow.block(block, frame) for frame in frames])
    return slow.mlp(model.head, slow.norm(h.norm, tokens).mean(dim=0))


def slow_model(model, clip, attention):
    """One clip (T, 3, 16, 16) -> logits (K,), in the published order of tokens."""
    h, patches = model.h, slow_patches(model, clip)
    if h.class_token is None:
        return slow_mean_model(model, patches, attention)
    token = h.class_token[0, 0] + h.space_position[0]
    patches = [[patches[t][i] + h.space_position[1 + i] for i in range(N)] for t in range(T)]
    if attention == "space":
        frames = [slow.block(h.blocks[0], torch.stack([token, *frame])) for frame in patches]
        x = sum(frames) / T
    else:
        order = [patches[t][i] + h.time_position[t] for i in range(N) for t in range(T)]
        block = slow_divided_block if attention == "divided" else slow.block
        x = block(h.blocks[0], torch.stack([token, *order]))
    return slow.linear(model.head[1], slow.norm(h.norm, x)[0])


def test_a_divided_block_is_time_then_space_then_mlp_written_out():
    layer = stir(DividedBlock(config(), T))
    x = torch.randn(2, 1 + N * T, D, generator=torch.Generator().manual_seed(1))

    wanted = torch.stack([slow_divided_block(layer, sequence) for sequence in x])

    torch.testing.assert_close(layer(x), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"readout": "mean", "head": "mlp"}], ids=["token", "mean"])
@pytest.mark.parametrize("attention", ["divided", "joint", "space"])
def test_a_model_is_the_published_one_written_out(attention, options):
    data = MotionConfig(frames=T, size=16)
    model = stir(build_model(config(attention=attention, **options), data)).eval()
    clips = torch.randn(2, T, 3, 16, 16, generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        wanted = torch.stack([slow_model(model, clip, attention) for clip in clips])
        torch.testing.assert_close(model(clips), wanted, rtol=1e-3, atol=1e-3)


def test_temporal_dense_layers_alone_start_at_zero():
    h = build_model(config(depth=3), MotionConfig(frames=T)).h

    assert h.time_position.any()
    assert h.class_token.any()
    assert h.space_position.any()
    for block in h.blocks:
        assert not block.time_dense.weight.any()
        assert not block.time_dense.bias.any()
        assert block.time_attention.out.weight.any()


def test_space_only_has_no_positions_in_time():
    model = build_model(config(attention="space"), MotionConfig())

    assert not hasattr(model.h, "time_position")


def test_divided_blocks_have_a_second_attention_a_norm_and_a_dense_layer():
    counts = {
        attention: sum(
            p.numel()
            for p in build_model(config(attention=attention), MotionConfig(frames=T)).parameters()
        )
        for attention in ("divided", "joint", "space")
    }

    second_attention = (D * 3 * D + 3 * D) + (D * D + D)
    assert counts["divided"] - counts["joint"] == second_attention + 2 * D + (D * D + D)
    assert counts["joint"] - counts["space"] == T * D


def test_a_patch_that_does_not_divide_the_frame_names_both_numbers():
    with pytest.raises(ConfigError, match=r"must divide data.size 32, got 5") as told:
        build_model(config(patch=5), MotionConfig())

    assert told.value.key == "model.patch"


def tied(attention):
    query, key, _ = attention.qkv.weight.chunk(3)
    return torch.equal(query, key)


def test_keys_start_as_queries_where_it_is_asked_for_and_no_class_token_is_seen():
    block = build_model(config(attention_init="tied"), MotionConfig()).h.blocks[0]
    assert (tied(block.time_attention), tied(block.attention)) == (True, False)
    block = build_model(config(attention_init="tied", readout="mean"), MotionConfig()).h.blocks[0]
    assert (tied(block.time_attention), tied(block.attention)) == (True, True)
    block = build_model(config(readout="mean"), MotionConfig()).h.blocks[0]
    assert (tied(block.time_attention), tied(block.attention)) == (False, False)


@pytest.mark.parametrize("attention", ["joint", "space"])
def test_tied_keys_that_no_attention_could_have_are_refused(attention):
    with pytest.raises(ValueError, match="attention_init: tied is for attention without a class"):
        config(attention=attention, attention_init="tied")
