"""Options, the machine in a line, models, plans and timing in turns, for all benchmarks.

To be imported first: it puts the clone that a benchmark runs from on the path, and lets waiting
threads sleep, since spinning ones slow a busy machine.
"""

import argparse
import dataclasses
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Calls = Mapping[str, Callable[[], object]]
Option = int | float | str | bool


class Turn(NamedTuple):
    """Time of one call, on the clock and of the processor."""

    wall_ms: float
    cpu_ms: float


def options(doc: str | None, **numbers: Option | tuple[Option, str]) -> argparse.ArgumentParser:
    """A parser with an option for each name: its default, or that and its help."""
    summary, _, details = (doc or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, given in numbers.items():
        default, text = given if isinstance(given, tuple) else (given, "")
        text = f"{text} ({default})".strip()
        parser.add_argument(f"--{name}", type=type(default), default=default, help=text)
    return parser


def machine() -> str:
    """Cores, processor and version of torch on one line; loads no torch."""
    from study.records.environment import device_model

    cores = f"{os.cpu_count()} cores, {device_model('cpu')}, load {os.getloadavg()[0]:.1f}"
    return f"{cores}, Python {sys.version.split()[0]}, torch {version('torch')}"


def timed(call: Callable[..., Any], *args: Any) -> tuple[Any, Turn]:
    """Result of a call, and its time."""
    wall, cpu = perf_counter(), process_time()
    result = call(*args)
    return result, Turn(1e3 * (perf_counter() - wall), 1e3 * (process_time() - cpu))


def take_turns(calls: Calls, rounds: int, untimed: int = 0) -> dict[str, list[Turn]]:
    """Time of each call in each round, in which each takes a turn, in random order.

    Before a timed call come `untimed` ones, so that the caches hold what it uses and not what the
    one before it did.
    """
    order = random.Random(0)
    turns: dict[str, list[Turn]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name in order.sample(list(calls), len(calls)):
            for _ in range(untimed):
                calls[name]()
            turns[name].append(timed(calls[name])[1])
    return turns


def medians(turns: Sequence[Turn]) -> Turn:
    """Median of the times on the clock, and of those of the processor."""
    return Turn(*map(statistics.median, zip(*turns, strict=True)))


def ratio_quartiles(ours: Sequence[Turn], theirs: Sequence[Turn], clock: str) -> list[float]:
    """Quartiles of the rounds' ratios, by "wall_ms" or "cpu_ms"."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.quantiles([getattr(a, clock) / getattr(b, clock) for a, b in pairs], n=4)


def build(model: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    """A model in eval mode, of the sections of a config, with weights from seed 0."""
    import torch

    from vlf.config import RunConfig
    from vlf.models import build_model

    config = RunConfig.model_validate({"data": data, "model": model})
    torch.manual_seed(0)
    return build_model(config.model, config.data).eval()


def plan_study(path: Path, results: Path, *overrides: str) -> Any:
    """The plan of a study on the CPU, and its store."""
    from study.plan.planner import Choice, make_plan
    from study.records.store import Store
    from study.spec.grid import expand
    from study.spec.study import load_study

    study, store = load_study(path, overrides), Store(results)
    return make_plan(study, expand(study), store, "cpu", Choice()), store


def plan_empty(folder: Path, executor: str, workers: int, jobs: int) -> Any:
    """The same of a study with so many training jobs and no costs."""
    path = folder / "empty.yaml"
    path.write_text(
        "question: What does an empty job cost?\n"
        "base: {data: {name: motion, frames: 4, size: 32}, model: {name: tsn}}\n"
        f"factors: {{data.seed: [{', '.join(map(str, range(jobs)))}]}}\n"
        f"run: {{device: cpu, executor: {executor}, workers: {workers}}}\n",
        "utf-8",
    )
    plan, store = plan_study(path, folder / "results")
    return dataclasses.replace(plan, cost=()), store


def run_session(session: Any, run_job: Callable[..., Any]) -> None:
    """Run the training jobs of a session; costs, report and data are none."""
    from study.run.session import Work

    work = Work(lambda: None, None, None, run_job)  # type: ignore[arg-type]
    session.run(work, {job.name: 1.0 for job in session.plan.train})


def run_command(*argv: object, codes: Sequence[int] = (0,)) -> "subprocess.CompletedProcess[str]":
    """Run Python with arguments in the clone; ends this process if that fails."""
    command = [sys.executable, *map(str, argv)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in codes or "Traceback" in done.stderr:
        sys.exit(f"{argv[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done
