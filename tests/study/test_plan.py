"""What is matched with what there is; records are written by hand, nothing is trained."""

import dataclasses

import pytest
import torch
from plans import STUDY, find, plan, record_for
from rich.console import Console

from study.plan.jobs import exit_code, sum_up
from study.plan.preflight import check_inputs
from study.run.session import Session, Work
from study.spec.study import StudyError, load_study
from vlf.config import MotionConfig, TimeSformerConfig
from vlf.models import build_model


def test_at_first_everything_is_to_run_and_nothing_is_written(study, store):
    made = plan(study, store)

    assert len(made.cost) == 2
    assert len(made.train) == 4
    assert made.to_run == list(made.jobs)
    assert not store.root.exists()


def test_only_a_plan_that_reads_files_or_has_small_batches_is_looked_at(study, store, tmp_path):
    assert not plan(study, store).needs_a_look
    path = tmp_path / "ucf.yaml"
    path.write_text(STUDY.replace("base:\n", "base:\n  data: {name: ucf101, root: ucf}\n"), "utf-8")
    ucf = load_study(path)
    assert plan(ucf, store).needs_a_look
    assert "no such file: ucf/ucfTrainTestlist/classInd.txt" in plan(ucf, store).train[0].reason
    for job in plan(ucf, store).train:
        store.add(job.key, record_for(job))
    assert not plan(ucf, store).needs_a_look


def test_a_job_with_a_record_of_its_own_is_reused(study, store):
    job = find(plan(study, store), "train", "TSN", 1)
    store.add(job.key, record_for(job))

    made = plan(study, store)

    assert find(made, "train", "TSN", 1).status == "reused"
    assert [job.status for job in made.train].count("to run") == 3


def test_a_record_of_other_code_is_not_taken_for_done_in_silence(study, store):
    job = find(plan(study, store), "train", "TSN", 0)
    other = dataclasses.replace(job.key, fingerprint="0" * 64)
    store.add(other, record_for(job, fingerprint="0" * 64))

    again = find(plan(study, store), "train", "TSN", 0)
    taken = find(plan(study, store, accept_code=True), "train", "TSN", 0)

    assert (again.status, again.reason) == ("to run", "runs again: made by other code")
    assert (taken.status, taken.reason) == ("reused", "made by other code")


def test_a_record_under_another_default_shows_what_changed(study, store):
    job = find(plan(study, store), "train", "TSN", 0)
    config = {**job.key.config, "train": {**job.key.config["train"], "label_smoothing": 0.1}}
    store.add(dataclasses.replace(job.key, config=config), record_for(job, config=config))

    again = find(plan(study, store), "train", "TSN", 0)

    assert again.status == "to run"
    assert again.reason == "runs again: other defaults (train.label_smoothing)"


def test_a_record_from_before_an_option_came_is_of_other_code_and_not_of_other_defaults(
    study, store
):
    job = find(plan(study, store), "train", "VLF", 0)
    train = {k: v for k, v in job.key.config["train"].items() if k != "processes"}
    config = {**job.key.config, "train": train}
    store.add(dataclasses.replace(job.key, config=config), record_for(job, config=config))

    again = find(plan(study, store), "train", "VLF", 0)

    assert again.reason == "runs again: made by other code"


def test_a_failed_job_is_tried_again_as_often_as_allowed(study, store):
    job = find(plan(study, store), "train", "TSN", 0)
    for attempt in ("one", "two"):
        assert find(plan(study, store), "train", "TSN", 0).status == "to run"
        store.add(job.key, record_for(job, status="failed", reason="killed", attempt=attempt))

    given_up = find(plan(study, store), "train", "TSN", 0)
    anew = find(plan(study, store, retry_failed=True), "train", "TSN", 0)

    assert given_up.status == "failed"
    assert given_up.reason == "killed (tried 2 times; --retry-failed tries again)"
    assert anew.status == "to run"
    assert len(store.failed(job.key)) == 2  # a plan alone forgives nothing


def test_a_run_that_diverged_would_diverge_again_and_is_not_retried(study, store):
    job = find(plan(study, store), "train", "TSN", 0)
    reason = "diverged: NaN in 3 of 8 scores"
    store.add(job.key, record_for(job, status="failed", reason=reason))

    ended = find(plan(study, store), "train", "TSN", 0)
    anew = find(plan(study, store, retry_failed=True), "train", "TSN", 0)

    assert (ended.status, ended.reason) == ("failed", reason)
    assert exit_code([ended.outcome()]) == 1  # the cell has no result
    assert anew.status == "to run"


def test_a_timing_counts_only_beside_the_baselines_of_the_same_run(study, store):
    made = plan(study, store)
    vlf, tsn = find(made, "cost", "VLF"), find(made, "cost", "TSN")
    store.add(tsn.key, record_for(tsn, timing_run="monday"))
    store.add(vlf.key, record_for(vlf, timing_run="tuesday"))
    assert find(plan(study, store), "cost", "TSN").status == "to run"

    store.add(tsn.key, record_for(tsn, timing_run="tuesday", started="2025-01-01T00:00:00"))

    again = find(plan(study, store), "cost", "TSN")
    assert again.status == "reused"
    assert again.record.timing_run == again.reference.timing_run == "tuesday"


def test_a_table_shows_one_timing_run_where_one_holds_all_cells(study, store):
    made = plan(study, store)
    vlf, tsn = find(made, "cost", "VLF"), find(made, "cost", "TSN")
    for job in (vlf, tsn):
        store.add(job.key, record_for(job, timing_run="both", started="2026-01-01T00:00:00"))
    store.add(vlf.key, record_for(vlf, timing_run="alone", started="2026-02-02T00:00:00"))

    again = plan(study, store)

    assert find(again, "cost", "VLF").record.timing_run == "both"  # though there is a newer one
    assert find(again, "cost", "TSN").record.timing_run == "both"


def test_what_only_leaves_out_is_skipped_but_what_is_done_stays_done(study, store):
    job = find(plan(study, store), "train", "VLF", 0)
    store.add(job.key, record_for(job))

    made = plan(study, store, only={"variant": "TSN", "seed": "1"})

    assert find(made, "train", "VLF", 0).status == "reused"
    assert find(made, "train", "TSN", 1).status == "to run"
    assert find(made, "cost", "TSN").status == "to run"
    assert [job.status for job in made.jobs].count("skipped") == 3


def test_the_sum_holds_and_the_exit_code_is_never_better_than_it(study, store):
    made = plan(study, store)
    assert sum_up(made.outcomes()) == (
        "6 planned = 0 done + 0 reused + 0 skipped + 0 failed + 6 not run"
    )
    assert exit_code(made.outcomes()) == 1

    for job in made.jobs:
        store.add(job.key, record_for(job, timing_run="run" if job.kind == "cost" else ""))
    assert exit_code(plan(study, store).outcomes()) == 0


def test_an_interruption_is_the_reason_of_what_was_not_run(study, store):
    class Stopped:
        """Stands where the cost job would: it is stopped by a person."""

        def __call__(self, *_):
            raise KeyboardInterrupt

    session = Session(plan(study, store), store, Console(quiet=True))
    with pytest.raises(KeyboardInterrupt):
        session.run(Work(lambda: None, Stopped(), Stopped(), Stopped()), {})

    assert {outcome.reason for outcome in session.outcomes()} == {"interrupted"}
    assert {outcome.status for outcome in session.outcomes()} == {"not run"}


WEIGHTS = """\
question: Do weights of images help?
base:
  data: {name: motion, train_clips: 10, val_clips: 10, test_clips: 10}
  model: {name: timesformer}
factors:
  start:
    scratch: {}
    file:
      model.weights: FILE
"""


@pytest.mark.parametrize("depth", [2, 3])
def test_weights_are_a_run_of_their_own_and_stop_the_plan_at_their_line_if_they_do_not_fit(
    tmp_path, store, depth
):
    donor = build_model(TimeSformerConfig(depth=depth), MotionConfig())
    torch.save(donor.state_dict(), tmp_path / "start.pt")
    path = tmp_path / "start.yaml"
    path.write_text(WEIGHTS.replace("FILE", str(tmp_path / "start.pt")), "utf-8")
    made = plan(load_study(path), store)

    assert len({job.key.identity for job in made.train}) == 2
    assert len({job.key.identity for job in made.cost}) == 1  # weights change no cost
    if depth == TimeSformerConfig().depth:
        check_inputs(made)
    else:
        message = r"start\.yaml:9: .*model\.weights: .* has h\.blocks\.2\."
        with pytest.raises(StudyError, match=message):
            check_inputs(made)


def test_with_cost_only_training_is_skipped_and_the_costs_decide_the_exit_code(study, store):
    made = plan(study, store, cost_only=True)
    assert {(job.kind, job.status, job.reason) for job in made.jobs} == {
        ("cost", "to run", ""),
        ("train", "skipped", "--cost-only"),
    }
    assert exit_code(made.outcomes(), cost_only=True) == 1
    for job in made.cost:
        store.add(job.key, record_for(job, timing_run="run", attempt=job.name[-3:]))

    measured = plan(study, store, cost_only=True).outcomes()

    assert exit_code(measured, cost_only=True) == 0
    assert exit_code(measured) == 1


def test_a_named_device_has_costs_of_its_own_and_shares_trained_models(study, store):
    here, named = plan(study, store), plan(study, store, device_name="bench 2")
    other = plan(study, store, device_name="bench 3")

    identities = {tuple(job.key.identity for job in one.cost) for one in (here, named, other)}
    assert len(identities) == 3
    assert [job.key for job in here.train] == [job.key for job in named.train]
