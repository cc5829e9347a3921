"""Plans and sessions of a study that tunes: stages, shared records, failures; nothing trains."""

import dataclasses
import io

import pytest
from plans import counts, plan, record_for, run
from rich.console import Console
from test_spec import write
from test_tuning import DIVERGED, YAML

from study.cli.plan_view import print_plan
from study.cli.status_view import print_status
from study.estimate.estimate import estimate
from study.executors.process import ProcessExecutor
from study.executors.task import Clock, failed_record
from study.measure.counts import CellCounts
from study.plan.jobs import exit_code, sum_up
from study.plan.preflight import check_inputs
from study.records.record import Measurement
from study.records.store import Store
from study.run.session import Session
from study.spec.study import StudyError, load_study


@pytest.fixture
def study(tmp_path):
    return load_study(write(tmp_path, YAML))


VALUES = {"4.0e-3": 30.0, "1.0e-3": 20.0, "2.0e-3": 40.0}


def tuned_record(job, value=None, **changes):
    value = VALUES[job.tried["train.lr"]] if value is None else value
    measured = (Measurement("val_top1", "%", "higher", (value,), conditions={"split": "val"}),)
    return record_for(job, measurements=measured, attempt=f"{job.name}", **changes)


def tune_all(made, store, cell=None):
    for job in made.tune:
        if cell in (None, job.cell.name):
            store.add(job.key, tuned_record(job))


def test_before_tuning_the_second_stage_waits_and_its_identity_is_not_known(study, store):
    made = plan(study, store)

    assert (len(made.cost), len(made.tune), len(made.train)) == (2, 12, 4)
    assert {job.status for job in made.tune} == {"to run"}
    assert {(job.status, job.key.identity) for job in made.train} == {("waits", "")}
    assert len({job.name for job in made.jobs if job.kind != "cost"}) == 16
    assert sum_up(made.outcomes()) == (
        "18 planned = 0 done + 0 reused + 0 skipped + 0 failed + 18 not run"
    )


def test_the_second_stage_runs_what_validation_chose_with_all_epochs(study, store):
    made = plan(study, store)
    tune_all(made, store, "variant=VLF")

    made = plan(study, Store(store.root))

    vlf = [job for job in made.train if job.cell.name == "variant=VLF"]
    assert [(j.status, j.cell.config.train.lr, j.cell.config.train.epochs) for j in vlf] == [
        ("to run", 2e-3, 8)
    ] * 2
    assert {job.status for job in made.train if job not in vlf} == {"waits"}
    assert {job.status for job in made.tune if job.cell.name == "variant=VLF"} == {"reused"}


def test_a_tuning_run_shares_no_record_with_a_training_run_of_the_same_config(study, store):
    made = plan(study, store)
    tune_all(made, store)
    (job, *_) = made.tune
    as_train = dataclasses.replace(job.key, kind="train")

    assert store.find(job.key) is not None
    assert store.find(as_train) is None
    text = study.path.read_text("utf-8").partition("tune:")[0]
    same = load_study(write(study.path.parent, text.replace("seeds: [0, 1]", "seeds: [100]")))
    same = dataclasses.replace(same, base={**same.base, "train": {"epochs": 4, "lr": 4e-3}})
    assert {one.status for one in plan(same, Store(store.root)).train} == {"to run"}


def test_two_studies_that_tune_the_same_cell_share_its_tuning(study, store, tmp_path):
    tune_all(plan(study, store), store)
    text = YAML.replace("VLF: {}, ", "VLF: {}, mean: {model.pool: frame}, ").replace("order", "it")

    other = plan(load_study(write(tmp_path, text, "other.yaml")), Store(store.root))

    statuses = {(job.cell.name, job.status) for job in other.tune}
    assert statuses == {
        ("variant=VLF", "reused"), ("variant=mean", "to run"), ("variant=TSN", "reused")
    }  # fmt: skip


def test_tuning_of_other_code_runs_again_unless_it_is_accepted(study, store):
    for job in plan(study, store).tune:
        other = dataclasses.replace(job.key, fingerprint="0" * 64)
        store.add(other, tuned_record(job, fingerprint="0" * 64))

    again, taken = plan(study, store), plan(study, store, accept_code=True)

    assert {(job.status, job.reason) for job in again.tune} == {
        ("to run", "runs again: made by other code")
    }
    assert {job.status for job in again.train} == {"waits"}
    assert {job.cell.config.train.lr for job in taken.train} == {2e-3}


def test_only_tunes_the_cells_that_it_names_whatever_their_seed(study, store):
    made = plan(study, store, only={"variant": "VLF", "seed": "1"})

    def found(kind):
        return [
            (job.cell.levels["variant"], job.seed, job.status)
            for job in made.jobs
            if job.kind == kind
        ]

    assert set(found("tune")) == {
        ("VLF", 100, "to run"), ("VLF", 101, "to run"),
        ("TSN", 100, "skipped"), ("TSN", 101, "skipped"),
    }  # fmt: skip
    assert found("train") == [
        ("VLF", 0, "skipped"), ("VLF", 1, "waits"), ("TSN", 0, "skipped"), ("TSN", 1, "skipped")
    ]  # fmt: skip


def test_cost_only_tunes_and_trains_nothing(study, store):
    made = plan(study, store, cost_only=True)

    assert {job.status for job in made.training} == {"skipped"}
    assert {job.status for job in made.cost} == {"to run"}
    assert {job.status for job in plan(study, store).cost} == {"to run"}
    tuned = plan(study, store)
    tune_all(tuned, store)
    assert [job.key for job in plan(study, store).cost] == [job.key for job in made.cost]


def test_a_run_that_diverged_is_not_tried_again_unless_asked_to(study, store):
    (job, *_) = plan(study, store).tune
    store.add(job.key, record_for(job, status="failed", reason=DIVERGED))

    (first, *_), (again, *_) = plan(study, store).tune, plan(study, store, retry_failed=True).tune

    assert (first.status, first.reason) == ("failed", DIVERGED)
    assert again.status == "to run"
    assert first.outcome().is_diverged


def test_a_plan_tells_both_stages_and_its_time_covers_both(study, store, capsys):
    made = plan(study, store)
    known = {job.cell.name: CellCounts(1000, 1e6) for job in made.cost}
    estimates = estimate(made, known, store)
    console = Console(file=io.StringIO(), width=300)

    print_plan(made, known, estimates, console, as_json=False)

    told = console.file.getvalue()
    assert "18 of 18 jobs to run" in told
    assert "of these 12 tuning runs come first; which 4 training runs follow" in told
    # a guess: 5 s a job, and three forward passes of 1e6 MACs at 1e10 a second of 2,000 clips
    assert estimates.seconds["variant=VLF, train.lr=1.0e-3, seed=100"] == pytest.approx(5 + 0.6 * 4)
    assert estimates.seconds["variant=VLF, seed=0"] == pytest.approx(5 + 0.6 * 8)
    tune_all(made, store)
    after = plan(study, Store(store.root))
    console = Console(file=io.StringIO(), width=300)
    print_plan(after, known, estimate(after, known, store), console, as_json=False)
    assert "6 of 18 jobs to run" in console.file.getvalue()
    assert "come first" not in console.file.getvalue()


def test_status_counts_tuning_beside_training(study, store):
    tune_all(plan(study, store), store, "variant=VLF")
    console = Console(file=io.StringIO(), width=200)

    print_status(plan(study, Store(store.root)).outcomes(), console, as_json=False)

    told = console.file.getvalue()
    assert "6 reused" in told
    assert "variant=TSN, seed=0: waits for 6 of 6 tuning runs" in told


def test_a_dataset_without_validation_clips_is_refused_before_anything_runs(tmp_path, store):
    for name in ("train", "test"):
        (tmp_path / f"{name}.txt").write_text("clip.mp4 0\n", "utf-8")
    (tmp_path / "clip.mp4").write_bytes(b"")
    data = f'{{name: video_list, root: "{tmp_path}", num_classes: 2, val: ""}}'
    text = YAML.replace("base:\n", f"base:\n  data: {data}\n")
    made = plan(load_study(write(tmp_path, text)), store)

    with pytest.raises(StudyError) as caught:
        check_inputs(made)

    told = str(caught.value).removeprefix(f"{tmp_path}/")
    assert told.startswith("clip.yaml:9: tune: chooses on validation clips, and the video_list")


def session_of(study, store, **choice):
    console = Console(file=io.StringIO(), width=200)
    return Session(plan(study, store, **choice), store, console), console


def executor(answer):
    """An executor that gives each task what `answer` says: a validation top-1, or a reason."""

    def execute(tasks, run_job, placement, notify):
        for task in tasks:
            told = answer(task)
            if isinstance(told, BaseException):
                raise told
            record = failed_record(task, Clock(), told if isinstance(told, str) else "")
            if not isinstance(told, str):
                measured = (Measurement("val_top1", "%", "higher", (told,)),)
                record = dataclasses.replace(record, status="done", measurements=measured)
            yield task, Store(task.root).add(task.key, record)

    return execute


def run_with(study, store, monkeypatch, answer, **choice):
    ran = []
    monkeypatch.setattr(
        ProcessExecutor,
        "train",
        staticmethod(executor(lambda task: ran.append(task) or answer(task))),
    )
    session, console = session_of(study, store, **choice)
    run(session)
    return session, console, ran


def is_vlf(task):
    return task.config.model.name == "vlf"


def test_a_session_tunes_then_trains_the_choice_of_each_cell(study, store, monkeypatch):
    def answer(task):  # VLF learns best at 1e-3, TSN at 4e-3
        return 100 - abs(task.config.train.lr - (1e-3 if is_vlf(task) else 4e-3)) * 1e3

    session, console, ran = run_with(study, store, monkeypatch, answer)

    assert [task.key.kind for task in ran] == ["tune"] * 12 + ["train"] * 4
    counted = [(is_vlf(task), task.config.train.lr, task.seed) for task in ran[12:]]
    assert counted == [(True, 1e-3, 0), (True, 1e-3, 1), (False, 4e-3, 0), (False, 4e-3, 1)]
    assert sum_up(session.outcomes()) == (
        "18 planned = 18 done + 0 reused + 0 skipped + 0 failed + 0 not run"
    )
    assert exit_code(session.outcomes()) == 0
    assert "chosen for variant=TSN: train.lr=4.0e-3" in console.file.getvalue()


def test_a_cell_whose_tuning_broke_is_not_run_and_the_others_are(study, store, monkeypatch):
    def answer(task):
        return "killed by signal 9" if is_vlf(task) and task.config.train.lr == 2e-3 else 50.0

    session, _, _ = run_with(study, store, monkeypatch, answer)

    found = session.outcomes()
    assert sum_up(found) == "18 planned = 14 done + 0 reused + 0 skipped + 2 failed + 2 not run"
    (reason,) = {one.reason for one in found if one.status == "not run"}
    assert reason == (
        "not tuned: 2 of 6 tuning runs failed; variant=VLF, train.lr=2.0e-3, seed=100: "
        "killed by signal 9"
    )
    assert exit_code(found) == 1
    again = plan(study, Store(store.root))
    assert [job.status for job in again.tune].count("to run") == 2  # it is tried once more


def test_a_value_that_diverges_is_an_answer_and_the_study_is_done(study, store, monkeypatch):
    def answer(task):
        return DIVERGED if task.config.train.lr == 4e-3 else 50.0

    session, _, ran = run_with(study, store, monkeypatch, answer)

    found = session.outcomes()
    assert sum_up(found) == "18 planned = 14 done + 0 reused + 0 skipped + 4 failed + 0 not run"
    assert {task.config.train.lr for task in ran if task.key.kind == "train"} == {1e-3}
    assert exit_code(found) == 0
    assert not plan(study, Store(store.root)).to_run


def test_a_cell_whose_every_run_diverged_fails_with_the_reason(study, store, monkeypatch):
    session, _, _ = run_with(
        study, store, monkeypatch, lambda task: DIVERGED if is_vlf(task) else 50.0
    )

    found = session.outcomes()
    assert sum_up(found) == "18 planned = 10 done + 0 reused + 0 skipped + 8 failed + 0 not run"
    reasons = {one.reason for one in found if one.kind == "train" and one.status == "failed"}
    assert reasons == {"every one of its 6 tuning runs diverged"}
    assert exit_code(found) == 1


def test_an_interruption_in_the_first_stage_leaves_the_sum_whole(study, store, monkeypatch):
    left = iter([50.0, 50.0, 50.0, KeyboardInterrupt()])
    monkeypatch.setattr(ProcessExecutor, "train", staticmethod(executor(lambda task: next(left))))
    session, console = session_of(study, store)

    with pytest.raises(KeyboardInterrupt):
        run(session)

    assert counts(console.file.getvalue()) == (18, 5, 0, 0, 0, 13)
    _, _, ran = run_with(study, Store(store.root), monkeypatch, lambda task: 50.0)
    assert [task.key.kind for task in ran] == ["tune"] * 9 + ["train"] * 4


def test_retry_failed_counts_the_failures_of_the_second_stage_anew_too(study, store, monkeypatch):
    def answer(task):
        return "killed" if task.key.kind == "train" else 50.0

    for _ in range(2):
        run_with(study, Store(store.root), monkeypatch, answer)
    made = plan(study, Store(store.root))
    assert {job.status for job in made.train} == {"failed"}

    _, _, ran = run_with(study, Store(store.root), monkeypatch, answer, retry_failed=True)

    assert [task.key.kind for task in ran] == ["train"] * 4
