import sys

import pytest
import torch
from slow_transformer import stir

from vlf.config import ConfigError, MotionConfig, VTNLongformerConfig
from vlf.models import build_model

SMALL = {"depth": 2, "window": 4, "positions": 12}


def build(frames=9, **options):
    config = VTNLongformerConfig(**{**SMALL, **options})
    return stir(build_model(config, MotionConfig(frames=frames))).eval()


def clip(frames=9, batch=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, frames, 3, 32, 32, generator=generator)


def authors_longformer(ours, window, ids):
    """transformers' LongformerModel, driven as the authors drive it: (B, T, D) -> (B, D)."""
    from transformers import LongformerConfig, LongformerModel

    width, depth = ours.class_token.shape[2], len(ours.layers)
    model = LongformerModel(
        LongformerConfig(
            hidden_size=width,
            num_hidden_layers=depth,
            num_attention_heads=4,
            intermediate_size=4 * width,
            attention_window=[window] * depth,
            max_position_embeddings=12,
            type_vocab_size=2,
            vocab_size=1,
            pad_token_id=0,
            layer_norm_eps=1e-12,
        ),
        add_pooling_layer=False,
    ).eval()
    renamed = {
        "class_token": None,
        "position.weight": "embeddings.position_embeddings.weight",
        "kind.weight": "embeddings.token_type_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    state = {renamed.get(k, k.replace("layers.", "encoder.layer.")): v for k, v in ours_state(ours)}
    state.pop(None)
    told = model.load_state_dict(state, strict=False)
    assert told.missing_keys == ["embeddings.word_embeddings.weight"]
    assert told.unexpected_keys == []

    def run(frames):
        x = torch.cat([ours.class_token.expand(len(frames), -1, -1), frames], dim=1)
        padding = -x.shape[1] % (2 * window)  # to two windows, with values of -1
        mask = torch.ones(x.shape[:2]).long()
        mask[:, 0] = 2
        mask = torch.nn.functional.pad(mask, (0, padding))
        x = torch.nn.functional.pad(x, (0, 0, 0, padding), value=-1.0)
        kinds = torch.zeros(x.shape[:2]).long()
        kinds[:, 0] = 1
        positions = torch.tensor([10, *ids, *[11] * padding]).expand(len(frames), -1)
        out = model(
            inputs_embeds=x, attention_mask=mask, token_type_ids=kinds, position_ids=positions
        )
        return out.last_hidden_state[:, 0]

    return run


def ours_state(module):
    return module.state_dict().items()


@pytest.mark.parametrize(
    ("frames", "step", "ids"),
    [
        (9, 1, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (7, 1, [0, 1, 2, 3, 4, 5, 6]),  # with the class token two windows: nothing to pad
        (4, 3, [0, 3, 6, 9]),
        (5, 4, [0, 4, 8, 2, 6]),  # modulo the 10 positions of frames
    ],
)
def test_it_is_the_longformer_of_transformers_driven_as_the_authors_do(frames, step, ids):
    model = build(frames, frame_step=step)
    reference = authors_longformer(model.h, SMALL["window"], ids)

    with torch.no_grad():
        vectors = model.f(clip(frames).flatten(0, 1)).unflatten(0, (2, frames))
        wanted = model.head(reference(vectors))
        torch.testing.assert_close(model(clip(frames)), wanted, rtol=1e-5, atol=1e-5)


def tokens_moved(model, change):
    """Tokens that the first layer gives otherwise once `change` has been made to its input."""
    seen = []
    hook = model.h.layers[0].register_forward_hook(lambda _, args, out: seen.append(out[0]))
    tokens = torch.randn(1, model.h.tokens, 64, generator=torch.Generator().manual_seed(1))
    other = tokens.clone()
    other[0, change] += 1
    with torch.no_grad():
        for x in (tokens, other):
            model.h.layers[0](x, is_global_attn=True, **model.h._masks(1, x.device))
    hook.remove()
    return (seen[0] != seen[1]).any(dim=2)[0].nonzero().flatten().tolist()


def test_a_frame_is_seen_by_the_class_token_and_within_half_a_window():
    assert tokens_moved(build(), change=6) == [0, 4, 5, 6, 7, 8]


def test_the_class_token_is_seen_by_every_frame_and_padding_by_none():
    model = build()

    assert (model.h.tokens, model.h.padding) == (12, 2)
    assert tokens_moved(model, change=0)[:10] == list(range(10))
    assert not set(tokens_moved(model, change=11)) & set(range(10))


def test_how_much_is_padded_changes_no_logit():
    windows = [build(frames=4, window=window) for window in (10, 18)]  # all frames see each other
    windows[1].load_state_dict(windows[0].state_dict())

    assert [model.h.padding for model in windows] == [5, 13]
    with torch.no_grad():
        one, other = (model(clip(4)) for model in windows)
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_position_ids_are_the_frames_of_the_video_and_two_of_their_own():
    model = build(frames=4, frame_step=3, positions=10)  # 0, 3, 6, 9 modulo 8

    model(clip(4)).square().sum().backward()

    rows = model.h.position.weight.grad.abs().sum(dim=1)
    assert rows.nonzero().flatten().tolist() == [0, 1, 3, 6, 8]  # 8 the class token; padding none


def test_as_published_it_is_a_vit_three_layers_and_an_mlp():
    config = VTNLongformerConfig(backbone="timm:vit_base_patch16_224", heads=12)
    with torch.device("meta"):
        model = build_model(config, MotionConfig(frames=16, size=224))

    def size(part):
        return sum(p.numel() for p in part.parameters())

    d, norm = 768, 2 * 768
    layer = 7 * (d * d + d) + (4 * d * d + 4 * d) + (4 * d * d + d) + 2 * norm
    assert size(model.f) == 86_567_656 - (768 * 1000 + 1000)  # ViT-B/16 without its classifier
    assert size(model.h) == 3 * layer + (288 + 2 + 1) * d + norm
    assert size(model.head) == norm + (d * d + d) + (d * 10 + 10)
    assert model.h.tokens == 18


def test_a_vit_can_be_its_f():
    config = VTNLongformerConfig(backbone="timm:vit_tiny_patch16_224", heads=3, **SMALL)
    model = build_model(config, MotionConfig(frames=2)).eval()

    assert model(clip(2)).shape == (2, 10)


@pytest.mark.parametrize(
    ("absent", "options", "key", "message"),
    [
        (False, {"heads": 5}, "model.heads", 'must divide the 64 channels of "tiny", got 5'),
        (True, {}, "model.name", r"needs transformers, .*: pip install '\.\[peers\]'"),
    ],
)
def test_what_cannot_be_built_names_the_key(absent, options, key, message, monkeypatch):
    if absent:
        name = "transformers.models.longformer.modeling_longformer"
        monkeypatch.setitem(sys.modules, name, None)  # as an import of what is not there

    with pytest.raises(ConfigError, match=message) as told:
        build_model(VTNLongformerConfig(**options), MotionConfig())

    assert told.value.key == key
    assert "\n" not in told.value.message
