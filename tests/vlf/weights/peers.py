"""The models of transformers that ours are compared with, small, and with no value left at zero."""

import os

import torch

from vlf.config import VideoListConfig

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

TIMESFORMER = {"divided": "divided_space_time", "joint": "joint_space_time", "space": "space_only"}


def randomise(model, scale=0.2, seed=0):
    """Move every parameter away from where it starts; published zeros hide nothing then."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    assert all(parameter.count_nonzero() > 0 for parameter in model.parameters())
    return model.eval()


def transformers_timesformer(attention, *, frames=4, size=32, classes=7, **options):
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    small = {
        "patch_size": 8,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 48,
    }
    config = TimesformerConfig(
        image_size=size,
        num_frames=frames,
        num_labels=classes,
        attention_type=TIMESFORMER[attention],
        **{**small, **options},
    )
    return TimesformerForVideoClassification(config)


def transformers_vivit(*, frames=4, size=32, classes=7, **options):
    from transformers import VivitConfig, VivitForVideoClassification

    small = {
        "tubelet_size": (2, 8, 8),
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 48,
    }
    config = VivitConfig(
        image_size=size, num_frames=frames, num_labels=classes, **{**small, **options}
    )
    return VivitForVideoClassification(config)


def timesformer_logits(peer, clip, attention):
    """(B, T, 3, S, S) -> (B, K).

    transformers has no answer for a clip with space-only attention: it gives logits for each frame.
    The authors' code averages the frames' tokens before the last norm; so here, with its modules.
    """
    with torch.no_grad():
        if attention != "space":
            return peer(clip).logits
        tokens = peer.timesformer.encoder(peer.timesformer.embeddings(clip)).last_hidden_state
        mean = tokens.unflatten(0, clip.shape[:2]).mean(dim=1)
        return peer.classifier(peer.timesformer.layernorm(mean)[:, 0])


def save(peer, folder):
    """As transformers saves a model; its path."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    peer.save_pretrained(folder)
    return str(folder)


def random_clip(frames, size, batch=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, frames, 3, size, size, generator=generator)


def clips_of(frames=4, size=32, classes=7):
    return VideoListConfig(root="videos", frames=frames, size=size, num_classes=classes)


def logits(model, clip):
    with torch.no_grad():
        return model.eval()(clip)
