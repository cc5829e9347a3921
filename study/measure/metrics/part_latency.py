"""Latency of f, g, h and head, each timed inside the whole model's forward call.

By hooks, and not by calling a part alone on captured inputs: so a part is timed in the caches and
the memory that the part before it leaves, all parts are of one call and sum to no more than it, and
a part that is called more than once counts whole. In calls of their own, so that the hooks are in
no latency.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any

import torch
from torch import nn

from study.measure.metrics.latency import ORDER_SEED, clips_of, forward, synchronize
from study.measure.metrics.subject import Reading, Subject, Watch, parts_of
from study.records.record import measured
from study.spec.settings import CostConfig

ROUNDS = 10
MIN_ROUNDS = 3
LONG_S = 1.0  # a call so long finds nothing of itself in the caches, and has no untimed one before


def measure_part_latency(
    subjects: Sequence[Subject], protocol: CostConfig, watch: Watch
) -> dict[str, Reading]:
    """Time of each part within one eager forward call, in ms per batch, at the first batch size.

    Up to 10 rounds in random order, as latency is measured; fewer, at least 3, where they would
    take more than a quarter of `protocol.budget_s`. The measurement without a part is the whole
    call under the same hooks; what it has besides the parts ran between them. On CUDA the parts are
    times between events on the stream. Nothing is measured of a study that runs no model eagerly,
    or of a model without parts.
    """
    with_parts = [subject for subject in subjects if parts_of(subject.model)]
    if "eager" not in protocol.modes or not with_parts:
        return {}
    watch.stage("timing the parts")
    lanes = []
    with torch.inference_mode():
        for subject in with_parts:
            watch.at(subject.name)
            lanes.append(_Lane(subject, protocol))
        order = random.Random(ORDER_SEED)
        for round_ in range(max(lane.rounds for lane in lanes)):
            turns = [lane for lane in lanes if round_ < lane.rounds]
            for lane in order.sample(turns, len(turns)):
                watch.at(lane.subject.name)
                lane.take_turn()
    return {lane.subject.name: lane.reading() for lane in lanes}


class _Lane:
    """One subject, and what has been seen of its parts."""

    def __init__(self, subject: Subject, protocol: CostConfig) -> None:
        self.subject, self.protocol = subject, protocol
        self.clip = clips_of(subject, protocol.batch_sizes[0])
        self.seen: list[dict[str, float]] = []
        self.expected_s = min(time_parts(self._call, subject.model)[""] for _ in range(2)) / 1e3
        affordable = int(protocol.budget_s / 4 / max(2 * self.expected_s, 1e-9))
        self.rounds = min(ROUNDS, protocol.rounds, max(MIN_ROUNDS, affordable))

    def take_turn(self) -> None:
        if self.expected_s < LONG_S:
            self._call()
        self.seen.append(time_parts(self._call, self.subject.model))

    def reading(self) -> Reading:
        at = self.subject.conditions(len(self.clip), self.protocol.precision, mode="eager")
        rounds = range(len(self.seen))
        return Reading(
            tuple(
                measured("part_latency", [s[part] for s in self.seen], part or None, at, rounds)
                for part in ("", *parts_of(self.subject.model))
                if all(part in one for one in self.seen)
            )
        )

    def _call(self) -> None:
        forward(self.subject.model, self.clip, self.protocol.precision)


def time_parts(call: Callable[[], None], model: nn.Module) -> dict[str, float]:
    """Part -> ms spent in it during one call of a function that calls the model; "" is the whole.

    A part that the call never enters as a module is left out.
    """
    device = next((p.device.type for p in model.parameters()), "cpu")
    stopwatch = _Stopwatch(device == "cuda")
    synchronize(device)
    with _hooks(model, stopwatch):
        start = perf_counter()
        call()
        synchronize(device)
        whole = (perf_counter() - start) * 1e3
    return {"": whole, **stopwatch.read()}


class _Stopwatch:
    """Sums the time between starts and stops by part.

    By the clock on a device that is done when a call is; on CUDA by events on the stream, which let
    the launches run ahead as they do unwatched.
    """

    def __init__(self, on_stream: bool) -> None:
        self.on_stream = on_stream
        self.stamp: Callable[[], Any] = _recorded_event if on_stream else perf_counter
        self.spans: list[tuple[str, Any, Any]] = []
        self.first: Any = None

    def start(self) -> None:
        self.first = self.stamp()

    def stop(self, part: str) -> None:
        self.spans.append((part, self.first, self.stamp()))

    def read(self) -> dict[str, float]:
        ms: dict[str, float] = {}
        for part, first, last in self.spans:
            took = first.elapsed_time(last) if self.on_stream else (last - first) * 1e3
            ms[part] = ms.get(part, 0.0) + took
        return ms


def _recorded_event() -> Any:
    event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


@contextmanager
def _hooks(model: nn.Module, stopwatch: _Stopwatch) -> Iterator[None]:
    def stopper(part: str) -> Callable[..., None]:
        return lambda module, args, output: stopwatch.stop(part)

    with ExitStack() as stack:
        for part in parts_of(model):
            child = model.get_submodule(part)
            start = child.register_forward_pre_hook(lambda module, args: stopwatch.start())
            stack.callback(start.remove)
            stack.callback(child.register_forward_hook(stopper(part)).remove)
        yield
