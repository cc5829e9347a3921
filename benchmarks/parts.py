"""How near to the machine's peak f, g and h of VLF run, in each mode; and TSM beside eager code.

    python benchmarks/parts.py
    python benchmarks/parts.py --threads 2 --rounds 40

VLF with timm's ResNet-18, width 256, one block of g, four of h, 8 heads, clips of 8x224x224, batch
1. Peak: the better of a large convolution and a large matrix product, in the arithmetic of the mode
(bf16 for "bf16", and for "medium" where it computes in bf16). All calls of a part take turns in
random order in each round; shares are medians of the rounds' times.
"""

import copy
from collections.abc import Callable

from shared import build, machine, medians, options, ratio_quartiles, take_turns

import torch
from torch import Tensor, nn

from study.measure.metrics.macs import count_macs
from study.measure.metrics.modes import Prepared, logit_difference, prepare
from study.spec.settings import CostConfig
from vlf.models.tsm import Shift

MODES = ("eager", "channels_last", "medium", "bf16", "compile", "freeze", "onnx")
DATA = {"name": "video_list", "root": "none", "frames": 8, "size": 224, "num_classes": 174}
VLF = {
    "name": "vlf", "backbone": "timm:resnet18", "width": 256, "heads": 8, "spatial_depth": 1,
    "spatiotemporal_depth": 4,
}  # fmt: skip
TSM = {"name": "tsm", "backbone": "timm:resnet50"}


def main() -> None:
    """Measure and print."""
    args = options(__doc__, rounds=20, threads=1).parse_args()
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        print(f"{machine()}, {args.threads} thread(s)\n")
        print("| part | mode | ms | GFLOP/s | share of peak | time / eager | logits differ by |")
        print("|---|---|---:|---:|---:|---:|---:|")
        for name, part, clip, macs in parts():
            report(name, part, clip, macs, args.rounds, args.threads)
        report_tsm(args.rounds, args.threads)


def parts() -> list[tuple[str, nn.Module, Tensor, int]]:
    """f, g and h with what each is given, and its MACs."""
    model = build(VLF, DATA)
    macs, _ = count_macs(model, (1, 8, 3, 224, 224))
    frames = torch.randn(8, 3, 224, 224)
    tokens = model.f(frames).flatten(2).transpose(1, 2)
    clip = model.g(tokens)[None]
    return [
        ("f", model.f, frames, macs["f"]),
        ("g", model.g, tokens, macs["g"]),
        ("h", model.h, clip, macs["h"]),
        ("VLF", model, frames[None], sum(macs.values())),
    ]


def report(name: str, model: nn.Module, clip: Tensor, macs: int, rounds: int, threads: int) -> None:
    """One row a mode; peak is measured in the same rounds."""
    protocol = CostConfig(threads=threads)
    calls: dict[str, Callable[[], object]] = dict(peaks())
    prepared: dict[str, Prepared] = {}
    differences = {}
    for mode in MODES:
        try:
            prepared[mode] = prepare(model, clip, mode, protocol)
            differences[mode] = logit_difference(prepared[mode].run, model, clip)
        except Exception as error:
            print(f"| {name} | {mode} | not measured: {str(error).splitlines()[0][:80]} | | | | |")
            continue
        calls[mode] = lambda run=prepared[mode].run: run(clip)
    turns = take_turns(calls, rounds, untimed=1)
    rates = {key: PEAK_FLOPS[key] / medians(turns[key]).wall_ms * 1e3 for key in PEAK_FLOPS}
    peaks_of = {"fp32": max(rates["convolution"], rates["product"]), "bf16": rates["bf16 product"]}
    for mode, difference in differences.items():
        if why := prepared[mode].why_not():
            print(f"| {name} | {mode} | not measured: {why} | | | | |")
            continue
        median_ms = medians(turns[mode]).wall_ms
        _, ratio, _ = ratio_quartiles(turns[mode], turns["eager"], "wall_ms")
        flops = 2e3 * macs / median_ms
        peak = peaks_of["bf16" if difference > FP32_DIFFERENCE else "fp32"]
        print(
            f"| {name} | {mode} | {median_ms:.2f} | {flops / 1e9:.0f} | {flops / peak:.0%} "
            f"| {ratio:.2f} | {difference:.0e} |",
            flush=True,
        )
    for arithmetic, rate in peaks_of.items():
        print(f"| {name} | peak in {arithmetic} | | {rate / 1e9:.0f} | | | |", flush=True)


FP32_DIFFERENCE = 1e-5  # of logits, relative to the largest; more is another arithmetic
PEAK_FLOPS = {
    "convolution": 2 * 8 * 28 * 28 * 256 * 256 * 9,
    "product": 2 * 1024**3,
    "bf16 product": 2 * 1024**3,
}


def peaks() -> dict[str, Callable[[], object]]:
    """Calls that keep the arithmetic units busy, by the names of `PEAK_FLOPS`."""
    x = torch.randn(8, 256, 28, 28).contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(256, 256, 3, padding=1).to(memory_format=torch.channels_last)
    square = torch.randn(1024, 1024)
    short = square.to(torch.bfloat16)
    return {
        "convolution": lambda: conv(x),
        "product": lambda: square @ square,
        "bf16 product": lambda: short @ short,
    }


class EagerShift(nn.Module):
    """The shift as frameworks for action recognition write it: split, pad with zeros, join."""

    def __init__(self, frames: int, fold: int) -> None:
        super().__init__()
        self.frames, self.fold = frames, fold

    def forward(self, x: Tensor) -> Tensor:
        """(B*T, C, H, W) -> (B*T, C, H, W)."""
        clips = x.view(-1, self.frames, *x.shape[1:])
        left, right = clips[:, :, : self.fold], clips[:, :, self.fold : 2 * self.fold]
        blank = torch.zeros_like(left[:, :1])
        left = torch.cat([left[:, 1:], blank], dim=1)
        right = torch.cat([blank, right[:, :-1]], dim=1)
        return torch.cat([left, right, clips[:, :, 2 * self.fold :]], dim=2).view_as(x)


def report_tsm(rounds: int, threads: int) -> None:
    """Ours in each mode against eager code with `EagerShift`, at the same weights."""
    model = build(TSM, DATA)
    peer = copy.deepcopy(model)
    for parent in list(peer.modules()):
        for key, child in list(parent.named_children()):
            if isinstance(child, Shift):
                setattr(parent, key, EagerShift(child.frames, child.fold))
    clip = torch.randn(1, 8, 3, 224, 224)
    assert torch.equal(model(clip), peer(clip))
    calls: dict[str, Callable[[], object]] = {"peer": lambda: peer(clip)}
    protocol = CostConfig(threads=threads)
    prepared: dict[str, Prepared] = {}
    for mode in ("eager", "channels_last", "freeze"):
        prepared[mode] = prepare(model, clip, mode, protocol)
        calls[mode] = lambda run=prepared[mode].run: run(clip)
    turns = take_turns(calls, rounds, untimed=1)
    assert not any(one.why_not() for one in prepared.values())
    print("\nTSM, ResNet-50, 8x224: time over that of eager code with split, zeros and cat")
    for mode in ("eager", "channels_last", "freeze"):
        print(f"  {mode:14} {ratio_quartiles(turns[mode], turns['peer'], 'wall_ms')[1]:.2f}")


if __name__ == "__main__":
    main()
