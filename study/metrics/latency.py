"""Time to answer: all subjects side by side, in rounds of random order."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from study.metrics.subject import Reading, Subject, Watch
from study.record import Measurement
from study.settings import CostConfig

ORDER_SEED = 0  # of the orders of the rounds and of the clips' values
MIN_ROUNDS = 5
WINDOW = 5  # calls whose median is compared with that of the window before
STABLE = 0.05  # relative change between two windows that counts as warm
MAX_WARMUP = 50  # calls


@dataclass
class _Lane:
    """One subject at one batch size: its clip, and what has been seen of it."""

    subject: Subject
    clip: Tensor
    rounds: int = 0
    samples_ms: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def measure_latency(
    subjects: Sequence[Subject], protocol: CostConfig, watch: Watch
) -> dict[str, Reading]:
    """Wall-clock time of one forward call of each subject, in ms per batch (not per clip).

    In it: the Python of `forward`, kernel launch and execution, with bf16 the casts of autocast,
    and on CUDA the wait until the device is done. Not in it: decoding, transforms, the copy of the
    clip to the device, softmax and averaging over views.

    The batch sizes are swept one after the other. In each sweep every subject is warmed up; then
    each round gives every subject one turn, in a new random order. A turn is an untimed call, so
    that the caches hold this model and not the one before it, and a timed one. A subject for which
    all rounds would take longer than `protocol.budget_s` takes part in the first ones only, at
    least 5.
    """
    readings: dict[str, list[Reading]] = {subject.name: [] for subject in subjects}
    order = random.Random(ORDER_SEED)
    for batch_size in protocol.batch_sizes:
        for name, reading in _sweep(subjects, batch_size, protocol, order, watch).items():
            readings[name].append(reading)
    return {
        name: Reading(
            tuple(m for reading in several for m in reading.measurements),
            tuple(note for reading in several for note in reading.notes),
        )
        for name, several in readings.items()
    }


def _sweep(
    subjects: Sequence[Subject],
    batch_size: int,
    protocol: CostConfig,
    order: random.Random,
    watch: Watch,
) -> dict[str, Reading]:
    watch.stage(f"warming up, batch {batch_size}")
    lanes = [_Lane(subject, _clip(subject, batch_size)) for subject in subjects]
    with torch.inference_mode():
        for lane in lanes:
            watch.at(lane.subject.name)
            _plan_rounds(lane, warm_up(_call(lane, protocol), protocol.budget_s / 4), protocol)
        for round_ in range(max((lane.rounds for lane in lanes), default=0)):
            if round_ % max(1, protocol.rounds // 4) == 0:
                watch.stage(f"timing, batch {batch_size}, round {round_ + 1} of {protocol.rounds}")
            turns = [lane for lane in lanes if round_ < lane.rounds]
            for lane in order.sample(turns, len(turns)):
                watch.at(lane.subject.name)
                lane.samples_ms.append(_take_turn(_call(lane, protocol)))
    return {lane.subject.name: _reading(lane, batch_size, protocol) for lane in lanes}


def warm_up(call: Callable[[], float], budget_s: float) -> float:
    """Call until the running median is stable; gives that median, in ms.

    Stable is a change of at most 5 % between the medians of two windows of 5 calls. Ends after 50
    calls or when the budget is spent, whichever is first, and never before the second call.
    """
    seen: list[float] = []
    while len(seen) < MAX_WARMUP:
        seen.append(call())
        if len(seen) >= 2 * WINDOW:
            before, last = median(seen[-2 * WINDOW : -WINDOW]), median(seen[-WINDOW:])
            if abs(last - before) <= STABLE * before:
                break
        if len(seen) >= 2 and sum(seen) > budget_s * 1e3:
            break
    return median(seen[-WINDOW:]) if len(seen) > WINDOW else min(seen)


def _plan_rounds(lane: _Lane, expected_ms: float, protocol: CostConfig) -> None:
    # Two calls a turn. The first rounds, not spread ones: two slow subjects then share theirs.
    affordable = int(protocol.budget_s * 1e3 / max(2 * expected_ms, 1e-6))
    lane.rounds = min(protocol.rounds, max(MIN_ROUNDS, affordable))
    if lane.rounds < protocol.rounds:
        lane.notes.append(
            f"latency at batch {len(lane.clip)}: {lane.rounds} rounds instead of "
            f"{protocol.rounds}, to stay within {protocol.budget_s:g} s "
            f"at {expected_ms:.3g} ms a call"
        )


def _take_turn(call: Callable[[], float]) -> float:
    call()
    return call()


def _call(lane: _Lane, protocol: CostConfig) -> Callable[[], float]:
    """A function that runs one forward call and gives its time in ms."""
    model, clip = lane.subject.model, lane.clip
    device = clip.device.type

    def timed() -> float:
        synchronize(device)
        start = perf_counter()
        forward(model, clip, protocol.precision)
        synchronize(device)
        return (perf_counter() - start) * 1e3

    return timed


def forward(model: nn.Module, clip: Tensor, precision: str) -> None:
    """One forward call as it is timed: plain, or under bf16 autocast."""
    with _precision(clip.device.type, precision):
        model(clip)


@contextlib.contextmanager
def _precision(device: str, precision: str) -> Iterator[None]:
    if precision == "bf16":
        with torch.autocast(device, torch.bfloat16):
            yield
    else:
        yield


def synchronize(device: str) -> None:
    """Wait until the device has done all that it was asked for; a CPU always has."""
    if device == "cuda":
        torch.cuda.synchronize()


def _clip(subject: Subject, batch_size: int) -> Tensor:
    """Random normalised clips (B, T, 3, H, W); the same for every subject of that shape."""
    generator = torch.Generator().manual_seed(ORDER_SEED)
    clips = torch.randn((batch_size, *subject.clip.shape[1:]), generator=generator)
    return clips.to(subject.clip.device)


def _reading(lane: _Lane, batch_size: int, protocol: CostConfig) -> Reading:
    conditions: Mapping[str, str | int | float] = {
        "batch_size": batch_size,
        "clip": lane.subject.clip_label,
        "precision": protocol.precision,
    }
    measurement = Measurement(
        metric="latency",
        unit="ms",
        better="lower",
        samples=tuple(lane.samples_ms),
        conditions=conditions,
        rounds=tuple(range(len(lane.samples_ms))),
    )
    return Reading((measurement,), tuple(lane.notes))
