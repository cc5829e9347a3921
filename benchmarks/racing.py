"""Training runs, false alarms and coverage of races of seeds, in simulated studies.

    python benchmarks/racing.py                    # 1,000 studies of each kind
    python benchmarks/racing.py --studies 100

A study has six cells; five are claimed to be worse than the first, by 5, 3, 2, 1 and 0.5 standard
deviations of a paired difference. Compared are the race (study/spec/race.py), the same tests where
all cells go on together, one fixed number of seeds that decides as large a share of the claims by
paired t tests with Holm's correction, the one that in 80 % of studies decides all that the race
decides, and three looks (3, 6, then the last seed) at a threshold
that is halved at each look.

False alarms are studies with any decided claim where all cells are equal. Coverage is the share of
confidence sequences that hold the true mean at every number of seeds up to `--seeds`.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import scipy.stats

from analysis.stats.anytime import t_sequence, win_log_evidence
from analysis.stats.clumps import find_clumps
from analysis.stats.estimates import ALPHA, holm
from study.spec.claims import Named
from study.spec.race import Run, run_race
from study.spec.study import Study, load_study

EFFECTS = (5.0, 3.0, 2.0, 1.0, 0.5)  # of the five claims, in standard deviations of a difference
START, END = 3, 20
LOOKS = (3, 6, END)
MOST = 60  # seeds that a fixed design is tried with
STUCK, LOSS, NOISE = 0.2, 2.5, 0.25  # share of stuck runs, what they lose, and the spread of others

Values = NDArray[np.float64]  # (cells, seeds)
Draw = Callable[[np.random.Generator, tuple[int, ...]], Values]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Values whose paired differences have a standard deviation of 1."""
    return rng.normal(size=shape) / math.sqrt(2)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Student's t with 3 degrees of freedom."""
    return rng.standard_t(3, size=shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """The first cell normal, the others exponential with the same mean."""
    values = rng.exponential(size=shape) - 1
    values[0] = rng.normal(size=shape[1]) * 0.1
    return values


def clumped(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """The first cell never stuck, the others one run in five, with the same mean."""
    values = rng.normal(0, NOISE / math.sqrt(2), size=shape)
    values[1:] += LOSS * STUCK - LOSS * (rng.random((shape[0] - 1, shape[1])) < STUCK)
    return values


DRAWS: dict[str, Draw] = {
    "normal": normal, "heavy tails": heavy, "skewed": skewed, "clumped": clumped
}  # fmt: skip


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=200, help="largest number, for coverage")
    args = parser.parse_args()
    study = _study()
    _print_runs(study, args.studies)
    _print_alarms(study, args.studies)
    _print_coverage(args.studies, args.seeds)


def _study() -> Study:
    levels = ", ".join(f"c{at}: {{train.lr: {at + 1}.0e-3}}" for at in range(len(EFFECTS) + 1))
    claims = ", ".join(f"'top1[c0] > top1[c{at + 1}]'" for at in range(len(EFFECTS)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "race.yaml")
        path.write_text(
            f"question: simulated\nfactors: {{v: {{{levels}}}}}\n"
            f"seeds: {{from: {START}, to: {END}}}\nclaims: [{claims}]\n",
            "utf-8",
        )
        return load_study(path)


CELLS = [Named(f"v=c{at}", {"v": f"c{at}"}) for at in range(len(EFFECTS) + 1)]


def race(study: Study, values: Values) -> tuple[dict[str, int], list[tuple[str, bool, bool]]]:
    """Seeds of each cell, and of each claim its state, side and whether it hangs on stuck runs."""

    def look(cell: str, seed: int) -> Run:
        return Run("done", {"top1": float(50 + values[int(cell[3:]), seed])})

    found = run_race(study, CELLS, look)
    last = found.rounds[-1]
    return dict(found.counts), [(one.state, one.is_supported, one.hangs) for one in last]


def _print_runs(study: Study, studies: int) -> None:
    rng = np.random.default_rng(1)
    shift = np.array([0.0, *EFFECTS])[:, None]
    runs, together, decided, looks_runs, looks_decided, every, won = [], [], [], [], [], [], []
    for _ in range(studies):
        values = normal(rng, (len(CELLS), MOST)) - shift
        counts, states = race(study, values)
        runs.append(sum(counts.values()))
        together.append(len(CELLS) * max(counts.values()))
        won.append(np.array([state == "decided" for state, _, _ in states]))
        decided.append(won[-1].mean())
        spent, share = _looks(values)
        looks_runs.append(spent)
        looks_decided.append(share)
        every.append(values)
    share = float(np.mean(decided))
    fixed = next(
        (n for n in range(2, END + 1) if np.mean([_fixed(x, n).mean() for x in every]) >= share),
        END,
    )
    fixed_share = float(np.mean([_fixed(x, fixed).mean() for x in every]))
    whole = next(
        (
            n
            for n in range(2, MOST + 1)
            if np.mean([(_fixed(x, n) >= y).all() for x, y in zip(every, won, strict=True)]) >= 0.8
        ),
        MOST,
    )
    print(f"{studies} simulated studies of {len(CELLS)} cells, {START} to {END} seeds, effects of")
    print(f"{', '.join(map(str, EFFECTS))} standard deviations; claims decided, training runs:")
    rows = [
        ("race", share, float(np.mean(runs))),
        ("all cells go on together", share, float(np.mean(together))),
        (f"fixed, {fixed} seeds, t tests", fixed_share, float(len(CELLS) * fixed)),
        (f"fixed, {whole} seeds, all of the race", share, float(len(CELLS) * whole)),
        ("looks at 3, 6 and 20 seeds", float(np.mean(looks_decided)), float(np.mean(looks_runs))),
    ]
    for name, part, number in rows:
        print(f"  {name:32} {part:6.1%} {number:7.1f}  {np.mean(runs) / number:5.2f} of the race")


def _fixed(values: Values, n: int) -> NDArray[np.bool_]:
    """True if paired t tests decide each claim at n seeds, with Holm's correction."""
    d = values[0, :n] - values[1:, :n]
    p = scipy.stats.ttest_1samp(d, 0, axis=1).pvalue
    return np.array(holm(list(p))) < ALPHA


def _looks(values: Values) -> tuple[int, float]:
    """Runs and decided share where all cells go on until all claims are decided, at 5 % / 2^k."""
    for k, n in enumerate(LOOKS, 1):
        d = values[0, :n] - values[1:, :n]
        p = np.array(holm(list(scipy.stats.ttest_1samp(d, 0, axis=1).pvalue)))
        share = float(np.mean(p < ALPHA / 2**k))
        if share == 1:
            break
    return len(CELLS) * n, share


def _print_alarms(study: Study, studies: int) -> None:
    margin = 1.96 * math.sqrt(ALPHA * (1 - ALPHA) / studies)
    print(
        f"\nfalse alarms over all looks, all cells equal; at most {ALPHA + margin:.1%} within the"
    )
    print("margin; wins: of a single claim that is true in half of all runs, looked at every seed")
    for name, draw in DRAWS.items():
        rng, alarms, caught, wrong = np.random.default_rng(2), 0, 0, 0
        for _ in range(studies):
            values = draw(rng, (len(CELLS), END))
            _, states = race(study, values)
            alarms += any(state == "decided" for state, _, _ in states)
            kept, guarded = _unguarded(values)
            wrong += kept
            caught += guarded
        line = f"  {name:12} {alarms / studies:6.1%}"
        if wrong:
            line += f"; without the guard {wrong / studies:6.1%}, of which it catches "
            line += f"{caught / wrong:.0%}"
        print(line)
    rng = np.random.default_rng(3)
    alarms = sum(
        win_log_evidence(rng.random(END) < 0.5).max() >= -math.log(ALPHA) for _ in range(studies)
    )
    print(f"  {'wins':12} {alarms / studies:6.1%}")


def _unguarded(values: Values) -> tuple[bool, bool]:
    """True if a race without the guard would decide any claim, and whether the guard stops all."""
    decided = []
    for other in range(1, len(values)):
        low, high = t_sequence(values[0] - values[other], 1 - ALPHA / len(EFFECTS))
        hits = np.nonzero((low > 0) | (high < 0))[0]
        if hits.size:
            decided.append((other, max(int(hits[0]) + 1, START)))
    stopped = 0
    for other, n in decided:
        cells = {str(at): list(x[:n]) for at, x in enumerate(values)}
        clumps = find_clumps(cells)
        effect = abs(float((values[0, :n] - values[other, :n]).mean()))
        stopped += clumps is not None and effect < clumps.shift(("0", str(other)), n)
    return bool(decided), bool(decided) and stopped == len(decided)


def _print_coverage(studies: int, seeds: int) -> None:
    print(f"\ncoverage of 95 % confidence sequences at every n to {seeds}:")
    for name, draw in DRAWS.items():
        rng, held = np.random.default_rng(4), 0
        for _ in range(studies):
            values = draw(rng, (2, seeds))
            low, high = t_sequence(values[0] - values[1])
            held += bool(((low <= 0) & (high >= 0)).all())
        print(f"  {name:12} {held / studies:6.1%}")


if __name__ == "__main__":
    main()
