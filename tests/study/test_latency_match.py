"""Values that are chosen by timing: what waits for them, what is written down, what is reused."""

import dataclasses
import json

import pytest

from analysis.stats.estimates import median_ratio
from study.match.cells import asked_values, match_cells
from study.match.latency_match import match_latency
from study.match.open_cells import latency_notes, plan_cells, refuse_timing, wanted_open
from study.match.timed_values import Timed, Tried, read_timed, write_timed
from study.match.words import matched_words
from study.measure.counts import CellCounts
from study.plan.planner import Choice, make_plan
from study.records.record import Reached, Record
from study.records.store import Store
from study.spec.grid import expand
from study.spec.study import StudyError, load_study

TIMES = "\N{MULTIPLICATION SIGN}"
STUDY = """\
question: Which is better at equal latency?
base:
  data: {name: motion, frames: 2, size: 16}
  model: {name: vlf, width: 16, heads: 4, spatial_depth: 1, spatiotemporal_depth: 1}
factors:
  variant:
    VLF: {}
    no g: {model.spatial_depth: 0}
    TSN: {model: {name: tsn}}
match:
  metric: latency
  to: {variant: VLF}
  by: {no g: {key: model.width, max: 64}}
  within: 95%
seeds: [0]
cost: {rounds: 5}
report: {baseline: {variant: VLF}}
"""
NO_G = "variant=no g"


def load(folder, old="", new=""):
    path = folder / "matched.yaml"
    assert old in STUDY
    path.write_text(STUDY.replace(old, new, 1) if old else STUDY, "utf-8")
    return load_study(path)


def planned(study, root, **choice):
    cells = match_cells(study, expand(study), root)
    return plan_cells(study, cells, Store(root), "cpu", Choice(**choice))


def cost_of(plan, name):
    return next(job for job in plan.cost if job.cell.name == name)


def by_hand(study, root, value=40, ratio=1.01, **changes):
    """Write down a value as if it had been timed."""
    (one,) = asked_values(study, expand(study), root)
    tried = (Tried(36, 0.9, 0.8, 0.97), Tried(40, ratio, 0.99, 1.2))
    reached = Reached(ratio, 0.99, 1.2, "another machine")
    timed = Timed(value, reached, tried, {"value": {0: 2.0}, "target": {0: 1.0}}, {})
    write_timed(one.path, dataclasses.replace(timed, **changes))
    return one.path


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """The study and its results folder after a real search, and what was said of it."""
    folder = tmp_path_factory.mktemp("timed")
    study, root, said = load(folder), folder / "results", []
    plan = planned(study, root)
    match_latency(plan, root, median_ratio, lambda text: None, said.append)
    return study, root, said


def test_until_it_is_timed_a_cell_has_no_record_and_waits(tmp_path):
    study, root = load(tmp_path), tmp_path / "results"
    plan = planned(study, root)
    guess = cost_of(plan, NO_G).cell
    # Records of the very run that stands in for it: they are another study's.
    closed = dataclasses.replace(guess, matched=dataclasses.replace(guess.matched, is_open=False))
    for job in make_plan(study, [closed], Store(root), "cpu", Choice()).jobs:
        values = {"attempt": "a", "started": "2026", "seconds": 1.0, "environment": {}}
        Store(root).add(
            job.key,
            Record(
                job.kind, job.key.identity, "done", job.key.config, job.seed, "cpu",
                job.key.fingerprint, (), timing_run="run", **values,
            ),
        )  # fmt: skip

    plan = planned(study, root)

    held = [job for job in plan.jobs if job.cell.name == NO_G]
    assert {(job.kind, job.status, job.key.identity) for job in held} == {
        ("cost", "to run", ""),
        ("train", "to run", ""),
    }
    assert {job.reason for job in held} == {"waits for the timing that chooses model.width (match)"}
    others = [job for job in plan.jobs if job.cell.name != NO_G]
    assert all(job.key.identity and not job.reason for job in others)
    assert guess.matched.is_open
    assert guess.config.model.width > 16  # without g it is smaller, and nearest in MACs is wider


def test_the_plan_says_what_is_timed_first_and_where_it_was(tmp_path):
    study, root = load(tmp_path), tmp_path / "results"
    plan = planned(study, root)
    counts = {job.cell.name: CellCounts(1000, 1e6) for job in plan.cost}
    cell = cost_of(plan, NO_G).cell

    assert matched_words(study.match, cell, counts) == f"width {cell.matched.value}?"
    (note,) = latency_notes(plan, counts)
    assert "a run first chooses those of 1 cell by timing" in note

    by_hand(study, root)
    plan = planned(study, root)
    words = [matched_words(study.match, job.cell, counts) for job in plan.cost]
    assert words == ["target", f"width 40, 1.010{TIMES} [0.990, 1.200]", "as it is"]
    (note,) = latency_notes(plan, counts)
    assert note.startswith("match: latency was matched by timing on another machine; this is ")


def test_what_is_written_down_is_what_was_timed(timed):
    study, root, (said,) = timed
    (one,) = asked_values(study, expand(study), root)
    found = read_timed(one.path)

    samples = found.samples_ms
    assert samples["value"].keys() == samples["target"].keys() == set(range(5))
    ratio = median_ratio(samples["value"], samples["target"])
    assert (found.reached.ratio, found.reached.low, found.reached.high) == ratio[:3]
    assert found.reached.device == found.environment["device_model"]
    assert (found.environment["threads"], found.environment["omp_num_threads"]) == ("1", "1")
    last = [t for t in found.tried if t.run == max(t.run for t in found.tried)]
    assert found.value == min(last, key=lambda t: (abs(t.ratio - 1), t.value)).value
    assert all(t.value in range(4, 65, 4) and t.ratio > 0 and not t.reason for t in found.tried)
    assert said.startswith(f"variant=no g: width {found.value} has {found.reached.ratio:.3f}")


def test_later_runs_take_it_and_time_nothing(timed):
    study, root, _ = timed
    (one,) = asked_values(study, expand(study), root)
    before = one.path.read_bytes()

    plan = planned(study, root)
    match_latency(plan, root, None, None, None)  # would fail if it had anything to do

    assert wanted_open(plan) == set()
    cell = cost_of(plan, NO_G).cell
    assert cell.config.model.width == cell.matched.value == read_timed(one.path).value
    assert cell.matched.reached == read_timed(one.path).reached
    assert {job.outcome().reached for job in plan.jobs if job.cell.name == NO_G} == {
        cell.matched.reached
    }
    assert one.path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("within: 95%", "within: 50%", True),
        ("rounds: 5", "rounds: 9, batch_sizes: [1, 4]", True),
        ("no g:", "small:", True),
        ("seeds: [0]", "seeds: [0, 1]", True),
        ("max: 64", "max: 60", False),
        ("rounds: 5", "rounds: 5, threads: 2", False),
        ("rounds: 5", "rounds: 5, batch_sizes: [4]", False),
        ("width: 16", "width: 20", False),  # of the target
        ("frames: 2", "frames: 3", False),
    ],
)
def test_a_value_is_taken_for_the_same_question_alone(tmp_path, old, new, is_same):
    by_hand(load(tmp_path), tmp_path)

    text = STUDY.replace(old, new)  # a label stands twice
    (tmp_path / "matched.yaml").write_text(text, "utf-8")
    study = load_study(tmp_path / "matched.yaml")

    open_ = [cell for cell in match_cells(study, expand(study), tmp_path) if cell.is_open]
    assert len(open_) == (0 if is_same else 1)


def test_the_first_value_that_was_written_stays_and_a_damaged_one_is_timed_again(tmp_path):
    study = load(tmp_path)
    path = by_hand(study, tmp_path, value=40)
    by_hand(study, tmp_path, value=36)
    assert read_timed(path).value == 40

    path.write_text(path.read_text("utf-8").replace('"value": 40', '"value": 44', 1), "utf-8")

    assert read_timed(path) is None
    assert wanted_open(planned(study, tmp_path)) == {NO_G}


def test_a_value_that_came_not_near_enough_is_one_line_with_what_was_timed(tmp_path):
    study = load(tmp_path, "95%", "5%")
    path = by_hand(study, tmp_path, ratio=1.08)

    with pytest.raises(StudyError) as caught:
        match_cells(study, expand(study), tmp_path)

    assert str(caught.value).removeprefix(f"{tmp_path}/") == (
        "matched.yaml:13: match.by.no g: no model.width brought variant=no g within 5 % of the "
        f"latency of variant=VLF on another machine; nearest: 36 has 0.900{TIMES} [0.800, 0.970] "
        f"and 40 has 1.080{TIMES} [0.990, 1.200]; widen within, or delete {path} to time it again"
    )


def test_only_what_is_asked_for_and_what_it_is_compared_with_is_timed(tmp_path):
    study = load(tmp_path)
    root = tmp_path / "results"

    assert wanted_open(planned(study, root, only={"variant": "TSN"})) == set()
    assert wanted_open(planned(study, root, only={"variant": "no g"})) == {NO_G}
    other = load(tmp_path, "baseline: {variant: VLF}", "baseline: {variant: no g}")
    assert wanted_open(planned(other, root, only={"variant": "TSN"})) == {NO_G}
    skipped = cost_of(planned(study, root, only={"variant": "TSN"}), NO_G)
    assert (skipped.status, skipped.key.identity) == ("skipped", "")


def test_jobs_are_not_submitted_before_it_is_known_what_they_are(tmp_path):
    study = load(tmp_path, "cost:", "run: {executor: slurm}\ncost:")

    with pytest.raises(StudyError, match=r"matched\.yaml:11: match\.metric: latency is timed by a"):
        refuse_timing(planned(study, tmp_path))

    by_hand(study, tmp_path)
    refuse_timing(planned(study, tmp_path))


@pytest.mark.parametrize("to", ["40 M", "5", "5 ms"])
def test_a_latency_in_numbers_is_refused(tmp_path, to):
    message = r"match\.to: expected {factor: level}: a latency is compared with one timed beside it"
    with pytest.raises(StudyError, match=message):
        load(tmp_path, "to: {variant: VLF}", f"to: {to}")


def test_a_target_that_cannot_be_timed_is_told(tmp_path):
    study, root = load(tmp_path), tmp_path / "results"
    plan = dataclasses.replace(
        planned(study, root), place=planned(study, root).place._replace(device="nowhere")
    )

    with pytest.raises(StudyError) as caught:
        match_latency(plan, root, median_ratio, lambda text: None, lambda text: None)

    assert "its target, variant=VLF, cannot be timed: RuntimeError while building" in str(
        caught.value
    )
    assert not root.exists()


def test_the_file_is_plain_json_with_samples_and_checksum(tmp_path):
    values = json.loads(by_hand(load(tmp_path), tmp_path).read_text("utf-8"))

    assert values["samples_ms"] == {"value": {"0": 2.0}, "target": {"0": 1.0}}
    assert values["reached"]["device"] == "another machine"
    assert len(values["checksum"]) == 64
