import torch
import torch.nn.functional as F
from torch import nn

from study.metrics.second_count import disagreement, recount


class Block(nn.Module):
    """Linear, fused attention, norm, and products that broadcast or take a vector."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):  # (1, 4, 8) -> (1, 4)
        x = self.norm(self.linear(x))
        x = F.scaled_dot_product_attention(x, x, x)
        x = torch.ones(4, 4) @ x.expand(3, 4, 8)
        return x[:1] @ torch.ones(8)


MACS = 4 * 8 * 8 + 2 * 4 * 4 * 8 + 3 * 4 * 4 * 8 + 4 * 8


def test_the_second_count_knows_attention_broadcasting_and_vectors():
    second = recount(Block().eval(), torch.zeros(1, 4, 8))

    assert second.macs == MACS


def test_what_norms_cost_is_kept_apart():
    assert recount(Block().eval(), torch.zeros(1, 4, 8)).extras > 0


def test_agreement_within_a_thousandth_needs_no_note():
    model, clip = nn.Linear(100, 100, bias=False).eval(), torch.zeros(1, 100)

    assert disagreement(model, clip, 10_000) == ()
    assert disagreement(model, clip, 10_009) == ()


def test_disagreement_is_a_note_with_both_numbers():
    model, clip = nn.Linear(100, 100, bias=False).eval(), torch.zeros(1, 100)

    assert disagreement(model, clip, 10_011) == ("MACs not confirmed: 10011 here, 10000 by fvcore",)


def test_a_model_that_cannot_be_traced_is_a_note():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("no way\nsecond line")

    notes = disagreement(Broken(), torch.zeros(1, 3), 0)

    assert notes == ("MACs not confirmed: fvcore could not trace it (RuntimeError: no way)",)
