import torch
import torch.nn.functional as F
from torch import nn

from study.measure.metrics.second_count import disagreement, measure_second_count, recount
from study.measure.metrics.subject import Subject


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


def test_activations_are_what_products_and_attention_give_out():
    scores, mixed = 4 * 4, 4 * 8

    second = recount(Block().eval(), torch.zeros(1, 4, 8))

    assert second.activations == 4 * 8 + (scores + mixed) + 3 * 4 * 8 + 4


def test_attention_in_one_kernel_and_in_steps_count_alike():
    class Steps(nn.Module):
        def forward(self, x):
            return (x @ x.transpose(1, 2)).softmax(2) @ x

    class Kernel(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x)

    steps, kernel = (recount(one().eval(), torch.zeros(2, 5, 8)) for one in (Steps, Kernel))

    assert steps.macs == kernel.macs == 2 * 2 * 5 * 5 * 8
    assert steps.activations == kernel.activations == 2 * (5 * 5 + 5 * 8)


def test_what_norms_cost_is_kept_apart():
    class Norms(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4), nn.GroupNorm(2, 4))

    second = recount(Norms().eval(), torch.zeros(1, 3, 6, 6))

    assert second.macs == 3 * 4 * 36
    assert second.extras == (2 + 5) * 4 * 36  # a value costs fvcore 2 in batch norm, 5 else


def test_the_measurement_says_what_fvcore_found_and_agrees():
    clip = torch.zeros(1, 4, 8)
    reading = measure_second_count(Subject("cell", Block().eval(), clip))

    found = {m.metric: (m.samples, m.unit, m.conditions["clip"]) for m in reading.measurements}
    extras = recount(Block().eval(), clip).extras
    assert found["fvcore_macs"] == ((MACS,), "MAC", "4x8")
    assert found["fvcore_extras"] == ((extras,), "1", "4x8")
    assert found["activations"][1:] == ("1", "4x8")
    assert reading.notes == ()


def test_agreement_within_a_thousandth_needs_no_note():
    assert disagreement(10_000, 10_000) == ()
    assert disagreement(10_009, 10_000) == ()


def test_disagreement_is_a_note_with_both_numbers():
    assert disagreement(10_011, 10_000) == ("MACs not confirmed: 10011 here, 10000 by fvcore",)


def test_an_operator_that_only_one_of_the_two_counts_is_a_disagreement():
    class Added(nn.Module):
        def forward(self, x):
            return torch.addmv(torch.zeros(4), x, torch.ones(8))  # fvcore has no formula

    reading = measure_second_count(Subject("cell", Added().eval(), torch.zeros(4, 8)))

    assert reading.notes == ("MACs not confirmed: 32 here, 0 by fvcore",)


def test_a_model_that_fvcore_cannot_trace_is_a_note():
    class Named(nn.Module):
        def forward(self, x):
            if torch.jit.is_tracing():
                raise RuntimeError("no way\nsecond line")
            return x

    reading = measure_second_count(Subject("cell", Named(), torch.zeros(1, 3)))

    why = "fvcore could not trace it (RuntimeError: no way)"
    assert reading.measurements == ()
    assert reading.notes == (f"MACs not confirmed: {why}",)
