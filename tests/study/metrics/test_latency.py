import itertools

import pytest
import torch
from modules import Clock
from torch import nn

from study.measure.metrics.latency import MAX_WARMUP, measure_latency, warm_up
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

WARM = 2 * 5  # calls: two windows of five that agree


class Diary(Watch):
    def __init__(self):
        self.turns = []

    def at(self, subject):
        self.turns.append(subject)


class Taking(nn.Module):
    """Takes so many seconds by the test's clock, and keeps the shapes that it saw."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds, self.shapes = clock, seconds, []

    def forward(self, x):
        self.clock.now += self.seconds
        self.shapes.append(tuple(x.shape))
        return x


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("study.measure.metrics.latency.perf_counter", clock)
    monkeypatch.setattr("study.measure.metrics.latency._usage", lambda: (0, clock.now * 1e3))
    return clock


class Scheduler:
    """Interrupts the timed calls of these numbers, from 0; told in the test's clock."""

    def __init__(self, clock, interrupted):
        self.clock, self.interrupted, self.asked, self.lost = clock, interrupted, 0, 0.0

    def usage(self):
        """Asked before and after each timed call."""
        number, is_after = divmod(self.asked, 2)
        self.asked += 1
        switches = sum(one < number + is_after for one in self.interrupted)
        return switches, (self.clock.now - self.lost) * 1e3


class Interrupted(Taking):
    """Loses 30 ms in timed calls that the scheduler interrupts."""

    def __init__(self, clock, seconds, scheduler):
        super().__init__(clock, seconds)
        self.scheduler = scheduler

    def forward(self, x):
        asked = self.scheduler.asked
        if asked % 2 and asked // 2 in self.scheduler.interrupted:
            self.clock.now += 0.030
            self.scheduler.lost += 0.030
        return super().forward(x)


def interrupted(clock, monkeypatch, calls, threads=1):
    scheduler = Scheduler(clock, calls)
    monkeypatch.setattr("study.measure.metrics.latency._usage", scheduler.usage)
    subject = Subject("a", Interrupted(clock, 0.005, scheduler), torch.zeros(1, 2, 3, 4, 4))
    return measure_latency([subject], protocol(threads=threads), Watch())["a"]


@pytest.mark.parametrize(
    ("calls", "samples", "lost"),
    [
        ({1, 4, 5}, [5.0] * 6, 0),  # the second turn needs two calls, the fourth three
        ({2, 3, 4}, [5.0, 5.0, 35.0, 5.0, 5.0, 5.0], 1),  # a turn keeps its fastest call
        # Two more calls in each of the first three turns: six, as many as rounds; then none.
        (set(range(100)), [35.0] * 6, 6),
    ],
    ids=["some", "each of a turn", "all"],
)
def test_calls_that_the_scheduler_interrupted_are_timed_anew_as_often_as_there_are_rounds(
    clock, monkeypatch, calls, samples, lost
):
    reading = interrupted(clock, monkeypatch, calls=calls)

    assert reading.measurements[0].samples == pytest.approx(samples)
    told = "latency in mode eager at batch 1: other processes interrupted"
    assert reading.notes == ((f"{told} {lost} of 6 timed calls",) if lost else ())


def test_an_interruption_that_took_no_time_is_none(clock, monkeypatch):
    counts = itertools.count()
    monkeypatch.setattr(
        "study.measure.metrics.latency._usage", lambda: (next(counts), clock.now * 1e3)
    )

    reading = measure_latency(subjects(clock, 0.005), protocol(), Watch())["a"]

    assert reading.notes == ()


def subjects(clock, *seconds):
    clip = torch.zeros(1, 2, 3, 4, 4)
    return [Subject(name, Taking(clock, s), clip) for name, s in zip("abc", seconds, strict=False)]


def protocol(**values):
    return CostConfig(**{"batch_sizes": [1], "rounds": 6, **values})


def test_latency_is_milliseconds_of_one_call_with_its_round(clock):
    readings = measure_latency(subjects(clock, 0.005), protocol(), Watch())

    (measurement,) = readings["a"].measurements
    assert measurement.unit == "ms"
    assert measurement.samples == pytest.approx([5.0] * 6)
    assert measurement.rounds == (0, 1, 2, 3, 4, 5)
    assert readings["a"].notes == ()


def test_every_batch_size_is_a_sweep_of_its_own_with_clips_of_that_batch(clock):
    (subject,) = subjects(clock, 0.005)

    readings = measure_latency([subject], protocol(batch_sizes=[1, 8]), Watch())

    assert [m.conditions["batch_size"] for m in readings["a"].measurements] == [1, 8]
    calls = 1 + WARM + 6 * 2  # one that is looked at, warm-up, then two calls a turn
    assert subject.model.shapes == [(1, 2, 3, 4, 4)] * calls + [(8, 2, 3, 4, 4)] * calls


def test_a_round_gives_each_subject_one_turn_in_an_order_that_changes(clock):
    diary = Diary()

    measure_latency(subjects(clock, 0.001, 0.002, 0.003), protocol(rounds=20), diary)

    warming, turns = diary.turns[:3], diary.turns[3:]
    rounds = [tuple(turns[i : i + 3]) for i in range(0, 60, 3)]
    assert warming == ["a", "b", "c"]
    assert all(sorted(round_) == ["a", "b", "c"] for round_ in rounds)
    assert len(set(rounds)) == 6  # all orders of three


def test_the_orders_are_the_same_in_every_run(clock):
    first, second = Diary(), Diary()
    for diary in (first, second):
        measure_latency(subjects(clock, 0.001, 0.002, 0.003), protocol(), diary)

    assert first.turns == second.turns


def test_the_budget_lowers_the_rounds_of_the_slow_one_alone_and_says_so(clock):
    # 2 s for two calls of 0.1 s a turn: 10 rounds.
    readings = measure_latency(
        subjects(clock, 0.001, 0.1), protocol(rounds=40, budget_s=2), Watch()
    )

    (fast,), (slow,) = readings["a"].measurements, readings["b"].measurements
    assert len(fast.samples) == 40
    assert slow.rounds == tuple(range(10))
    assert readings["a"].notes == ()
    assert readings["b"].notes == (
        "latency at batch 1: 10 rounds instead of 40, to stay within 2 s at 100 ms a call",
    )


def test_five_rounds_are_kept_however_slow(clock):
    readings = measure_latency(subjects(clock, 60.0), protocol(rounds=40, budget_s=1), Watch())

    assert len(readings["a"].measurements[0].samples) == 5


def test_warm_up_ends_when_two_windows_agree():
    times = itertools.chain([50.0, 40.0, 30.0, 20.0, 12.0], itertools.repeat(10.0))
    calls = []

    def call():
        calls.append(next(times))
        return calls[-1]

    assert warm_up(call, budget_s=100) == 10.0
    # The earliest two windows with like medians: 20, 12, 10, 10, 10 and 10, 10, 10, 10, 10.
    assert len(calls) == 3 + 2 * 5


def test_warm_up_is_bounded_in_calls_and_in_time():
    growing = itertools.count(1)
    calls = []
    warm_up(lambda: calls.append(1) or 1.1 ** next(growing), budget_s=1e9)
    assert len(calls) == MAX_WARMUP

    slow = []
    warm_up(lambda: slow.append(1) or 2000.0, budget_s=1)
    assert len(slow) == 2


def test_the_first_call_of_a_slow_model_is_not_taken_for_its_speed():
    times = iter([9000.0, 3000.0])

    assert warm_up(lambda: next(times), budget_s=1) == 3000.0


def test_bf16_runs_under_autocast():
    class Typed(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            self.seen = y.dtype
            return y

    model = Typed(4, 4)
    clip = torch.zeros(1, 2, 3, 4, 4)

    measured = measure_latency([Subject("a", model, clip)], protocol(precision="bf16"), Watch())

    assert model.seen == torch.bfloat16
    assert measured["a"].measurements[0].conditions["precision"] == "bf16"


def test_a_model_is_timed_without_gradients_on_clips_that_are_not_all_alike():
    class Witness(nn.Linear):
        def forward(self, x):
            self.inference, self.spread = torch.is_inference_mode_enabled(), float(x.std())
            return super().forward(x)

    model = Witness(4, 4)

    measure_latency([Subject("a", model, torch.zeros(1, 2, 3, 4, 4))], protocol(), Watch())

    assert model.inference
    assert 0.5 < model.spread < 1.5
