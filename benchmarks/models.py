"""Our models beside those of other libraries, at the same weights: ratios of time, ours to theirs.

    python benchmarks/models.py                  # small and medium sizes, one thread: minutes
    python benchmarks/models.py --full           # published sizes, too
    python benchmarks/models.py --only timesformer --rounds 40

In each round both sides of a pair take one turn, in random order, and a turn is an untimed and a
timed call. The ratio of a round is made of its two turns, so that what slows the machine for a
while slows both; the table shows the median of the rounds' ratios with its quartiles. Before
anything is timed the logits of a pair are compared.
"""

import argparse
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads slow a busy machine
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlf.config import ModelConfig, TimeSformerConfig, VideoListConfig, ViViTConfig
from vlf.models import build_model
from vlf.weights import converters

CLASSES = 10
ROUNDS = 20
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
    config = TimesformerConfig(
        image_size=size.side,
        patch_size=size.patch,
        num_frames=size.frames,
        attention_type=kinds[attention],
        **_widths(size),
    )
    ours = TimeSformerConfig(attention=attention, depth=size.depth, **_shape(size))
    return _pair(ours, size, TimesformerForVideoClassification(config))


def vivit(size: Size) -> Pair:
    """Beside transformers' `VivitForVideoClassification`: the joint encoder."""
    from transformers import VivitConfig, VivitForVideoClassification

    config = VivitConfig(
        image_size=size.side,
        num_frames=size.frames,
        tubelet_size=(2, size.patch, size.patch),
        **_widths(size),
    )
    ours = ViViTConfig(encoder="joint", depth=size.depth, activation="gelu_tanh", **_shape(size))
    return _pair(ours, size, VivitForVideoClassification(config))


PAIRS: dict[str, Callable[[Size], Pair]] = {
    "timesformer divided": lambda size: timesformer("divided", size),
    "timesformer joint": lambda size: timesformer("joint", size),
    "vivit joint": vivit,
}


def _shape(size: Size) -> dict[str, Any]:
    return {
        "patch": size.patch,
        "width": size.width,
        "heads": size.heads,
        "mlp_ratio": size.ratio,
    }


def _widths(size: Size) -> dict[str, Any]:
    return {
        "num_labels": CLASSES,
        "hidden_size": size.width,
        "num_hidden_layers": size.depth,
        "num_attention_heads": size.heads,
        "intermediate_size": int(size.width * size.ratio),
    }


class Logits(nn.Module):
    """transformers' models, called as ours: (B, T, 3, H, W) -> (B, K)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, clip: Tensor) -> Tensor:
        """(B, T, 3, H, W) -> (B, K)."""
        logits: Tensor = self.net(clip).logits
        return logits


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
    return Pair(ours, Logits(peer), torch.randn(shape, generator=generator))


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


def compare(calls: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Milliseconds of each call in each round; a round is a turn of each, in random order."""
    order = random.Random(0)
    found: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for index in order.sample(range(len(calls)), len(calls)):
            calls[index]()  # the caches hold this model, not the one before it
            start = perf_counter()
            calls[index]()
            found[index].append((perf_counter() - start) * 1e3)
    return found


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
        (times,) = compare([lambda: conv(x)], rounds)
    return flops / min(times) / 1e6


def report(name: str, size_name: str, rounds: int) -> None:
    """Print the rows of one pair at one size."""
    pair = PAIRS[name](SIZES[size_name])
    largest = difference(pair)
    for work, prepare in WORK.items():
        calls = [prepare(model, pair.clip) for model in (pair.ours, pair.theirs)]
        ours, theirs = compare(calls, rounds)
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"| {name} | {size_name} | {work} | {statistics.median(ours):.2f} "
            f"| {statistics.median(theirs):.2f} | {middle:.2f} | {low:.2f} to {high:.2f} "
            f"| {largest:.0e} |",
            flush=True,
        )


def main(argv: list[str] | None = None) -> int:
    """Print one Markdown table; 0, or 2 for a wrong option."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="pairs whose name holds this")
    parser.add_argument(
        "--full", action="store_true", help="published sizes, too; many minutes, 10 GB"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    args = parser.parse_args(argv)
    names = [name for name in PAIRS if args.only in name]
    if not names:
        parser.error(f'--only: no pair holds "{args.only}" (allowed: {", ".join(PAIRS)})')
    torch.set_num_threads(args.threads)
    print(
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, "
        f"{platform.machine()}, {args.threads} thread(s), load {os.getloadavg()[0]:.1f}; "
        f"peak (3x3 convolution) {measure_peak():.0f} GFLOP/s\n"
    )
    print("| pair | size | work | ours, ms | theirs, ms | ratio | quartiles | difference |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        for size in ("small", "medium", *(["full"] if args.full else [])):
            report(name, size, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
