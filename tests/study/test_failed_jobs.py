"""How a failed job is shown: the same by a run, its plan and its status, with where its log is."""

import dataclasses
import hashlib
import io
import json
import os
from pathlib import Path

import pytest
from jobs import make_task, train
from plans import counts, find, plan, record_for, run
from rich.console import Console
from test_executors import run_misbehaving

from study.cli.status_view import print_status, sum_at_end
from study.executors.process import ProcessExecutor
from study.executors.task import Clock, failed_record
from study.plan.jobs import exit_code, sum_up
from study.plan.other_records import outcomes_elsewhere
from study.records.record import Measurement, Record, RecordError
from study.records.store import Store
from study.run.session import Session

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 3, in f\nValueError: seven\n'


def fail(store, job, attempt="one", started="2026-01-01T00:00:00"):
    changes = {"status": "failed", "reason": "ValueError: seven", "detail": TRACEBACK}
    return store.add(job.key, record_for(job, attempt=attempt, started=started, **changes))


def status(outcomes, as_json=False):
    console = Console(file=io.StringIO(), width=200)
    print_status(outcomes, console, as_json)
    return console.file.getvalue()


@pytest.mark.parametrize(("kind", "seed"), [("train", 0), ("cost", None)])
def test_a_failed_job_that_is_tried_again_is_failed_until_then(study, store, kind, seed):
    job = find(plan(study, store), kind, "TSN", seed)
    fail(store, job)

    made = plan(study, store)

    assert find(made, kind, "TSN", seed).status == "to run"  # a plain run takes it
    outcomes = made.outcomes()
    assert sum_up(outcomes).endswith("1 failed + 5 not run")
    assert exit_code(outcomes) == 1
    said = status(outcomes)
    assert counts(said) == (6, 0, 0, 0, 1, 5)
    (line,) = [line for line in said.splitlines() if "ValueError" in line]
    log = store.root / "attempts" / job.key.stem / "one" / "log.txt"
    name = job.name
    assert line == (f"{kind} {name}: failed, will be tried again: ValueError: seven (log: {log})")
    assert TRACEBACK in log.read_text("utf-8")


def test_one_that_was_tried_often_enough_says_so_and_names_its_last_log(study, store):
    job = find(plan(study, store), "train", "TSN", 0)
    for day, attempt in enumerate(("one", "two"), start=1):
        fail(store, job, attempt, f"2026-01-0{day}T00:00:00")

    said = status(plan(study, store).outcomes())

    assert "failed: ValueError: seven (tried 2 times; --retry-failed tries again) (log: " in said
    assert f"{os.sep}two{os.sep}log.txt)" in said
    assert counts(said) == (6, 0, 0, 0, 1, 5)


def test_the_status_as_json_has_the_same_count_and_the_log(study, store, capsys):
    fail(store, find(plan(study, store), "train", "TSN", 1))

    print_status(plan(study, store).outcomes(), Console(), as_json=True)

    said = json.loads(capsys.readouterr().out)
    (failed,) = [job for job in said["jobs"] if job["status"] == "failed"]
    assert said["sum"].endswith("1 failed + 5 not run")
    assert failed["reason"] == "will be tried again: ValueError: seven"
    assert TRACEBACK in Path(failed["log"]).read_text("utf-8")


def test_the_end_of_a_run_and_the_status_after_it_say_the_same(study, store, monkeypatch):
    def fail_all(tasks, run_job, placement, notify):
        for task in tasks:
            record = failed_record(task, Clock(), "ValueError: seven", TRACEBACK)
            yield task, Store(task.root).add(task.key, record)

    monkeypatch.setattr(ProcessExecutor, "train", staticmethod(fail_all))
    console = Console(file=io.StringIO(), width=200)
    session = Session(plan(study, store), store, console)
    run(session)
    with sum_at_end(session.outcomes(), console) as outcomes:
        pass

    after = status(plan(study, Store(store.root)).outcomes())

    said = console.file.getvalue()
    lines = [line for line in said.splitlines() if "ValueError" in line]
    assert lines == [line for line in after.splitlines() if "ValueError" in line]
    assert len(lines) == 4
    assert all(": failed, will be tried again: ValueError: seven (log: " in one for one in lines)
    assert counts(said)[4] == counts(after)[4] == 4
    assert exit_code(outcomes) == 1


def test_an_interrupted_run_counts_what_had_failed_as_failed(study, store):
    def interrupt():
        raise KeyboardInterrupt

    fail(store, find(plan(study, store), "train", "TSN", 0))
    console = Console(file=io.StringIO(), width=200)

    with pytest.raises(KeyboardInterrupt):
        run(Session(plan(study, store), store, console), register=interrupt)

    assert counts(console.file.getvalue()) == (6, 0, 0, 0, 1, 5)


def test_what_is_done_in_the_end_leaves_no_log(study, store):
    for kind, seed in (("train", 0), ("cost", None)):
        job = find(plan(study, store), kind, "TSN", seed)
        fail(store, job)
        folder = store.root / "attempts" / job.key.stem
        assert folder.exists()
        store.add(job.key, record_for(job, attempt="two", timing_run="run"))
        assert not folder.exists()


@pytest.mark.parametrize("name", ["kill", "exit"])
def test_a_process_that_died_leaves_its_output_and_how_it_ended_in_its_log(tmp_path, name):
    task = make_task(tmp_path, 0, name)

    ((_, record),) = train("process", [task], run_misbehaving)

    log = Path(Store(tmp_path).log_of(record))
    assert log == Store(tmp_path).attempt_folder(task.key, task.attempt) / "log.txt"
    assert log.read_text("utf-8").splitlines()[-1] == record.reason


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ((50.0, float("nan")), "not finite"),
        ((50.0, float("inf")), "not finite"),
        ((50.0, -float("inf")), "not finite"),
        ((), "has no sample"),
    ],
)
def test_a_measurement_has_samples_that_are_finite(samples, message):
    with pytest.raises(ValueError, match=f"top1: {message}"):
        Measurement("top1", "%", "higher", samples)


@pytest.mark.parametrize("written", ["NaN", "1e999", "-Infinity"])
def test_a_record_with_a_number_that_is_none_is_damaged(study, store, written):
    job = find(plan(study, store), "train", "TSN", 0)
    measured = (Measurement("top1", "%", "higher", (12345.5,)),)
    text = record_for(job, measurements=measured).to_json()
    _, _, rest = text.partition("\n")
    changed = rest.replace("12345.5", written)
    assert changed != rest
    values = "{" + changed.replace(",\n", ", ")
    digest = hashlib.sha256(values.encode()).hexdigest()

    with pytest.raises(RecordError):
        Record.from_json(f'{{"checksum": "{digest}",\n{changed}')


def test_a_comparison_has_no_numbers_of_ours_for_what_the_other_folder_lacks(
    study, store, tmp_path
):
    job = find(plan(study, store), "train", "TSN", 0)
    measured = (Measurement("top1", "%", "higher", (50.0,)),)
    store.add(job.key, dataclasses.replace(record_for(job), measurements=measured))
    made = plan(study, store)
    assert find(made, "train", "TSN", 0).status == "reused"

    there = outcomes_elsewhere(made, tmp_path / "other")

    assert {(one.status, one.record) for one in there} == {("not run", None)}
