"""Wall time of training a study: run_study.py against a plain script that loops over its cells.

The plain script is what one writes by hand: one process, torch's own number of threads, unfused
AdamW, one cell after another, the same models, clips, batches and epochs. Each side runs as a
command of its own, import of torch included; the harness's time includes planning and its report,
and leaves out the costs, which are measured before. Rounds alternate, first one side first.

    python benchmarks/study.py --epochs 8 --rounds 1
"""

import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from shared import ROOT, machine, options, plan_study, run_command

import torch
from torch.nn.functional import cross_entropy

from vlf.config import RunConfig
from vlf.data import Clips, open_clips
from vlf.data.seeds import derive, rng
from vlf.models import build_model
from vlf.models.pixels import IMAGENET
from vlf.recipe import learning_rate


def main() -> None:
    """Measure and print."""
    parser = options(__doc__, study="ablations/factorization.yaml", epochs=8, rounds=1)
    parser.add_argument("--plain", action="store_true", help="run the plain script alone")
    args = parser.parse_args()
    if args.plain:
        print(json.dumps(train_plainly(args.study, args.epochs)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(args.study, args.epochs, args.rounds, Path(folder))


def compare(study: str, epochs: int, rounds: int, folder: Path) -> None:
    """Run all sides in turn; print times, ratios and accuracy."""
    costs = measure_costs(study, folder / "costs")
    sides: dict[str, Callable[[Path], dict[str, float]]] = {
        "plain loop": lambda to: run_plain(study, epochs),
        "run_study.py": lambda to: run_harness(study, epochs, to),
        "one worker": lambda to: run_harness(study, epochs, to, "--workers", "1"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    top1: dict[str, dict[str, float]] = {}
    for number in range(rounds):
        for name in random.Random(number).sample(list(sides), len(sides)):
            results = folder / f"{number} {name}"
            shutil.copytree(costs, results / "records")
            start = time.perf_counter()
            top1[name] = sides[name](results)
            seconds[name].append(time.perf_counter() - start)
            print(f"round {number + 1}: {name}: {seconds[name][-1]:.1f} s", flush=True)
    plain, ours, alone = (seconds[name] for name in sides)
    share = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    gain = statistics.median(a / b for a, b in zip(alone, ours, strict=True))
    print(machine())
    print(f"run_study.py takes {share:.2f} of the plain loop's time (median of {rounds} rounds)")
    print(f"workers on all cores are {gain:.2f} times as fast as one worker")
    print(f"{'top-1 (%), mean over seeds':30} {'plain loop':>12} {'run_study.py':>12}")
    for cell, value in top1["plain loop"].items():
        print(f"{cell:30} {value:12.1f} {top1['run_study.py'][cell]:12.1f}")


def measure_costs(study: str, results: Path) -> Path:
    """A folder of the study's cost records alone, so that only training is timed."""
    run_harness(study, 1, results, "--only", "seed=0", code=1)  # 1: the other seeds are not run
    records = results / "records"
    for path in records.glob("train-*"):
        path.unlink()
    return records


def run_harness(
    study: str, epochs: int, results: Path, *more: str, code: int = 0
) -> dict[str, float]:
    """The command; mean top-1 of each cell."""
    argv = ["--executor", "process", "--device", "cpu", "--set", f"train.epochs={epochs}", *more]
    run_command("run_study.py", study, "--results", results, *argv, codes=(code,))
    found: dict[str, list[float]] = {}
    plan, store = plan_study(ROOT / study, results, f"train.epochs={epochs}")
    for job in plan.train:
        for record in store.done(job.key):
            (value,) = [m.samples[0] for m in record.measurements if m.metric == "top1"]
            found.setdefault(job.cell.name, []).append(value)
    return {cell: statistics.mean(values) for cell, values in found.items()}


def run_plain(study: str, epochs: int) -> dict[str, float]:
    """The plain script as a command; mean top-1 of each cell."""
    done = run_command(__file__, "--study", study, "--epochs", epochs, "--plain")
    answers: dict[str, float] = json.loads(done.stdout)
    return answers


def train_plainly(study: str, epochs: int) -> dict[str, float]:
    """What a person writes: one cell and seed after another, with torch as it comes."""
    found: dict[str, list[float]] = {}
    plan, _ = plan_study(ROOT / study, ROOT / "nowhere", f"train.epochs={epochs}")
    for job in plan.train:
        config, seed = job.cell.config, job.seed or 0
        found.setdefault(job.cell.name, []).append(train_one(config, seed))
    return {cell: statistics.mean(values) for cell, values in found.items()}


def train_one(config: RunConfig, seed: int) -> float:
    """Train one model; its top-1 on the test clips, in percent.

    The initial weights, the order and the clips are those of run_study.py, so that accuracies can
    be compared seed by seed.
    """
    torch.manual_seed(derive("weights", seed))
    model = build_model(config.model, config.data)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.train.lr, weight_decay=config.train.weight_decay
    )
    train, val, test = (open_clips(config.data, split) for split in ("train", "val", "test"))
    size = config.train.batch_size
    steps = -(-len(train) // size)
    for epoch in range(config.train.epochs):
        model.train()
        order = rng("order", seed, epoch).permutation(len(train))
        for step in range(steps):
            items = order[step * size : (step + 1) * size].tolist()
            clips = torch.stack([train.load(i, rng("clip", seed, epoch, i)) for i in items])
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config.train, epoch * steps + step, steps)
            loss = cross_entropy(model(normalize(clips)), train.labels[items])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.train.clip_norm)
            optimizer.step()
        accuracy(model, val)  # as is usual, and as run_study.py does
    return accuracy(model, test)


def normalize(clips: torch.Tensor) -> torch.Tensor:
    """uint8 to what models take."""
    mean, std = (torch.tensor(value)[:, None, None] * 255 for value in IMAGENET)
    return (clips.float() - mean) / std


@torch.no_grad()
def accuracy(model: torch.nn.Module, clips: Clips) -> float:
    """Top-1 in percent."""
    model.eval()
    right = 0
    for start in range(0, len(clips), 64):
        items = range(start, min(start + 64, len(clips)))
        views = torch.cat([clips.load_views(item) for item in items])
        right += int((model(normalize(views)).argmax(1) == clips.labels[start : items.stop]).sum())
    return 100 * right / len(clips)


if __name__ == "__main__":
    main()
