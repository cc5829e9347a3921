import math

import numpy as np
import pytest
import torch

from vlf.config import MotionConfig, TSNConfig, VLFConfig
from vlf.data import open_clips
from vlf.evaluate import evaluate, normalize
from vlf.examples import attention_maps, look_at
from vlf.models import build_model
from vlf.models.pixels import IMAGENET

DATA = MotionConfig(frames=3, test_clips=10)
SMALL = {"width": 16, "heads": 2, "spatial_depth": 0}
CPU = torch.device("cpu")


def attention_by_loops(model, clip, skipped=0):
    """Token by token and head by head, from the weights of each block: one (L, L) a block."""
    seen = []
    layers = [block.attention for block in model.h.blocks]
    hooks = [layer.register_forward_hook(lambda _, i, o: seen.append(i[0][0])) for layer in layers]
    with torch.no_grad():
        model(clip)
    for hook in hooks:
        hook.remove()
    found = []
    for layer, x in zip(layers, seen, strict=True):
        width = x.shape[1]
        d = width // layer.heads
        q, k = (
            x @ layer.qkv.weight[i * width : (i + 1) * width].T
            + layer.qkv.bias[i * width : (i + 1) * width]
            for i in (0, 1)
        )
        weights = np.zeros((len(x), len(x)))
        for head in range(layer.heads):
            at = slice(head * d, (head + 1) * d)
            for i in range(len(x)):
                scores = [(q[i, at] @ k[j, at]).item() / math.sqrt(d) for j in range(len(x))]
                powers = np.exp(np.array(scores) - max(scores))
                weights[i] += powers / powers.sum() / layer.heads
        found.append(weights[skipped:, skipped:])
    return found


@pytest.mark.parametrize("options", [{}, {"pool": "frame"}, {"readout": "class_token"}])
def test_attention_is_that_of_a_loop_over_tokens_and_heads(options):
    model = build_model(VLFConfig(**SMALL, spatiotemporal_depth=2, **options), DATA).eval()
    clip = normalize(open_clips(DATA, "test").load_views(1), CPU, IMAGENET)
    skipped = int("readout" in options)

    between, received = attention_maps(model, clip)

    side = 1 if "pool" in options else 4
    assert between.shape == (2, 3, 3)
    assert received.shape == (2, 3, side, side)
    for block, weights in enumerate(attention_by_loops(model, clip, skipped)):
        for frame in range(3):
            own = slice(frame * side**2, (frame + 1) * side**2)
            for other in range(3):
                theirs = slice(other * side**2, (other + 1) * side**2)
                truth = weights[own, theirs].sum(axis=1).mean()
                assert between[block, frame, other].item() == pytest.approx(truth, abs=1e-5)
            for row in range(side):
                for column in range(side):
                    truth = weights[:, frame * side**2 + row * side + column].mean()
                    found = received[block, frame, row, column].item()
                    assert found == pytest.approx(truth, abs=1e-5)


def test_a_clip_s_frames_and_label_are_kept_and_what_the_split_has_not_is_left_out():
    clips = open_clips(DATA, "test")

    found = look_at(build_model(VLFConfig(**SMALL), DATA), clips, [4, 99, 0], CPU)

    assert found["index"].tolist() == [4, 0]
    assert found["labels"].tolist() == clips.labels[[4, 0]].tolist()
    truth = clips.load_views(4)[0].permute(0, 2, 3, 1).numpy()
    assert np.array_equal(found["frames"][0], truth)
    assert found["received"].sum(axis=(2, 3, 4)) == pytest.approx(1, abs=1e-4)


def test_large_frames_are_averaged_down():
    data = MotionConfig(frames=2, size=128, test_clips=10)
    clips = open_clips(data, "test")

    found = look_at(build_model(TSNConfig(), data), clips, [0], CPU)["frames"]

    assert found.shape == (1, 2, 64, 64, 3)
    large = clips.load_views(0)[0].permute(0, 2, 3, 1).numpy()
    assert found[0, 1, 5, 7] == pytest.approx(large[1, 10:12, 14:16].mean(axis=(0, 1)), abs=0.51)


@pytest.mark.parametrize("config", [TSNConfig(), VLFConfig(**SMALL, spatiotemporal_depth=0)])
def test_a_model_without_such_an_h_keeps_frames_alone(config):
    found = look_at(build_model(config, DATA), open_clips(DATA, "test"), [0], CPU)

    assert set(found) == {"index", "labels", "frames"}


def test_nothing_is_kept_where_no_clip_is_chosen():
    assert look_at(build_model(TSNConfig(), DATA), open_clips(DATA, "test"), [], CPU) == {}


def test_looking_changes_no_answer_and_draws_nothing():
    model, clips = build_model(VLFConfig(**SMALL), DATA), open_clips(DATA, "test")
    before = evaluate(model, clips, CPU, "fp32").scores
    state = torch.get_rng_state()

    look_at(model, clips, [0, 1], CPU)

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(evaluate(model, clips, CPU, "fp32").scores, before)
