"""Which operators are free: none that multiplies and adds, and all that do not, in any variant."""

import re

import pytest
import torch
from modules import Applied
from torch import nn
from torch.utils.flop_counter import flop_registry

from study.measure.metrics.macs import count_macs
from study.measure.metrics.operators import is_free

# Names of operators that contract: products, convolutions, attention, solvers, transforms.
CONTRACTS = re.compile(
    r"(^|_)(mm|addmm|addbmm|baddbmm|bmm|mv|addmv|matmul|linear|dot|vdot|tensordot|conv|convolution"
    r"|conv[123]d|conv_tbc|attention|einsum|outer|addr|ger|inner|kron|lstm|gru|rnn|cdist|pdist"
    r"|euclidean|trilinear|bilinear|fft|stft|istft|solve|cholesky|svd|qr|lu|eig|det|inv|inverse"
    r"|exp_matrix|matrix_exp|matrix_power|chain|ormqr|corrcoef|cov|transformer|multi)($|_|[123]d)"
)
# Gates after the products; resizing, which the field does not count; a copy.
APART = {
    "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "upsample_bilinear2d", "upsample_linear1d",
    "_upsample_bilinear2d_aa", "upsample_trilinear3d", "slice_inverse",
}  # fmt: skip


def overloads():
    names = {name.partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    for name in sorted(name.removeprefix("aten::") for name in names if name.startswith("aten::")):
        packet = getattr(torch.ops.aten, name, None)
        for one in packet.overloads() if packet else ():
            yield name, getattr(packet, one)


FREE_CALLS = {
    "transpose_": lambda x: (x + 1).transpose_(0, 1),
    "unsqueeze_": lambda x: (x + 1).unsqueeze_(0),
    "squeeze_": lambda x: (x + 1).squeeze_(),
    "t_": lambda x: (x + 1).t_(),
    "swapdims_": lambda x: (x + 1).swapdims_(0, 1),
    "triu_": lambda x: (x + 1).triu_(),
    "tril_": lambda x: (x + 1).tril_(),
    "masked_fill_": lambda x: (x + 1).masked_fill_(x > 0, 0.0),
    "masked_scatter_": lambda x: (x + 1).masked_scatter_(x > 0, x),
    "index_fill": lambda x: x.index_fill(0, torch.zeros(1, dtype=torch.long, device=x.device), 1.0),
    "index_add_": lambda x: (x + 1).index_add_(
        0, torch.zeros(1, dtype=torch.long, device=x.device), x[:1]
    ),
    "index_reduce": lambda x: x.index_reduce(
        0, torch.zeros(1, dtype=torch.long, device=x.device), x[:1], "amax"
    ),
    "cummax": lambda x: x.cummax(0).values,
    "cummin": lambda x: x.cummin(0).values,
    "cumsum_": lambda x: (x + 1).cumsum_(0),
    "logcumsumexp": lambda x: x.logcumsumexp(0),
    "searchsorted": lambda x: torch.searchsorted(x.sort().values, x),
    "bucketize": lambda x: torch.bucketize(x, x[0].sort().values),
    "kthvalue": lambda x: x.kthvalue(1).values,
    "median": lambda x: x.median(1).values,
    "nanmedian": lambda x: x.nanmedian(1).values,
    "multinomial": lambda x: torch.multinomial(x.abs() + 1, 1),
    "scatter_reduce": lambda x: x.scatter_reduce(
        0, torch.zeros(4, 4, dtype=torch.long, device=x.device), x, "amax"
    ),
    "diag_embed": lambda x: torch.diag_embed(x),
    "fill_diagonal_": lambda x: (x + 1).fill_diagonal_(0.0),
    "prelu": lambda x: nn.functional.prelu(x, torch.ones(1, device=x.device)),
    "logsigmoid": lambda x: nn.functional.logsigmoid(x),
    "cross": lambda x: torch.linalg.cross(x[:, :3], x[:, 1:]),
    "channel_shuffle": lambda x: nn.functional.channel_shuffle(x[None, :, :, None], 2),
    "replicate": lambda x: nn.functional.pad(x[None], (1, 1), mode="replicate"),
    "nearest exact": lambda x: nn.functional.interpolate(x[None], 8, mode="nearest-exact"),
    "isin": lambda x: torch.isin(x, x[0]),
    "and": lambda x: (x > 0) & (x < 1),
    "shift": lambda x: x.to(torch.int32) << 1,
    "unfold_copy": lambda x: torch.unfold_copy(x, 0, 2, 1),
    "rand_like": lambda x: x + torch.rand_like(x),
    "std": lambda x: x.std(1),
    "norm": lambda x: x.norm(dim=1),
    "weight norm": None,
    "embedding bag": None,
}  # fmt: skip


def model_of(name):
    if name == "weight norm":
        return torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)), 4 * 4 * 5
    if name == "embedding bag":
        bag = nn.EmbeddingBag(10, 3)
        zeros = lambda x: torch.zeros(x.shape, dtype=torch.long, device=x.device)  # noqa: E731
        model = Applied(lambda x: bag(zeros(x)))
        model.bag = bag
        return model, 0
    return Applied(FREE_CALLS[name]), 0


@pytest.mark.parametrize("name", FREE_CALLS)
def test_what_multiplies_nothing_leaves_no_footnote(name):
    model, macs = model_of(name)

    counted, notes = count_macs(model, (4, 4))

    assert notes == ()
    assert sum(counted.values()) == macs


@pytest.mark.parametrize(
    ("call", "macs"),
    [
        (lambda x: torch.zeros(4, 4, device=x.device).addmm_(x, x), 4**3),
        (lambda x: torch.zeros(1, 4, 4, device=x.device).baddbmm_(x[None], x[None]), 4**3),
        (lambda x: torch.zeros(4, device=x.device).addmv_(x, x[0]), 4**2),
    ],
)
def test_products_that_are_added_in_place_are_counted(call, macs):
    counted, notes = count_macs(Applied(call), (4, 4))

    assert (sum(counted.values()), notes) == (macs, ())


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: torch.cdist(x, x), "cdist"),
        (lambda x: torch.linalg.solve(x, x), "solve"),
        (lambda x: torch.fft.rfft(x), "fft"),
        (lambda x: torch.addr(x, x[0], x[0]), "addr"),
        (lambda x: torch.addbmm(x, x[None], x[None]), "addbmm"),
        (lambda x: nn.functional.bilinear(x, x, torch.ones(2, 4, 4, device=x.device)), "trilinear"),
        (lambda x: torch.linalg.inv(x), "inv"),
    ],
)
def test_what_multiplies_without_a_formula_is_counted_or_named(call, name):
    counted, notes = count_macs(Applied(call), (4, 4))

    assert sum(counted.values()) or name in notes[0]


def test_no_operator_that_contracts_is_free():
    free = {
        name
        for name, one in overloads()
        if is_free(one) and CONTRACTS.search(name) and "backward" not in name
    } - APART

    assert sorted(free) == []


def test_no_operator_with_a_formula_is_free():
    assert [str(one) for one in flop_registry if any(map(is_free, overloads_of(one)))] == []


def test_the_in_place_variant_of_a_free_operator_is_free():
    free = {name for name, one in overloads() if is_free(one)}
    left_out = sorted(
        name for name, one in overloads() if name.removesuffix("_") in free and not is_free(one)
    )

    assert left_out == []


def overloads_of(packet):
    names = packet.overloads() if hasattr(packet, "overloads") else ()  # not of flex attention
    return [getattr(packet, one) for one in names]
