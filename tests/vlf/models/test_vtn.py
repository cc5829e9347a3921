import math

import pytest
import torch
from slow_transformer import linear, stir

from vlf.config import MotionConfig, VTNConfig
from vlf.models import build_model
from vlf.models.blocks import sinusoids
from vlf.models.vtn import SpreadNorm

T = 5


def slow_norm(layer, x):
    """Of (T, D): the authors divide by the deviation of n - 1, plus 1e-3."""
    out = []
    for row in x:
        centred = row - row.sum() / len(row)
        deviation = math.sqrt(float((centred**2).sum()) / (len(row) - 1))
        out.append(centred / (deviation + 1e-3) * layer.weight + layer.bias)
    return torch.stack(out)


def slow_block(layer, x, heads):
    """Of (T, D): heads without projection, scores over sqrt(D), norms behind the sums."""
    width = x.shape[1]
    size = width // heads
    query, key, value = (x @ part.T for part in layer.qkv.weight.split(width))
    joined = torch.zeros_like(x)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for t in range(len(x)):
            scores = torch.stack([query[t, part] @ other for other in key[:, part]])
            shares = torch.exp((scores - scores.max()) / math.sqrt(width))
            joined[t, part] = (shares / shares.sum()) @ value[:, part]
    x = slow_norm(layer.attention_norm, joined + x)
    hidden = linear(layer.mlp[0], x).clamp(min=0)
    return slow_norm(layer.mlp_norm, linear(layer.mlp[2], hidden) + x)


@pytest.mark.parametrize("options", [{"width": 64, "heads": 8}, {"width": 24, "heads": 3}])
def test_the_whole_is_the_published_formula_written_out(options):
    model = stir(build_model(VTNConfig(**options), MotionConfig(frames=T))).eval().double()
    clip = torch.randn(2, T, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double()

    with torch.no_grad():
        wanted = []
        for frames in clip:
            x = model.f(frames)
            x = torch.cat([x[:1], x[1:] + model.h.position])  # the first frame's position is zero
            for layer in model.h.blocks:
                x = slow_block(layer, x, options["heads"])
            wanted.append(torch.stack([linear(model.head, row) for row in x]).mean(dim=0))

        assert len(model.h.blocks) == 4
        torch.testing.assert_close(model(clip), torch.stack(wanted), rtol=1e-5, atol=1e-5)


def test_as_published_it_is_a_resnet34_and_four_blocks_of_an_mlp_of_1024():
    config = VTNConfig(backbone="timm:resnet34", width=512, heads=8)
    with torch.device("meta"):
        model = build_model(config, MotionConfig(frames=16, size=224))

    def size(part):
        return sum(p.numel() for p in part.parameters())

    attention, norms = 512 * 3 * 512, 2 * 2 * 512
    mlp = 512 * 1024 + 1024 + 1024 * 512 + 512
    assert size(model.f) == 21_797_672 - (
        512 * 1000 + 1000
    )  # torchvision's, without its classifier
    assert size(model.h) == 4 * (attention + mlp + norms) + 15 * 512
    assert size(model.head) == 512 * 10 + 10


def test_positions_start_as_sinusoids_of_falling_frequency():
    table = sinusoids(4, 6)

    for t in range(4):
        for pair in range(3):
            angle = t / 10000 ** (2 * pair / 6)
            assert table[t, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[t, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_the_norm_divides_by_the_deviation_and_not_by_the_root_of_variance_plus_epsilon():
    x = torch.tensor([[1.0, 3.0]])  # mean 2, deviation with n - 1: sqrt(2)

    normed = SpreadNorm(2)(x)

    wanted = 1 / (math.sqrt(2) + 1e-3)
    torch.testing.assert_close(normed, torch.tensor([[-wanted, wanted]]))


def test_initial_weights_have_the_scale_of_the_authors_tensors():
    torch.manual_seed(0)
    model = build_model(VTNConfig(width=64, heads=8), MotionConfig())
    theirs = torch.nn.init.xavier_normal_(torch.empty(8, 64, 8))

    ours = model.h.blocks[0].qkv.weight
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.05)
    assert model.head.weight.std().item() == pytest.approx(0.02, rel=0.15)


def test_one_frame_is_a_clip_too():
    model = build_model(VTNConfig(), MotionConfig(frames=1)).eval()

    assert model(torch.randn(2, 1, 3, 32, 32)).isfinite().all()
