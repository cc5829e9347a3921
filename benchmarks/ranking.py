"""Does timing side by side pay? Latency ratios on a machine whose load changes, two ways.

    python benchmarks/ranking.py                  # 30 repetitions
    python benchmarks/ranking.py --repetitions 5

Six models. Ours: rounds in which each has its turn, in a new random order; the ratio to the first
is the median of the ratios within rounds. The usual way, that of the scripts of timm and mmaction2:
one model after another, the mean of its calls after 10 warm-ups; as many calls as ours makes. The
truth: a long run of rounds on the quiet machine, before and after. The load is this script's own:
processes that compute and sleep in turn, for random times, and end with it.
"""

import multiprocessing
import os
import random
import statistics
import sys
import time

from shared import build, machine, options

import torch

from analysis.stats.estimates import median_ratio
from study.measure.metrics.latency import measure_latency
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

WARMUP = 10
MODELS = {  # of ablations/factorization.yaml, less ViViT-like, which ties with VTN-like
    "VLF": {"name": "vlf"},
    "no g": {"name": "vlf", "spatial_depth": 0},
    "VTN-like": {"name": "vlf", "spatial_depth": 0, "pool": "frame"},
    "TimeSformer-like": {"name": "timesformer", "patch": 8, "width": 64, "heads": 4, "depth": 2},
    "TSN": {"name": "tsn"},
    "TSM": {"name": "tsm"},
}

Ratios = dict[str, float]


def main() -> None:
    """Measure and print."""
    args = options(
        __doc__,
        repetitions=30,
        rounds=40,
        size=(32, "pixels a side, of 8 frames"),
        truth=(400, "rounds of the quiet runs"),
        neighbours=(3, "processes of the load"),
    ).parse_args()
    torch.set_num_threads(1)
    clip = torch.randn(1, 8, 3, args.size, args.size)
    data = {"name": "motion", "frames": 8, "size": args.size}
    subjects = [Subject(name, build(model, data), clip) for name, model in MODELS.items()]
    print(machine(), flush=True)
    before = side_by_side(subjects, args.truth)
    found: dict[str, list[Ratios]] = {"side by side": [], "one after another": []}
    stop = multiprocessing.Event()
    load = [
        multiprocessing.Process(target=disturb, args=(seed, stop))
        for seed in range(args.neighbours)
    ]
    for process in load:
        process.start()
    try:
        for number in range(args.repetitions):
            for way in random.Random(number).sample(list(found), 2):
                measure = side_by_side if way == "side by side" else one_after_another
                found[way].append(measure(subjects, args.rounds))
            print(f"repetition {number + 1} of {args.repetitions}", file=sys.stderr, flush=True)
    finally:
        stop.set()
        for process in load:
            process.join()
    after = side_by_side(subjects, args.truth)
    report(before, after, found)


def side_by_side(subjects: list[Subject], rounds: int) -> Ratios:
    """Our way: `study.measure.metrics.latency`, and the ratio of `analysis.stats.estimates`."""
    protocol = CostConfig(batch_sizes=[1], rounds=rounds, budget_s=1e6)
    readings = measure_latency(subjects, protocol, Watch())
    rounds_of = {
        name: dict(zip(one.rounds, one.samples, strict=True))
        for name, reading in readings.items()
        for one in reading.measurements
    }
    first = rounds_of[subjects[0].name]
    return {name: median_ratio(own, first).value for name, own in rounds_of.items()}


@torch.inference_mode()
def one_after_another(subjects: list[Subject], rounds: int) -> Ratios:
    """The usual way, with more calls than `side_by_side` makes: three a round, and the warm-up."""
    means = {}
    for subject in subjects:
        for _ in range(WARMUP):
            subject.model(subject.clip)
        samples = []
        for _ in range(3 * rounds):
            start = time.perf_counter()
            subject.model(subject.clip)
            samples.append(time.perf_counter() - start)
        means[subject.name] = statistics.fmean(samples)
    first = means[subjects[0].name]
    return {name: mean / first for name, mean in means.items()}


def disturb(seed: int, stop: "multiprocessing.synchronize.Event") -> None:
    """Compute and sleep in turn, for random times around a second."""
    torch.set_num_threads(1)
    rng, square = random.Random(seed), torch.randn(384, 384)
    parent = os.getppid()
    while not stop.is_set() and os.getppid() == parent:
        until = time.monotonic() + rng.expovariate(1.0)
        while time.monotonic() < until and not stop.is_set():
            square @ square
        stop.wait(rng.expovariate(1.0))


def report(before: Ratios, after: Ratios, found: dict[str, list[Ratios]]) -> None:
    """Errors of the ratios, and how often the ranking was right."""
    truth = {name: (before[name] + after[name]) / 2 for name in before}
    drift = max(abs(after[name] / before[name] - 1) for name in before)
    ranking = sorted(truth, key=truth.__getitem__)
    print(f"truth, ratios to {next(iter(truth))} (the two quiet runs differ by up to {drift:.1%}):")
    print("  " + ", ".join(f"{name} {truth[name]:.3f}" for name in ranking))
    print(f"{'':20} {'median error':>12} {'largest':>9} {'right ranking':>15}")
    for way, repetitions in found.items():
        errors = [
            abs(ratios[name] / truth[name] - 1)
            for ratios in repetitions
            for name in list(truth)[1:]
        ]
        right = sum(sorted(ratios, key=ratios.__getitem__) == ranking for ratios in repetitions)
        print(
            f"{way:20} {statistics.median(errors):12.1%} {max(errors):9.1%} "
            f"{right:>8} of {len(repetitions)}"
        )


if __name__ == "__main__":
    main()
