"""Our models against their authors' own code, which is run from checkouts that you give.

    VLF_AUTHORS=/path pytest -q -s tests/authors

The folder holds clones named TimeSformer, temporal-shift-module, mmaction2, SlowFast (bomri's fork)
and training_extensions, and `site`, packages that they import (mmengine, "mmcv-lite<2.2", einops,
iopath, ...: `pip install --target`). Each model is saved as its authors save it with all values at
random, loaded through `model.weights`, and compared in logits and in gradients with 64 bits.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from build_theirs import MODELS, K, T

from vlf.config import (
    TimeSformerConfig,
    TSMConfig,
    TSNConfig,
    VideoListConfig,
    VTNConfig,
    VTNLongformerConfig,
)
from vlf.models import build_model
from vlf.weights import converters

FOLDER = os.environ.get("VLF_AUTHORS")
HALF = {"mean": (0.45, 0.45, 0.45), "std": (0.225, 0.225, 0.225)}  # in the config of the file
PATCHES = {"patch": 8, "width": 48, "heads": 3, "depth": 3, "mlp_ratio": 4.0, **HALF}
RESNET, MOBILE = {"backbone": "timm:resnet50"}, {"backbone": "timm:mobilenetv2_100"}
LONGFORMER = {"backbone": "timm:vit_tiny_patch16_224", "heads": 3, "frame_step": 8, **HALF}
VTN = {"backbone": "timm:resnet34", "heads": 8, "depth": 3}
OURS = {
    "timesformer-divided_space_time": TimeSformerConfig(attention="divided", **PATCHES),
    "timesformer-joint_space_time": TimeSformerConfig(attention="joint", **PATCHES),
    "timesformer-space_only": TimeSformerConfig(attention="space", **PATCHES),
    "tsn-resnet50": TSNConfig(**RESNET),
    "tsm-resnet50": TSMConfig(**RESNET),
    "tsn-mobilenetv2": TSNConfig(**MOBILE),
    "tsm-mobilenetv2": TSMConfig(**MOBILE),
    "mmaction2-tsn-ResNet": TSNConfig(**RESNET),
    "mmaction2-tsm-ResNet": TSMConfig(**RESNET),
    "mmaction2-tsn-MobileNetV2": TSNConfig(**MOBILE),
    "mmaction2-tsm-MobileNetV2": TSMConfig(**MOBILE),
    "neimark": VTNLongformerConfig(**LONGFORMER),
    "kozlov": VTNConfig(width=512, **VTN),
    "kozlov-narrow": VTNConfig(width=64, **VTN),
}


def run_theirs(name, out):
    """What their code computes and saves, in a process of its own; skipped without a checkout."""
    if FOLDER is None:
        pytest.skip("VLF_AUTHORS names no folder of checkouts")
    checkout = Path(FOLDER) / MODELS[name][0]
    if not checkout.is_dir():
        pytest.skip(f"no checkout {checkout}")
    script = Path(__file__).with_name("build_theirs.py")
    paths = os.pathsep.join([str(Path(FOLDER) / "site"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(script), name, str(checkout), str(out)]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    return torch.load(out / "theirs.pt"), commit.stdout.strip() or "no commit"


def largest(ours, theirs):
    """The largest difference of two lists of tensors, as a share of the largest value."""
    difference = max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True))
    return difference / max(tensor.abs().max().item() for tensor in theirs)


@pytest.mark.parametrize("name", OURS)
def test_a_file_of_the_authors_gives_the_logits_and_gradients_of_their_code(name, tmp_path):
    theirs, commit = run_theirs(name, tmp_path)
    config = OURS[name].model_copy(update={"weights": theirs["path"]})
    clip = theirs["clip"].requires_grad_()
    data = VideoListConfig(root="videos", frames=T, size=clip.shape[-1], num_classes=K)

    model = build_model(config, data).eval().double()
    logits = model(clip)
    weights = torch.linspace(-1, 1, logits.numel()).view_as(logits)
    (logits * weights).sum().backward()
    logits = logits.detach()
    grads = {key: parameter.grad for key, parameter in model.named_parameters()}
    (theirs_grads,) = [
        found for convert in converters(config.name) if (found := convert(theirs["grads"]))
    ]

    shared = [key for key in theirs_grads if key in grads and grads[key] is not None]
    assert len(shared) > 0.9 * len(grads)
    in_logits = largest([logits], [theirs["logits"]])
    in_clip = largest([clip.grad], [theirs["clip_grad"]])
    in_grads = largest(
        [grads[key] for key in shared],
        [theirs_grads[key].reshape(grads[key].shape) for key in shared],
    )
    print(
        f"\n{name} at {commit}: largest difference as a share of the largest value: "
        f"logits {in_logits:.1e}, gradients {in_grads:.1e}, gradient of the clip {in_clip:.1e}"
    )
    assert theirs["logits"].std() > 0.02
    assert max(in_logits, in_grads, in_clip) < 1e-10  # of 64 bits
