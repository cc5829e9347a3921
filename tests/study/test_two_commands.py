"""Two commands on one results folder, as their executors see each other."""

import dataclasses
import functools
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from jobs import finish, make_task, train
from test_executors import FOLDERS, LOCAL
from test_lease import ELSEWHERE

from study.executors.task import Clock, failed_record
from study.records.files import write_synced as write
from study.records.lease import Leases
from study.records.store import Store

COMMAND = """
import pathlib, sys
sys.path[:0] = {folders!r}
from jobs import make_task, train
from test_two_commands import run_counted
if __name__ == "__main__":
    tasks = [make_task(pathlib.Path({results!r}), number) for number in range(6)]
    found = train("process", tasks, run_counted, 2)
    print(*(f"{{task.seed}}:{{record.status}}:{{record.attempt}}" for task, record in found))
"""


def run_counted(task, notify):
    """A job that says that it was executed."""
    handle = os.open(task.root / "executions", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{task.seed}\n".encode())
    os.close(handle)
    time.sleep(0.3)
    return finish(task)


def start(tmp_path, name):
    script = tmp_path / f"{name}.py"
    script.write_text(COMMAND.format(folders=FOLDERS, results=str(tmp_path)))
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)


def executions(tmp_path):
    path = tmp_path / "executions"
    return sorted(path.read_text().split()) if path.exists() else []


def test_while_both_live_each_job_is_run_by_one_and_told_by_both(tmp_path):
    commands = [start(tmp_path, name) for name in ("one", "other")]
    told = [command.communicate()[0].split() for command in commands]

    assert [command.returncode for command in commands] == [0, 0]
    assert executions(tmp_path) == ["0", "1", "2", "3", "4", "5"]
    assert sorted(told[0]) == sorted(told[1])
    assert len(told[0]) == 6
    assert list((tmp_path / "leases").iterdir()) == []


def test_what_a_killed_command_was_at_is_run_by_the_other(tmp_path):
    killed = start(tmp_path, "killed")
    while len(executions(tmp_path)) < 3:
        assert killed.poll() is None
        time.sleep(0.01)
    other = start(tmp_path, "other")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    told = other.communicate()[0].split()

    assert [one.split(":")[:2] for one in sorted(told)] == [[str(i), "done"] for i in range(6)]
    assert len(list((tmp_path / "records").glob("train-*.json"))) == 6


class Other:
    """A command on another machine that is at a task, for as long as it beats."""

    def __init__(self, task, term=1):
        self.task = task
        self.path = task.root / "leases" / f"{task.key.name}.{term}.json"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write(self.path, str({"token": "other", **ELSEWHERE}).replace("'", '"').encode())

    def end(self, after_s, record=None):
        """Beat for so long; then record, if it does, and fall silent."""

        def body():
            until = time.monotonic() + after_s
            while time.monotonic() < until:
                os.utime(self.path)
                time.sleep(0.02)
            if record is not None:
                Store(self.task.root).add(self.task.key, record)

        threading.Thread(target=body, daemon=True).start()


@pytest.fixture
def quick(monkeypatch):
    """Leases that beat and end in fractions of a second."""
    short = functools.partial(Leases, beat_s=0.05, expiry_s=1.0)
    for name in LOCAL:
        monkeypatch.setattr(f"study.executors.{name}.Leases", short)
    monkeypatch.setattr("study.executors.queue.POLL_S", 0.05)
    monkeypatch.setattr("study.executors.inline.POLL_S", 0.05)


def ended_by_other(task, status, reason=""):
    theirs = dataclasses.replace(task, attempt="theirs")
    return dataclasses.replace(failed_record(theirs, Clock(), reason), status=status)


@pytest.mark.parametrize("status", ["done", "failed"])
@pytest.mark.parametrize("name", LOCAL)
def test_a_job_that_another_is_at_is_waited_for(name, status, tmp_path, quick):
    tasks = [make_task(tmp_path, number) for number in range(3)]
    record = ended_by_other(tasks[0], status, "diverged")
    Other(tasks[0]).end(after_s=1.5, record=record)
    events = []

    found = list(train(name, tasks, run_counted, 1, events.append))

    assert [task.seed for task, _ in found] == [1, 2, 0]  # ours first
    assert found[-1][1] == record
    assert executions(tmp_path) == ["1", "2"]
    assert "process 1 on node7" in next(e.reason for e in events if e.what == "note")


@pytest.mark.parametrize("name", LOCAL)
def test_a_job_whose_lease_expires_is_taken_over(name, tmp_path, quick):
    task = make_task(tmp_path, 0)
    Other(task).end(after_s=0.5)

    ((_, record),) = train(name, [task], run_counted)

    assert record.attempt == task.attempt
    assert executions(tmp_path) == ["0"]


def run_until_overtaken(task, notify):
    """The first execution stays for ever."""
    handle = os.open(task.root / "executions", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, b"x\n")
    os.close(handle)
    time.sleep(600)


def test_an_execution_that_was_overtaken_is_ended_and_writes_nothing(tmp_path, quick):
    task = make_task(tmp_path, 0)
    running = train("process", [task], run_until_overtaken)
    record = ended_by_other(task, "done")

    def overtake():
        while not executions(tmp_path):
            time.sleep(0.02)
        Other(task, term=2).end(after_s=1.0, record=record)

    threading.Thread(target=overtake, daemon=True).start()

    assert [(task.seed, record) for task, record in running] == [(0, record)]
    assert [path.name for path in (tmp_path / "records").iterdir()] == [f"{task.key.name}.json"]


def test_a_job_done_since_the_plan_was_made_is_not_run_again(tmp_path):
    task = make_task(tmp_path, 0)
    record = ended_by_other(task, "done")
    Store(tmp_path).add(task.key, record)

    found = list(train("process", [task], run_counted))

    assert found == [(task, record)]
    assert executions(tmp_path) == []


def run_on_full_disk(task, notify):
    raise OSError(28, "No space left on device", "somewhere")


@pytest.mark.parametrize("name", LOCAL)
def test_a_full_disk_stops_the_run_and_is_no_failure_of_the_job(name, tmp_path):
    tasks = [make_task(tmp_path, number) for number in range(3)]

    with pytest.raises(OSError, match="No space left on device: 'somewhere'"):
        list(train(name, tasks, run_on_full_disk))

    assert not list(tmp_path.glob("records/*"))
    assert not list(tmp_path.glob("leases/*"))
