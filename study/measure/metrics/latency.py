"""Time to answer: all subjects side by side, in rounds of random order."""

import random
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from study.measure.metrics.modes import (
    Prepared,
    check_finite,
    logit_difference,
    precision_of,
    prepare,
)
from study.measure.metrics.subject import Reading, Subject, Watch, first_line
from study.records.record import measured
from study.spec.settings import CostConfig

ORDER_SEED = 0  # of the orders of the rounds and of the clips' values
MIN_ROUNDS = 5
WINDOW = 5  # calls whose median is compared with that of the window before
STABLE = 0.05  # relative change between two windows that counts as warm
MAX_WARMUP = 50  # calls
TRIES = 3  # timed calls of a turn, until the scheduler has left one alone
LOST = 0.01  # share of a call's time without a processor that counts as an interruption
MOST_INTERRUPTED = 0.1  # share of interrupted samples that is not worth a note
AGREE = 1e-5  # difference of logits, over the largest, that fp32 may make in another mode
AGREE_CAST = 0.1  # that bf16 and fp16 may make


@dataclass
class _Lane:
    """One subject in one mode at one batch size: its clip, and what has been seen of it."""

    subject: Subject
    clip: Tensor
    mode: str
    prepared: Prepared
    difference: float | None = None  # of logits from the model as it is
    rounds: int = 0
    samples_ms: list[float] = field(default_factory=list)
    again: int = 0  # calls that were repeated because the scheduler ran something else
    interrupted: int = 0  # samples of turns in which it did so each time
    notes: list[str] = field(default_factory=list)


def measure_latency(
    subjects: Sequence[Subject], protocol: CostConfig, watch: Watch
) -> dict[str, Reading]:
    """Wall-clock time of one forward call of each subject, in ms per batch (not per clip).

    In it: the Python of `forward`, kernel launch and execution, with bf16 the casts of autocast,
    and on CUDA the wait until the device is done. Not in it: decoding, transforms, the copy of the
    clip to the device, softmax and averaging over views.

    The batch sizes are swept one after the other. In each sweep every subject in every mode is
    warmed up; then each round gives each one turn, in a new random order. A turn is an untimed
    call, so that the caches hold this model and not the one before it, and a timed one; on CPU one
    during which the scheduler gave the processor to another is taken anew, up to 3 times, and the
    fastest is kept if all were. What would take longer for all rounds than `protocol.budget_s` is
    in the first ones only, at least 5.
    """
    readings: dict[str, list[Reading]] = {subject.name: [] for subject in subjects}
    order = random.Random(ORDER_SEED)
    for batch_size in protocol.batch_sizes:
        for name, several in _sweep(subjects, batch_size, protocol, order, watch).items():
            readings[name] += several
    return {name: Reading.join(several) for name, several in readings.items()}


def _sweep(
    subjects: Sequence[Subject],
    batch_size: int,
    protocol: CostConfig,
    order: random.Random,
    watch: Watch,
) -> dict[str, list[Reading]]:
    watch.stage(f"warming up, batch {batch_size}")
    readings: dict[str, list[Reading]] = {subject.name: [] for subject in subjects}
    with torch.inference_mode():
        lanes = []
        for subject in subjects:
            watch.at(subject.name)
            clip = clips_of(subject, batch_size)
            for mode in protocol.modes:
                lane = _open(subject, clip, mode, protocol)
                if isinstance(lane, str):
                    readings[subject.name].append(Reading(notes=(lane,)))
                else:
                    lanes.append(lane)
        for lane in lanes:
            watch.at(lane.subject.name)
            _plan_rounds(lane, warm_up(_call(lane), protocol.budget_s / 4), protocol)
        for round_ in range(max((lane.rounds for lane in lanes), default=0)):
            if round_ % max(1, protocol.rounds // 4) == 0:
                watch.stage(f"timing, batch {batch_size}, round {round_ + 1} of {protocol.rounds}")
            turns = [lane for lane in lanes if round_ < lane.rounds]
            for lane in order.sample(turns, len(turns)):
                watch.at(lane.subject.name)
                _take_turn(lane, protocol.threads)
    for lane in lanes:
        watch.at(lane.subject.name)
        readings[lane.subject.name].append(_close(lane, protocol))
    return readings


def _open(subject: Subject, clip: Tensor, mode: str, protocol: CostConfig) -> _Lane | str:
    """A lane; or, of a mode that this model or machine has not, the note that says so.

    The first mode is the one that is quoted: a model that cannot be run in it has failed.
    """
    if mode == protocol.modes[0] == "eager":
        prepared = prepare(subject.model, clip, mode, protocol)
        check_finite(prepared.run(clip), "logits")
        return _Lane(subject, clip, mode, prepared, None, notes=_mode_notes(prepared, clip, mode))
    try:
        prepared = prepare(subject.model, clip, mode, protocol)
        difference = logit_difference(prepared.run, subject.model, clip)
    except Exception as error:  # compilers and exporters raise anything
        if mode == protocol.modes[0]:
            raise
        return f"{mode}: not measured: {type(error).__name__}: {first_line(error, '')}"
    notes = _mode_notes(prepared, clip, mode)
    is_exact = protocol.precision == "fp32" and mode not in ("bf16", "fp16")
    if difference > (AGREE if is_exact else AGREE_CAST):
        notes.append(f"{mode}: logits differ by {difference:.1e} of the largest")
    return _Lane(subject, clip, mode, prepared, difference, notes=notes)


def _mode_notes(prepared: Prepared, clip: Tensor, mode: str) -> list[str]:
    return [f"{mode} at batch {len(clip)}: {note}" for note in prepared.notes]


def _close(lane: _Lane, protocol: CostConfig) -> Reading:
    """Measurements of a lane; a note if not all of its calls ran in its mode.

    Raises:
        RuntimeError: If that is so of the quoted mode.
    """
    why = lane.prepared.why_not()
    if not why:
        return _reading(lane, len(lane.clip), protocol)
    if lane.mode == protocol.modes[0]:
        raise RuntimeError(f"{lane.mode}: {why}")
    return Reading(notes=(f"{lane.mode} at batch {len(lane.clip)}: not measured: {why}",))


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
        which = "" if lane.mode == protocol.modes[0] else f" in mode {lane.mode}"
        lane.notes.append(
            f"latency{which} at batch {len(lane.clip)}: {lane.rounds} rounds instead of "
            f"{protocol.rounds}, to stay within {protocol.budget_s:g} s "
            f"at {expected_ms:.3g} ms a call"
        )


def _take_turn(lane: _Lane, threads: int) -> None:
    call = _call(lane)
    call()
    taken: list[float] = []
    while len(taken) < TRIES:
        before = _usage()
        taken.append(call())
        # A GPU goes on while its process waits.
        if lane.clip.device.type != "cpu" or not _was_interrupted(before, taken[-1], threads):
            lane.samples_ms.append(taken[-1])
            return
        if lane.again >= lane.rounds:  # at most half as long again as was planned
            break
        lane.again += 1
    lane.samples_ms.append(min(taken))
    lane.interrupted += 1


def _usage() -> tuple[int, float]:
    """Involuntary context switches of this process's threads, and their CPU time in ms."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_nivcsw, (used.ru_utime + used.ru_stime) * 1e3


def _was_interrupted(before: tuple[int, float], took_ms: float, threads: int) -> bool:
    switches, used_ms = _usage()
    if switches == before[0]:
        return False
    # With several threads, time that was not used may be that of one waiting for another.
    return threads > 1 or took_ms - (used_ms - before[1]) > LOST * took_ms


def _call(lane: _Lane) -> Callable[[], float]:
    """A function that runs one forward call and gives its time in ms."""
    run, clip = lane.prepared.run, lane.clip
    device = clip.device.type

    def timed() -> float:
        synchronize(device)
        start = perf_counter()
        run(clip)
        synchronize(device)
        return (perf_counter() - start) * 1e3

    return timed


def forward(model: nn.Module, clip: Tensor, precision: str) -> None:
    """One forward call of the model as it is: plain, or under autocast."""
    with precision_of(clip.device.type, precision):
        model(clip)


def synchronize(device: str) -> None:
    """Wait until the device has done all that it was asked for; a CPU always has."""
    if device == "cuda":
        torch.cuda.synchronize()


def clips_of(subject: Subject, batch_size: int) -> Tensor:
    """Random normalised clips (B, T, 3, H, W); the same for every subject of that shape."""
    generator = torch.Generator().manual_seed(ORDER_SEED)
    clips = torch.randn((batch_size, *subject.clip.shape[1:]), generator=generator)
    return clips.to(subject.clip.device)


def _reading(lane: _Lane, batch_size: int, protocol: CostConfig) -> Reading:
    precision = lane.mode if lane.mode in ("bf16", "fp16") else protocol.precision
    conditions = lane.subject.conditions(batch_size, precision, mode=lane.mode)
    if lane.interrupted > MOST_INTERRUPTED * len(lane.samples_ms):
        lane.notes.append(
            f"latency in mode {lane.mode} at batch {batch_size}: other processes interrupted "
            f"{lane.interrupted} of {len(lane.samples_ms)} timed calls"
        )
    rounds = range(len(lane.samples_ms))
    measurement = measured("latency", lane.samples_ms, None, conditions, rounds)
    if lane.difference is None:
        return Reading((measurement,), tuple(lane.notes))
    values = (lane.difference,)
    difference = measured("logit_difference", values, conditions=conditions)
    return Reading((measurement, difference), tuple(lane.notes))
