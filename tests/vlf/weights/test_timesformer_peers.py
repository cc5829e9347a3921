import re

import pytest
import torch
from peers import (
    clips_of,
    logits,
    random_clip,
    randomise,
    save,
    timesformer_logits,
    transformers_timesformer,
)

from vlf.config import TimeSformerConfig
from vlf.models import build_model

each_attention = pytest.mark.parametrize("attention", ["divided", "joint", "space"])


def config(attention, weights, **options):
    small = {"width": 24, "heads": 3, "patch": 8, "depth": 2, "mlp_ratio": 2.0}
    return TimeSformerConfig(attention=attention, weights=weights, **{**small, **options})


def official_state(peer):
    """The same weights under the names of the authors' code, `model.` before each of them."""
    names = [
        (r"^timesformer\.", ""),
        (r"^embeddings\.cls_token", "cls_token"),
        (r"^embeddings\.position_embeddings", "pos_embed"),
        (r"^embeddings\.time_embeddings", "time_embed"),
        (r"^embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
        (r"^encoder\.layer", "blocks"),
        (r"temporal_layernorm", "temporal_norm1"),
        (r"temporal_attention\.attention", "temporal_attn"),
        (r"temporal_attention\.output\.dense", "temporal_attn.proj"),
        (r"temporal_dense", "temporal_fc"),
        (r"layernorm_before", "norm1"),
        (r"layernorm_after", "norm2"),
        (r"(\d)\.attention\.attention", r"\1.attn"),
        (r"(\d)\.attention\.output\.dense", r"\1.attn.proj"),
        (r"intermediate\.dense", "mlp.fc1"),
        (r"(\d)\.output\.dense", r"\1.mlp.fc2"),
        (r"^layernorm", "norm"),
        (r"^classifier", "head"),
    ]
    state = {}
    for key, tensor in peer.state_dict().items():
        for theirs, official in names:
            key = re.sub(theirs, official, key)
        state[f"model.{key}"] = tensor
    return state


@each_attention
@pytest.mark.parametrize(
    ("frames", "size"), [(4, 32), (2, 32), (3, 32), (6, 32), (8, 32), (4, 16), (4, 40), (4, 64)]
)
def test_logits_are_those_of_transformers_and_other_clips_take_the_nearest_time_and_place(
    attention, frames, size, tmp_path
):
    peer = randomise(transformers_timesformer(attention))
    model = build_model(config(attention, save(peer, tmp_path)), clips_of(frames, size))
    # Its blocks group tokens by this number, whatever the clip's: told nothing, they would mix
    # places and times.
    peer.config.num_frames, peer.config.image_size = frames, size
    clip = random_clip(frames, size)

    wanted = timesformer_logits(peer, clip, attention)

    assert wanted.std() > 0.1
    torch.testing.assert_close(logits(model, clip), wanted, rtol=0, atol=1e-5)


@each_attention
def test_gradients_are_those_of_transformers(attention, tmp_path):
    peer = randomise(transformers_timesformer(attention)).double()
    model = build_model(config(attention, save(peer, tmp_path)), clips_of()).double().eval()
    clip = random_clip(4, 32).double()

    model(clip)[:, 2].sum().backward()
    theirs = peer.timesformer.embeddings(clip)
    theirs = peer.timesformer.encoder(theirs).last_hidden_state
    if attention == "space":
        theirs = theirs.unflatten(0, (2, 4)).mean(dim=1)
    peer.classifier(peer.timesformer.layernorm(theirs)[:, 0])[:, 2].sum().backward()

    patches = peer.timesformer.embeddings.patch_embeddings.projection
    torch.testing.assert_close(model.f.weight.grad, patches.weight.grad, rtol=1e-7, atol=1e-9)


@each_attention
def test_the_authors_files_give_the_same_logits(attention, tmp_path):
    peer = randomise(transformers_timesformer(attention))
    content = {"epoch": 3, "model_state": official_state(peer), "cfg": "TRAIN: ..."}
    torch.save(content, tmp_path / "TimeSformer.pyth")
    clip = random_clip(4, 32)

    model = build_model(config(attention, str(tmp_path / "TimeSformer.pyth")), clips_of())

    assert "model.blocks.0.attn.qkv.weight" in content["model_state"]
    assert ("model.blocks.1.temporal_fc.bias" in content["model_state"]) == (attention == "divided")
    wanted = timesformer_logits(peer, clip, attention)
    torch.testing.assert_close(logits(model, clip), wanted, rtol=0, atol=1e-5)


@pytest.mark.slow
@each_attention
def test_the_published_size_agrees_with_transformers(attention, tmp_path):
    full = {
        "patch_size": 16,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    }
    shape = {"frames": 8, "size": 224, "classes": 400}
    peer = randomise(transformers_timesformer(attention, **shape, **full), scale=0.02)
    options = {"width": 768, "heads": 12, "patch": 16, "depth": 12, "mlp_ratio": 4.0}
    model = build_model(config(attention, save(peer, tmp_path), **options), clips_of(**shape))
    clip = random_clip(8, 224, batch=1)

    wanted = timesformer_logits(peer, clip, attention)
    difference = (logits(model, clip) - wanted).abs().max().item()

    print(f"{attention}: largest difference {difference:.2g}, logits' deviation {wanted.std():.2g}")
    assert difference < 1e-5
