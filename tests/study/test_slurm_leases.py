"""What a SLURM job and its submitter do where another is at the same cell; the other plays here."""

import dataclasses
import functools
import threading

import pytest
from test_damaged_checkpoints import KEY, task

from study.executors.slurm import watch, worker
from study.executors.slurm.queue import JobState
from study.executors.slurm.submissions import ArraySlot, Entry, new_submission
from study.executors.task import Clock, failed_record
from study.records.lease import Leases
from study.records.store import Store

Short = functools.partial(Leases, beat_s=0.05, expiry_s=0.6)


@pytest.fixture
def other(tmp_path):
    """Another command's leases, which beat."""
    with Short(tmp_path) as leases:
        yield leases


def done(of):
    record = dataclasses.replace(failed_record(of, Clock(), ""), status="done")
    return Store(of.root).add(KEY, record)


def test_a_job_takes_the_lease_of_a_cell_that_nobody_is_at(tmp_path):
    with Short(tmp_path) as leases:
        assert worker._is_ours(task(tmp_path), leases)
        assert leases.holds(KEY.name)


def test_a_job_leaves_a_cell_to_a_live_other_and_says_so(tmp_path, other, capsys, monkeypatch):
    monkeypatch.setattr(worker, "POLL_S", 0.05)
    assert other.take(KEY.name)

    with Short(tmp_path) as leases:
        assert not worker._is_ours(task(tmp_path), leases)

    assert capsys.readouterr().out.startswith("left tsn to process ")
    assert other.holds(KEY.name)


def test_a_job_takes_over_from_an_execution_that_was_killed_on_another_node(
    tmp_path, other, monkeypatch
):
    monkeypatch.setattr(worker, "POLL_S", 0.05)
    monkeypatch.setattr("study.records.lease._machine", lambda: "another")  # only time can tell
    assert other.take(KEY.name)
    other._over.set()  # its heart stands still
    other._thread.join()

    with Short(tmp_path) as leases:
        assert worker._is_ours(task(tmp_path), leases)


def test_a_job_that_waits_sees_the_record_of_the_other(tmp_path, other, monkeypatch, capsys):
    monkeypatch.setattr(worker, "POLL_S", 0.05)
    assert other.take(KEY.name)
    end = threading.Timer(0.2, done, [task(tmp_path, "others")])
    end.start()

    with Leases(tmp_path, beat_s=0.05, expiry_s=60) as leases:
        assert not worker._is_ours(task(tmp_path), leases)

    end.join()
    assert capsys.readouterr().out == ""
    assert Store(tmp_path).done(KEY)[0].attempt == "others"


def judge(root, leases, state, polls=watch.GONE_AFTER):
    """What the submitter makes of a job of which the queue says this, after so many polls."""
    pack = (Entry(KEY.stem, "now", "tsn"),)
    place = ArraySlot(new_submission("train", "s", (pack,), 5), 0, 0, pack[0])
    one = watch._Waiting(task(root), place)
    found = [watch._judge(one, {place.key: state}, print, leases) for _ in range(polls)]
    return found[-1]


def test_a_submitter_waits_for_who_is_at_its_cell_then_submits_again(tmp_path, other):
    assert other.take(KEY.name)
    with Short(tmp_path) as leases:
        for state in ("COMPLETED", "FAILED"):
            assert judge(tmp_path, leases, JobState(state), polls=9) == (None, False)
        other.drop(KEY.name)

        assert judge(tmp_path, leases, JobState("COMPLETED")) == (None, True)
        assert not leases.holds(KEY.name)  # it only looked


def test_a_job_that_ended_badly_is_a_failure_as_before(tmp_path):
    with Short(tmp_path) as leases:
        record, is_again = judge(tmp_path, leases, JobState("FAILED", node="node1"))

    assert (record.status, is_again) == ("failed", False)
    assert record.reason.startswith("its job ended (FAILED) on node1 and left no record")
