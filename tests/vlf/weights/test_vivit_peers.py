import pytest
import torch
from peers import clips_of, logits, random_clip, randomise, save, transformers_vivit
from torch import nn

from vlf.config import ConfigError, ViViTConfig
from vlf.models import build_model

JOINT = {
    "width": 24,
    "heads": 3,
    "patch": 8,
    "encoder": "joint",
    "depth": 2,
    "activation": "gelu_tanh",
}


def save_state(peer, folder):
    assert "vivit.layers.0.attention.q_proj.weight" in peer.state_dict()
    torch.save(peer.state_dict(), folder / "vivit.pt")
    return str(folder / "vivit.pt")


@pytest.mark.parametrize("store", [save, save_state])
def test_the_joint_encoder_is_that_of_transformers_with_every_parameter_moved(store, tmp_path):
    peer = randomise(transformers_vivit())
    model = build_model(ViViTConfig(**JOINT, weights=store(peer, tmp_path)), clips_of())
    clip = random_clip(4, 32)

    with torch.no_grad():
        wanted = peer(clip).logits

    assert wanted.std() > 0.1
    torch.testing.assert_close(logits(model, clip), wanted, rtol=0, atol=1e-5)


def test_the_exact_gelu_is_another_model(tmp_path):
    peer = randomise(transformers_vivit())
    torch.save(peer.state_dict(), tmp_path / "vivit.pt")
    options = {**JOINT, "activation": "gelu", "weights": str(tmp_path / "vivit.pt")}
    clip = random_clip(4, 32)

    with torch.no_grad():
        difference = (
            build_model(ViViTConfig(**options), clips_of())(clip) - peer(clip).logits
        ).abs()

    assert difference.max() > 1e-5


@pytest.mark.parametrize("size", [16, 40])
def test_another_frame_size_is_bicubic_as_in_transformers(size, tmp_path):
    # Its interpolation takes all positions for those of one frame, so one time index compares.
    peer = randomise(transformers_vivit(frames=2))
    model = build_model(ViViTConfig(**JOINT, weights=save(peer, tmp_path)), clips_of(2, size))
    clip = random_clip(2, size)

    with torch.no_grad():
        embeddings = peer.vivit.embeddings
        patches = embeddings.patch_embeddings(clip)
        tokens = torch.cat([embeddings.cls_token.expand(2, -1, -1), patches], dim=1)
        embeddings.patch_embeddings.num_patches = -1  # else a square frame is never interpolated
        tokens = tokens + embeddings.interpolate_pos_encoding(tokens, size, size)
        for layer in peer.vivit.layers:
            tokens = layer(tokens)
        wanted = peer.classifier(peer.vivit.layernorm(tokens)[:, 0])

    torch.testing.assert_close(logits(model, clip), wanted, rtol=0, atol=1e-5)


def test_times_and_places_are_interpolated_apart(tmp_path):
    peer = transformers_vivit()  # 2 times of 4 x 4 places
    with torch.no_grad():
        grid = torch.stack([torch.full((16, 24), 0.0), torch.full((16, 24), 8.0)])
        peer.vivit.embeddings.position_embeddings[0, 1:] = grid.flatten(0, 1)
        peer.vivit.embeddings.position_embeddings[0, 0] = -1.0
    weights = save(peer, tmp_path)

    model = build_model(ViViTConfig(**JOINT, weights=weights), clips_of(frames=8, size=48))

    position = model.h.position
    times = position[1:].view(4, 36, 24)  # linear between the middles of the old times
    assert position[0].eq(-1).all()
    for time, value in zip(times, (0.0, 2.0, 6.0, 8.0), strict=True):
        torch.testing.assert_close(time, torch.full_like(time, value))


def test_positions_that_could_be_arranged_in_two_ways_need_a_described_folder(tmp_path):
    peer = transformers_vivit(frames=8)  # 4 times of 4 x 4; or 1 time of 8 x 8
    torch.save(peer.state_dict(), tmp_path / "bare.pt")

    with pytest.raises(ConfigError, match=r"1 times of 64 or 4 times of 16, .* config\.json"):
        build_model(ViViTConfig(**JOINT, weights=str(tmp_path / "bare.pt")), clips_of(frames=2))
    model = build_model(ViViTConfig(**JOINT, weights=save(peer, tmp_path)), clips_of(frames=2))

    stored = peer.vivit.embeddings.position_embeddings[0, 1:].view(4, 16, 24)
    torch.testing.assert_close(model.h.position[1:], (stored[1] + stored[2]) / 2)


def vit_pytorch_twin(model, config, data):
    """vit-pytorch's factorised encoder with our weights, and what differs taken out of it."""
    from vit_pytorch.vivit import ViViT

    peer = ViViT(
        image_size=data.size,
        image_patch_size=config.patch,
        frames=data.frames,
        frame_patch_size=config.tubelet_frames,
        num_classes=data.classes,
        dim=config.width,
        spatial_depth=config.spatial_depth,
        temporal_depth=config.temporal_depth,
        heads=config.heads,
        dim_head=config.width // config.heads,
        mlp_dim=int(config.width * config.mlp_ratio),
        use_flash_attn=False,
    )
    rearrange, _, linear, _ = peer.to_patch_embedding
    peer.to_patch_embedding = nn.Sequential(rearrange, linear)  # its two norms of the embedding
    for module in peer.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6  # 1e-5
    # Its values of a tubelet are ordered time, row, column, channel.
    linear.weight.data = model.f.weight.data.permute(0, 2, 3, 4, 1).flatten(1)
    linear.bias.data = model.f.bias.data
    g, h = model.g, model.h
    # It has a position for each tubelet in space and time, and none on class tokens.
    peer.pos_embedding.data = g.position.data[1:].expand_as(peer.pos_embedding).clone()
    peer.spatial_cls_token.data = g.class_token.data + g.position.data[0]
    peer.temporal_cls_token.data = h.class_token.data + h.position.data[0]
    for ours, theirs in ((g, peer.spatial_transformer), (h, peer.temporal_transformer)):
        theirs.norm.load_state_dict(ours.norm.state_dict())
        for block, (attention, feed_forward) in zip(ours.blocks, theirs.layers, strict=True):
            attention.norm.load_state_dict(block.attention_norm.state_dict())
            attention.to_qkv.weight.data = block.attention.qkv.weight.data  # it has no bias
            attention.to_out[0].load_state_dict(block.attention.out.state_dict())
            feed_forward.net[0].load_state_dict(block.mlp_norm.state_dict())
            feed_forward.net[1].load_state_dict(block.mlp[0].state_dict())
            feed_forward.net[4].load_state_dict(block.mlp[3].state_dict())
    peer.mlp_head.load_state_dict(model.head[1].state_dict())
    return peer.eval()


def test_the_factorised_encoder_is_vit_pytorchs_where_the_two_compute_the_same():
    config = ViViTConfig(width=24, heads=3, patch=8, spatial_depth=2, temporal_depth=2)
    data = clips_of()
    model = randomise(build_model(config, data))
    with torch.no_grad():
        model.h.position[1:] = 0  # it has no positions in its temporal encoder
        for block in (*model.g.blocks, *model.h.blocks):
            block.attention.qkv.bias.zero_()
    clip = random_clip(4, 32)
    peer = vit_pytorch_twin(model, config, data)

    with torch.no_grad():
        wanted = peer(clip.transpose(1, 2))

    assert wanted.std() > 0.1
    torch.testing.assert_close(logits(model, clip), wanted, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_published_joint_encoder_agrees_with_transformers(tmp_path):
    full = {
        "tubelet_size": (2, 16, 16),
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    }
    shape = {"frames": 32, "size": 224, "classes": 400}
    peer = randomise(transformers_vivit(**shape, **full), scale=0.02)
    base = {"width": 768, "heads": 12, "patch": 16, "depth": 12, "mlp_ratio": 4.0}
    config = ViViTConfig(**{**JOINT, **base}, weights=save(peer, tmp_path))
    clip = random_clip(32, 224, batch=1)

    with torch.no_grad():
        wanted = peer(clip).logits
    difference = (logits(build_model(config, clips_of(**shape)), clip) - wanted).abs().max().item()

    print(f"largest difference {difference:.2g}, logits' deviation {wanted.std():.2g}")
    assert difference < 1e-5
