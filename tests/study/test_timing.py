import dataclasses
import functools
import os
import pickle
import statistics
import subprocess
import sys

import builders
import pytest
from test_supervision import gone, until

from study.measure import timed_process, timing
from study.measure.metrics.subject import Isolated, Reading
from study.measure.supervision import Ended
from study.measure.timing import Environment, Failed, Measured, cut_into_blocks, time_cells
from study.records.record import Measurement
from study.spec.settings import CostConfig

PROTOCOL = CostConfig(batch_sizes=[1, 4], rounds=6)
CELLS = [
    ("baseline", builders.plain),
    ("killed", builders.die),
    ("left", builders.leave),
    ("raising", builders.complain),
    ("killed later", builders.dies_when_timed),
    ("heavy", builders.heavy),
    ("importing", builders.importing),
    ("only answers", builders.only_answers),
]


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def timings(told):
    """One real timing run of good and bad cells, in real processes."""
    return time_cells(CELLS, PROTOCOL, "cpu", told.append)


def measurements(timing, metric, part=None):
    return [m for m in timing.measurements if (m.metric, m.part) == (metric, part)]


def without_energy(notes):
    return [note for note in notes if not note.startswith("energy not measured")]


def test_every_cell_is_answered_and_the_good_ones_are_measured(timings):
    assert list(timings) == [name for name, _ in CELLS]
    for name in ("baseline", "heavy", "importing"):
        assert timings[name].reason == ""
        assert {m.metric for m in timings[name].measurements} - {"energy"} == {
            *("parameters", "macs", "latency", "throughput", "peak_memory"),
            *("fvcore_macs", "fvcore_extras", "activations"),
            *("part_latency", "peak_rate_fp32", "training_memory"),
        }


def test_a_cell_that_crashes_is_failed_with_the_signal_or_exit_code(timings):
    assert timings["killed"].reason == (
        "killed by signal 9 (out of memory?) while running for the first time"
    )
    assert timings["left"].reason == "ended with exit code 3 while running for the first time"
    assert timings["killed later"].reason == "killed by signal 9 (out of memory?) while timing"


def test_a_cell_that_raises_is_failed_with_its_words_in_one_line_and_a_traceback(timings):
    assert timings["raising"].reason == (
        "RuntimeError while running for the first time: out of ideas"
    )
    assert "builders.py" in timings["raising"].detail
    assert timings["raising"].measurements == ()


def test_the_survivors_share_a_timing_run_and_its_rounds(timings):
    good, heavy = timings["baseline"], timings["heavy"]

    assert good.timing_run == heavy.timing_run != ""
    rounds = [m.rounds for timing in (good, heavy) for m in measurements(timing, "latency")]
    assert rounds == [tuple(range(6))] * 4
    assert [m.conditions["batch_size"] for m in measurements(good, "latency")] == [1, 4]


def test_numbers_counted_by_hand_come_through(timings):
    (parameters,) = measurements(timings["baseline"], "parameters")
    (macs,) = measurements(timings["baseline"], "macs")
    (head,) = measurements(timings["baseline"], "macs", "head")

    assert parameters.samples == (2 * 3 * 8 * 8 * 4 + 4,)
    assert macs.samples == head.samples == (2 * 3 * 8 * 8 * 4,)
    assert without_energy(timings["baseline"].notes) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_model_that_holds_200_mib_is_seen_to(timings):
    for batch in (0, 1):
        light, heavy = (
            measurements(timings[n], "peak_memory")[batch] for n in ("baseline", "heavy")
        )
        assert 199 < heavy.samples[0] < 260
        assert light.samples[0] < 60


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_cell_imports_is_not_its_memory(timings):
    for measurement in measurements(timings["importing"], "peak_memory"):
        assert measurement.samples[0] < 60


def test_a_process_that_dies_in_training_leaves_a_note_and_fails_no_cell(timings):
    timing = timings["only answers"]

    assert timing.reason == ""
    assert len(measurements(timing, "latency")) == len(measurements(timing, "peak_memory")) == 2
    assert measurements(timing, "training_memory") == []
    assert without_energy(timing.notes) == [
        "training memory ends before batch 1: killed by signal 9 (out of memory?) while "
        "measuring training memory, batch 1"
    ]


def test_a_sweep_ends_where_a_batch_fails_and_keeps_what_it_has():
    def ask(activity, work, build, batch, protocol):
        if batch == 4:
            return Failed("cell", f"OutOfMemoryError while {activity}: no memory")
        return Reading(notes=(f"batch {batch}",))

    sweep = Isolated(print, "throughput sweep", lambda protocol: [1, 2, 4, 8], is_needed=False)
    readings = timed_process._measure_sizes(sweep, None, PROTOCOL, "cuda", ask)
    assert [note for reading in readings for note in reading.notes] == [
        "batch 1",
        "batch 2",
        "throughput sweep ends before batch 4: OutOfMemoryError while measuring throughput sweep, "
        "batch 4: no memory",
    ]

    polite = dataclasses.replace(sweep, why_stop=lambda reading, protocol, device: "enough")
    readings = timed_process._measure_sizes(polite, None, PROTOCOL, "cuda", ask)
    assert readings[-1].notes == ("throughput sweep ends before batch 2: enough",)

    needed = dataclasses.replace(sweep, is_needed=True)
    failed = timed_process._measure_sizes(needed, None, PROTOCOL, "cuda", ask)
    assert failed.reason.startswith("OutOfMemoryError")


def test_throughput_belongs_to_the_latencies(timings):
    latency = measurements(timings["baseline"], "latency")[1]
    throughput = measurements(timings["baseline"], "throughput")[1]

    assert statistics.median(throughput.samples) == pytest.approx(
        4000 / statistics.median(latency.samples), rel=0.5
    )
    assert throughput.rounds == latency.rounds


def test_the_environment_is_that_of_the_process_that_timed(timings):
    environment = timings["baseline"].environment

    assert environment["omp_num_threads"] == environment["threads"] == "1"
    assert environment["omp_wait_policy"] == "PASSIVE"
    assert timings["killed"].environment == environment


def test_the_person_who_waits_is_told(timings, told):
    assert "measuring peak memory of killed (2 of 8)" in told
    assert "counting heavy (2 of 4)" in told
    assert any(text.startswith("timing, batch 4") for text in told)


def test_the_process_that_times_ends_when_its_parent_is_killed(tmp_path, root):
    path = tmp_path / "pid"
    code = (
        "import builders, pickle, sys\n"
        "from study.measure import timing\n"
        "cell = pickle.dumps(builders.hangs_when_timed(sys.argv[1]))\n"
        "timing._attempt(timing.COSTS, {'cell': cell}, timing.CostConfig(), 'cpu', print)"
    )
    places = (str(root), os.path.dirname(builders.__file__))
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], env=variables)
    assert until(path.exists, seconds=120), "the cell was never timed"
    child = int(path.read_text())

    process.kill()
    process.wait()

    assert until(lambda: gone(child))


class Listener:
    """Stands for the pipe to the supervisor."""

    def __init__(self):
        self.heard = []

    def send(self, message):
        self.heard.append(message)


def test_a_cell_that_raises_while_it_is_timed_ends_the_process_with_its_name(monkeypatch):
    monkeypatch.setattr(timed_process, "end_with_parent", lambda: None)
    bad_and_good = [
        ("raising later", pickle.dumps(builders.complains_when_timed)),
        ("baseline", pickle.dumps(builders.plain)),
    ]
    listener = Listener()

    timed_process.time_side_by_side(listener, [-1, 0], bad_and_good, PROTOCOL, "cpu")

    assert not [message for message in listener.heard if isinstance(message, Measured)]
    (failed,) = [message for message in listener.heard if isinstance(message, Failed)]
    assert failed.cell == "raising later"
    assert failed.reason == "RuntimeError while timing: out of ideas"
    assert "builders.py" in failed.detail


def test_up_to_32_cells_stay_together_and_more_are_cut_with_the_baselines_in_each():
    names = [str(i) for i in range(60)]

    assert cut_into_blocks([], 1) == []
    assert cut_into_blocks(names[:32], 1) == [names[:32]]
    assert cut_into_blocks(names[:33], 1) == [names[:25], ["0", *names[25:33]]]
    blocks = cut_into_blocks(names, 2)
    assert [len(block) for block in blocks] == [26, 26, 12]
    assert all(block[:2] == ["0", "1"] for block in blocks)
    assert {name for block in blocks for name in block} == set(names)


def test_names_must_be_unique():
    with pytest.raises(ValueError, match="unique names"):
        time_cells([("a", builders.plain), ("a", builders.plain)], PROTOCOL, "cpu")


class Processes:
    """Stands for the processes: follows a script of what each of them says before it ends."""

    def __init__(self, **scripts):
        self.scripts = scripts
        self.calls = []

    def __call__(self, target, args, variables):
        place, cells, _, _ = args
        task, names = target.rpartition(":")[2], [name for name, _ in cells]
        self.calls.append((task, names))
        yield Environment({"call": str(len(self.calls))})
        yield from self.scripts[task](names, place)


def answer_all(names, place):
    for name in names:
        yield Measured(name, (Measurement("latency", "ms", "lower", (1.0,)),), (f"of {name}",))
    yield Ended(0)


def crash_at(culprit):
    def script(names, place):
        if culprit not in names:
            yield from answer_all(names, place)
            return
        place[0], place[1] = names.index(culprit), timing.ACTIVITIES.index("timing")
        yield Ended(-9)

    return script


@pytest.fixture
def processes(monkeypatch):
    def use(**scripts):
        standing = Processes(**scripts)
        monkeypatch.setattr(timing, "spawn", standing)
        return standing

    return use


def cells(*names):
    return [(name, functools.partial(int)) for name in names]


def test_in_a_study_that_is_cut_the_baseline_has_a_timing_of_every_block(processes):
    processes(measure_isolated=answer_all, time_side_by_side=answer_all)
    names = [f"cell {i}" for i in range(40)]

    timings = time_cells(cells(*names), PROTOCOL, "cpu")

    first = timings["cell 0"]
    (second,) = first.again
    assert first.timing_run == timings["cell 1"].timing_run
    assert second.timing_run == timings["cell 39"].timing_run != first.timing_run
    assert timings["cell 39"].again == ()


def test_after_a_crash_the_others_are_all_timed_again(processes):
    standing = processes(measure_isolated=answer_all, time_side_by_side=crash_at("b"))

    timings = time_cells(cells("a", "b", "c"), PROTOCOL, "cpu")

    assert standing.calls[1:] == [
        ("time_side_by_side", ["a", "b", "c"]),
        ("time_side_by_side", ["a", "c"]),
    ]
    assert timings["b"].reason == "killed by signal 9 (out of memory?) while timing"
    assert timings["a"].environment == {"call": "3"}
    assert timings["a"].notes == ("of a",)


def test_when_the_process_for_memory_dies_itself_it_goes_on_with_the_rest(processes):
    standing = processes(measure_isolated=crash_at("a"), time_side_by_side=answer_all)

    timings = time_cells(cells("a", "b"), PROTOCOL, "cpu")

    assert standing.calls == [
        ("measure_isolated", ["a", "b"]),
        ("measure_isolated", ["b"]),
        ("time_side_by_side", ["b"]),
    ]
    assert timings["a"].reason.startswith("killed by signal 9")
    assert timings["b"].reason == ""


def test_a_process_that_cannot_even_start_fails_all_and_is_not_tried_for_ever(processes):
    def hopeless(names, place):
        yield Ended(1)

    standing = processes(measure_isolated=answer_all, time_side_by_side=hopeless)

    timings = time_cells(cells("a", "b"), PROTOCOL, "cpu")

    assert [timing.reason for timing in timings.values()] == [
        "ended with exit code 1 while starting"
    ] * 2
    assert len(standing.calls) == 2


def test_a_cell_that_failed_to_build_does_not_make_the_others_run_twice(processes):
    def one_fails(names, place):
        yield Failed("b", "ValueError while building: no")
        yield from answer_all([name for name in names if name != "b"], place)

    standing = processes(measure_isolated=answer_all, time_side_by_side=one_fails)

    timings = time_cells(cells("a", "b"), PROTOCOL, "cpu")

    assert len(standing.calls) == 2
    assert (timings["a"].reason, timings["b"].reason) == ("", "ValueError while building: no")
