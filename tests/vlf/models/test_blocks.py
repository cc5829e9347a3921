import pytest
import slow_transformer as slow
import torch
from slow_transformer import stir
from torch import nn

from vlf.models.blocks import Block, PostNormBlock, SelfAttention, init_linears, learned

BLOCK = {"width": 12, "heads": 3, "mlp_ratio": 1.5, "dropout": 0.0}


@pytest.mark.parametrize(
    ("layer", "written_out"),
    [
        (SelfAttention(width=12, heads=3, dropout=0.0), slow.attention),
        (Block(**BLOCK), slow.block),
        (PostNormBlock(**BLOCK), slow.post_norm_block),
    ],
    ids=["attention", "block", "post-norm block"],
)
def test_attention_and_blocks_are_the_textbook_sums_written_out(layer, written_out):
    layer = stir(layer)
    x = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(1))

    wanted = torch.stack([written_out(layer, sequence) for sequence in x])

    torch.testing.assert_close(layer(x), wanted, rtol=1e-4, atol=1e-5)


def test_the_width_inside_of_an_mlp_is_a_ratio():
    assert Block(**BLOCK).mlp[0].out_features == 18


def test_dropout_acts_in_training_and_not_in_evaluation():
    layer = stir(Block(width=8, heads=2, mlp_ratio=2.0, dropout=0.5))
    x = torch.ones(1, 4, 8)

    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


def test_linear_layers_start_at_a_scale_of_their_width_and_without_bias():
    torch.manual_seed(0)
    part = nn.Sequential(nn.Linear(300, 300), nn.LayerNorm(300))
    init_linears(part)

    assert abs(part[0].weight.std().item() - (2 / 600) ** 0.5) < 0.002
    assert not part[0].bias.any()
    assert part[1].weight.eq(1).all()


def test_learned_positions_start_at_the_given_scale():
    torch.manual_seed(0)

    assert abs(learned(100, 300, std=0.5).std().item() - 0.5) < 0.01


def test_attention_starts_with_keys_equal_to_queries_so_that_like_attends_to_like():
    torch.manual_seed(0)
    layer = SelfAttention(64, heads=4, dropout=0.0)
    layer.tie_keys()

    query, key, value = layer.qkv.weight.chunk(3)
    assert torch.equal(query, key)
    assert not torch.equal(query, value)
    key.data += 1  # equal at the start, not shared
    assert not torch.equal(query, key)
