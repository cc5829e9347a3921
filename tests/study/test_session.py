"""The last line and the exit code are never better than the truth, whatever ends a run."""

import dataclasses
import functools
import io
import threading
import time

import pytest
from plans import counts, plan, record_for, run, time_at_once
from rich.console import Console

from study.cli.status_view import strike_out, sum_at_end
from study.executors import EXECUTORS
from study.executors.executor import Executor
from study.executors.process import ProcessExecutor
from study.executors.task import Clock, failed_record
from study.plan.jobs import exit_code, sum_up
from study.records.lease import Leases
from study.records.store import Store
from study.run.session import Session


def session_of(study, store):
    console = Console(file=io.StringIO(), width=200)
    return Session(plan(study, store), store, console), console


def record_of(task, status="done"):
    record = failed_record(task, Clock(), "" if status == "done" else "diverged")
    return Store(task.root).add(task.key, dataclasses.replace(record, status=status))


def stop_after_two(tasks, run_job, placement, notify):
    """An executor that ends before its tasks do, and says nothing."""
    for task in tasks[:2]:
        yield task, record_of(task)


def break_after_two(tasks, run_job, placement, notify):
    yield from stop_after_two(tasks, run_job, placement, notify)
    raise OSError(28, "No space left on device", "records")


def fail_one(tasks, run_job, placement, notify):
    for number, task in enumerate(tasks):
        yield task, record_of(task, "failed" if number == 0 else "done")


def test_a_run_that_ends_early_says_what_was_not_run(study, store, monkeypatch):
    monkeypatch.setattr(ProcessExecutor, "train", staticmethod(stop_after_two))
    session, console = session_of(study, store)

    run(session)

    with sum_at_end(session.outcomes(), console) as outcomes:
        pass
    assert counts(console.file.getvalue()) == (6, 4, 0, 0, 0, 2)
    assert exit_code(outcomes) == 1


def test_a_run_with_a_failed_cell_does_not_exit_with_0(study, store, monkeypatch):
    monkeypatch.setattr(ProcessExecutor, "train", staticmethod(fail_one))
    session, _ = session_of(study, store)

    run(session)

    assert sum_up(session.outcomes()).endswith(
        "5 done + 0 reused + 0 skipped + 1 failed + 0 not run"
    )
    assert exit_code(session.outcomes()) == 1


def test_the_sum_is_told_after_an_error_and_names_it(study, store, monkeypatch):
    monkeypatch.setattr(ProcessExecutor, "train", staticmethod(break_after_two))
    session, console = session_of(study, store)

    with pytest.raises(OSError, match="No space left"):
        run(session)

    assert counts(console.file.getvalue()) == (6, 4, 0, 0, 0, 2)
    reasons = {one.reason for one in session.outcomes() if one.status == "not run"}
    assert reasons == {"the run stopped: OSError: [Errno 28] No space left on device: 'records'"}


@pytest.mark.parametrize("part", ["register", "run_cost"])
def test_the_sum_is_told_whatever_raises(study, store, part):
    def raise_error(*arguments):
        raise ValueError("a mistake of ours")

    session, console = session_of(study, store)

    with pytest.raises(ValueError, match="a mistake of ours"):
        run(session, **{part: raise_error})

    assert counts(console.file.getvalue()) == (6, 0, 0, 0, 0, 6)


def test_a_report_that_cannot_be_written_does_not_hide_the_sum(study, store):
    session, console = session_of(study, store)

    with pytest.raises(KeyError), sum_at_end(session.outcomes(), console):
        raise KeyError("a figure")

    assert counts(console.file.getvalue()) == (6, 0, 0, 0, 0, 6)


def test_what_was_struck_out_is_not_run_and_not_done(study, store, monkeypatch):
    session, console = session_of(study, store)
    (job, *_) = session.plan.train
    artifact = store.add_artifact(job.key, "one", "predictions", b"scores")
    store.add(job.key, record_for(job, artifacts={"predictions": artifact}))
    outcomes = plan(study, store).outcomes()
    (reused,) = [one for one in outcomes if one.status == "reused"]

    strike_out(outcomes, [(reused, "predictions"), (reused, "predictions")], store, console)

    assert sum_up(outcomes) == "6 planned = 0 done + 0 reused + 0 skipped + 0 failed + 6 not run"
    assert console.file.getvalue().count("warning:") == 1
    assert {one.status for one in plan(study, store).jobs} == {"to run"}


def test_costs_that_another_command_times_are_waited_for_and_not_timed_again(
    study, store, monkeypatch
):
    monkeypatch.setattr(ProcessExecutor, "train", staticmethod(stop_after_two))
    session, console = session_of(study, store)
    other = plan(study, store)

    def never(*arguments):
        raise AssertionError("timed twice")

    with Leases(store.root) as leases:
        assert leases.take("timing")

        def finish():
            time.sleep(0.3)
            time_at_once(other, Store(store.root), None)
            leases.drop("timing")

        thread = threading.Thread(target=finish)
        thread.start()
        run(session, run_cost=never)
        thread.join()

    statuses = [one.status for one in session.outcomes() if one.kind == "cost"]
    assert statuses == ["reused", "reused"]
    assert "waiting for the timing of costs by process" in console.file.getvalue()


class Remote(Executor):
    """A scheduler that loses the cost of every cell but the first."""

    title = "the moon"
    is_remote = True
    measured = None  # what its cost job writes

    def measure_costs(self, job, placement, say):
        say(f"sent {len(job.cells)} costs")

        def wait():
            self.measured()
            return "lost on the moon"

        return wait

    def train(self, tasks, run_job, placement, notify):
        if not self.detach:
            yield from ((task, record_of(task)) for task in tasks)


@pytest.fixture
def remote(study, monkeypatch):
    """The study, to be run by the scheduler."""
    monkeypatch.setitem(EXECUTORS, "remote", "test_session:Remote")
    return dataclasses.replace(study, run=study.run.model_copy(update={"executor": "remote"}))


def test_another_scheduler_is_one_class_whose_costs_are_collected_after_training(
    remote, store, monkeypatch
):
    session, console = session_of(remote, store)
    (first, _) = session.plan.cost
    add = functools.partial(store.add, first.key, record_for(first, timing_run="run"))
    monkeypatch.setattr(Remote, "measured", staticmethod(add))

    run(session)

    assert "sent 2 costs" in console.file.getvalue()
    ended = [(one.kind, one.status, one.reason) for one in session.outcomes()]
    assert ended[:2] == [("cost", "done", ""), ("cost", "failed", "lost on the moon")]
    assert {one[1:] for one in ended[2:]} == {("done", "")}


def test_a_detached_session_leaves_all_to_the_scheduler_and_says_so(remote, store):
    console = Console(file=io.StringIO(), width=200)
    session = Session(plan(remote, store), store, console, detach=True)

    run(session)

    assert session.say_detached(print, ()) == 0
    assert "6 jobs are with the moon; --status shows" in console.file.getvalue()
    assert {one.status for one in session.outcomes()} == {"not run"}
