"""Our models beside those of other libraries, at the same weights: ratios of time, ours to theirs.

    python benchmarks/models.py                  # small and medium sizes, one thread: minutes
    python benchmarks/models.py --full           # published sizes, too
    python benchmarks/models.py --only timesformer --rounds 40

In each round both sides of a pair take one turn, in random order, and a turn is an untimed and a
timed call. The ratio of a round is made of its two turns, so that what slows the machine for a
while slows both; the table shows the median of the rounds' ratios with its quartiles. Before
anything is timed the logits of a pair are compared.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from shared import machine, medians, options, ratio_quartiles, take_turns

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlf.config import ModelConfig, TimeSformerConfig, VideoListConfig, ViViTConfig
from vlf.models import build_model
from vlf.models.peers.transformers import Answer
from vlf.weights import converters

os.environ.setdefault("HF_HUB_OFFLINE", "1")
CLASSES = 10
TOLERANCE = 1e-4  # of logits; the differential tests hold them to 1e-5


@dataclass(frozen=True)
class Size:
    """One size of a model: square frames, square patches, an MLP of `ratio` times the width."""

    frames: int
    side: int
    patch: int
    width: int
    depth: int
    heads: int
    ratio: float
    batch: int


SIZES = {
    "small": Size(8, 32, 8, 64, 2, 4, 2.0, 8),  # of the embedded study
    "medium": Size(8, 112, 16, 384, 6, 6, 4.0, 1),
    "full": Size(8, 224, 16, 768, 12, 12, 4.0, 1),
}


@dataclass(frozen=True)
class Pair:
    """Ours and theirs with the same weights, and the clip they take."""

    ours: nn.Module
    theirs: nn.Module
    clip: Tensor


def timesformer(attention: Literal["divided", "joint"], size: Size) -> Pair:
    """Beside transformers' `TimesformerForVideoClassification`."""
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    kinds = {"divided": "divided_space_time", "joint": "joint_space_time"}
    kind = {"patch_size": size.patch, "attention_type": kinds[attention]}
    config = TimesformerConfig(**kind, **_widths(size))
    ours = TimeSformerConfig(attention=attention, depth=size.depth, **_shape(size))
    return _pair(ours, size, TimesformerForVideoClassification(config))


def vivit(size: Size) -> Pair:
    """Beside transformers' `VivitForVideoClassification`: the joint encoder."""
    from transformers import VivitConfig, VivitForVideoClassification

    config = VivitConfig(tubelet_size=(2, size.patch, size.patch), **_widths(size))
    ours = ViViTConfig(encoder="joint", depth=size.depth, activation="gelu_tanh", **_shape(size))
    return _pair(ours, size, VivitForVideoClassification(config))


PAIRS: dict[str, Callable[[Size], Pair]] = {
    "timesformer divided": lambda size: timesformer("divided", size),
    "timesformer joint": lambda size: timesformer("joint", size),
    "vivit joint": vivit,
}


def _shape(size: Size) -> dict[str, Any]:
    names = {"patch": "patch", "width": "width", "heads": "heads", "mlp_ratio": "ratio"}
    return {ours: getattr(size, name) for ours, name in names.items()}


def _widths(size: Size) -> dict[str, Any]:
    return {
        "image_size": size.side,
        "num_frames": size.frames,
        "num_labels": CLASSES,
        "hidden_size": size.width,
        "num_hidden_layers": size.depth,
        "num_attention_heads": size.heads,
        "intermediate_size": int(size.width * size.ratio),
    }


def _pair(config: ModelConfig, size: Size, peer: nn.Module) -> Pair:
    data = VideoListConfig(root="none", frames=size.frames, size=size.side, num_classes=CLASSES)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in peer.parameters():  # published zeros would hide a difference
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    ours = build_model(config, data)
    state = converters(config.name)[0](peer.state_dict())
    assert state is not None
    ours.load_state_dict(state)
    shape = (size.batch, size.frames, 3, size.side, size.side)
    return Pair(ours, Answer(peer), torch.randn(shape, generator=generator))


def forward(model: nn.Module, clip: Tensor) -> Callable[[], object]:
    """A forward pass for inference."""
    model.eval()

    def call() -> object:
        with torch.inference_mode():
            return model(clip)

    return call


def training_step(model: nn.Module, clip: Tensor) -> Callable[[], object]:
    """Forward, backward and a step of AdamW, as the training loop takes it."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
    labels = torch.arange(len(clip)) % CLASSES

    def call() -> object:
        loss = F.cross_entropy(model(clip), labels)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        return optimizer.step()

    return call


WORK = {"forward": forward, "training step": training_step}


def difference(pair: Pair) -> float:
    """Largest difference of logits.

    Raises:
        AssertionError: If it is not rounding: then their times do not compare.
    """
    ours, theirs = forward(pair.ours, pair.clip)(), forward(pair.theirs, pair.clip)()
    assert isinstance(ours, Tensor)
    assert isinstance(theirs, Tensor)
    largest = (ours - theirs).abs().max().item()
    assert largest < TOLERANCE, f"logits differ by {largest}"
    return largest


def measure_peak(rounds: int = 5) -> float:
    """GFLOP/s of a large convolution, which goes through the CPU's fastest code; best of rounds."""
    x = torch.randn(8, 256, 28, 28).contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(256, 256, 3, padding=1).to(memory_format=torch.channels_last)
    flops = 2 * 8 * 28 * 28 * 256 * 256 * 9
    with torch.inference_mode():
        turns = take_turns({"": lambda: conv(x)}, rounds, untimed=1)[""]
    return flops / min(turn.wall_ms for turn in turns) / 1e6


def report(name: str, size_name: str, rounds: int) -> None:
    """Print the rows of one pair at one size."""
    pair = PAIRS[name](SIZES[size_name])
    largest = difference(pair)
    for work, prepare in WORK.items():
        calls = {side: prepare(getattr(pair, side), pair.clip) for side in ("ours", "theirs")}
        turns = take_turns(calls, rounds, untimed=1)
        low, middle, high = ratio_quartiles(turns["ours"], turns["theirs"], "wall_ms")
        ours_ms, theirs_ms = (medians(turns[side]).wall_ms for side in calls)
        print(
            f"| {name} | {size_name} | {work} | {ours_ms:.2f} | {theirs_ms:.2f} | {middle:.2f} "
            f"| {low:.2f} to {high:.2f} | {largest:.0e} |",
            flush=True,
        )


def main(argv: list[str] | None = None) -> int:
    """Print one Markdown table; 0, or 2 for a wrong option."""
    parser = options(__doc__, only=("", "pairs whose name holds this"), rounds=20, threads=1)
    parser.add_argument("--full", action="store_true", help="published sizes, too; 10 GB")
    args = parser.parse_args(argv)
    names = [name for name in PAIRS if args.only in name]
    if not names:
        parser.error(f'--only: no pair holds "{args.only}" (allowed: {", ".join(PAIRS)})')
    torch.set_num_threads(args.threads)
    how = f"{torch.backends.cpu.get_cpu_capability()}, {args.threads} thread(s)"
    print(f"{machine()}, {how}; peak (3x3 convolution) {measure_peak():.0f} GFLOP/s\n")
    print("| pair | size | work | ours, ms | theirs, ms | ratio | quartiles | difference |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        for size in ("small", "medium", *(["full"] if args.full else [])):
            report(name, size, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
