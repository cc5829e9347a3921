"""Are the intervals of timings honest? Coverage by simulation, and the same model against itself.

    python benchmarks/calibration.py
    python benchmarks/calibration.py --repetitions 200 --rounds 40

First: how often the 95 % interval of a median holds the truth, over known distributions whose
rounds are independent or correlated. Second: one model twice in one timing run, again and again:
how often the interval of its ratio to itself holds 1.
"""

import math
import statistics as plain
from collections.abc import Callable

from shared import build, machine, options

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom, norm, t

from analysis.stats.estimates import median_interval, median_ratio
from study.measure.metrics.latency import measure_latency
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

Floats = NDArray[np.float64]
SLOW = 0.2  # share of rounds that a neighbour disturbs, in the mixture

DISTRIBUTIONS: dict[str, Callable[[Floats], Floats]] = {  # of a standard normal value
    "normal": lambda z: 10 + z,
    "lognormal": np.exp,
    "heavy tails (t, 2 degrees)": lambda z: t.ppf(norm.cdf(z), 2),
    "a fifth of rounds 1.5 times": lambda z: np.where(
        z < norm.ppf(1 - SLOW), 1 + 0.01 * z, 1.5 + 0.05 * z
    ),
}


def main() -> None:
    """Simulate, measure, print."""
    counts = {"repetitions": (200, "of A/A"), "rounds": (40, "of A/A")}
    args = options(__doc__, simulations=4000, **counts).parse_args()
    print_coverage(args.simulations)
    print_same_against_itself(args.repetitions, args.rounds)


def print_coverage(simulations: int) -> None:
    """Coverage and width for each distribution, correlation and number of rounds."""
    print(f"coverage of the 95 % interval of a median, {simulations} simulations each;")
    print("width: mean, over the width that knows the process (2 x 1.96 standard errors)")
    print(f"{'distribution':28} {'correlation':>11} {'rounds':>6} {'coverage':>8} {'width':>6}")
    for name, make in DISTRIBUTIONS.items():
        for correlation in (0.0, 0.3, 0.6, 0.8):
            for rounds in (20, 40, 100):
                rng = np.random.default_rng(rounds)
                series = make(correlated(rng, correlation, simulations, rounds))
                truth = float(make(np.zeros(1))[0])
                intervals = np.array([median_interval(one)[1:3] for one in series], dtype=float)
                low, high = intervals.T
                coverage = np.mean((low <= truth) & (truth <= high))
                known = 2 * 1.96 * float(np.median(series, axis=1).std())
                width = float(np.median(high - low)) / known
                print(f"{name:28} {correlation:11} {rounds:6} {coverage:8.3f} {width:6.2f}")


def correlated(rng: np.random.Generator, correlation: float, runs: int, rounds: int) -> Floats:
    """AR(1) series of standard normal values: (runs, rounds)."""
    z = rng.normal(size=(runs, rounds))
    for at in range(1, rounds):
        z[:, at] = correlation * z[:, at - 1] + math.sqrt(1 - correlation**2) * z[:, at]
    return z


def print_same_against_itself(repetitions: int, rounds: int) -> None:
    """One model under two names; how often its ratio to itself is "no difference"."""
    torch.set_num_threads(1)
    model = build({"name": "vlf"}, {"name": "motion"})
    clip = torch.randn(1, model.frames, 3, model.size, model.size)
    subjects = [Subject(name, model, clip) for name in ("A", "A again")]
    protocol = CostConfig(batch_sizes=[1], rounds=rounds)
    holds, widths, values = 0, [], []
    for _ in range(repetitions):
        readings = measure_latency(subjects, protocol, Watch())
        first, second = (
            dict(zip(one.rounds, one.samples, strict=True))
            for name in ("A", "A again")
            for one in readings[name].measurements
        )
        ratio = median_ratio(second, first)
        holds += ratio.low <= 1 <= ratio.high
        widths.append(ratio.high - ratio.low)
        values.append(abs(ratio.value - 1))
    low, high = binom.interval(0.95, repetitions, 0.95)
    print(f"\n{machine()}: the same model twice, {rounds}")
    print(f"rounds, {repetitions} repetitions: no difference in {holds}, expected at 95 %: ")
    print(f"{low:.0f} to {high:.0f}; median width of the interval {plain.median(widths):.4f},")
    print(f"median distance of the ratio from 1 {plain.median(values):.4f}")


if __name__ == "__main__":
    main()
