import contextlib
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from jobs import finish, make_task, train

from study.executors.placement import default_workers
from study.executors.process import remove_orphans
from study.records.store import Store

ROOT = Path(__file__).parents[2]
FOLDERS = [str(ROOT / folder) for folder in (".", "tests/helpers", "tests/study")]
LOCAL = ("inline", "process")


def run_misbehaving(task, notify):
    """What a job can do to its process, by the task's name."""
    if task.name.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if task.name.startswith("exit"):
        os._exit(3)
    if task.name.startswith("hang"):
        sleep_for_long()
    if task.name.startswith("spin"):
        match_for_long()
    if task.name.startswith("litter"):
        tempfile.mkdtemp()
        os.kill(os.getpid(), signal.SIGKILL)
    if task.name.startswith("late"):
        finish(task)
        os._exit(4)
    return finish(task)


def sleep_for_long():
    time.sleep(600)


def match_for_long():
    re.match("(a+)+$", "a" * 60 + "b")  # in C, and no other thread of the process has a turn


@pytest.mark.parametrize("name", LOCAL)
def test_every_executor_yields_one_record_per_job(name, tmp_path):
    tasks = [make_task(tmp_path, number) for number in range(5)]

    events = []
    records = list(train(name, tasks, run_misbehaving, 2, events.append))

    assert sorted(task.seed for task, _ in records) == [0, 1, 2, 3, 4]
    assert {record.status for _, record in records} == {"done"}
    assert [event.what for event in events].count("started") == 5
    assert [event.what for event in events].count("ended") == 5


@pytest.mark.parametrize(
    ("name", "reason"),
    [("kill", "killed by signal 9 (SIGKILL"), ("exit", "exit code 3 and left no record")],
)
def test_a_job_whose_process_dies_is_a_failed_row_and_stops_no_other(tmp_path, name, reason):
    tasks = [make_task(tmp_path, 0), make_task(tmp_path, 1, name), make_task(tmp_path, 2)]

    records = list(train("process", tasks, run_misbehaving))

    by_seed = {task.seed: record for task, record in records}
    assert [by_seed[seed].status for seed in range(3)] == ["done", "failed", "done"]
    assert reason in by_seed[1].reason
    assert Store(tmp_path).failed(tasks[1].key)[0].reason == by_seed[1].reason


def test_a_job_that_dies_after_its_record_was_written_is_done(tmp_path):
    ((_, record),) = train("process", [make_task(tmp_path, 0, "late")], run_misbehaving)

    assert record.status == "done"


def test_hanging_jobs_are_ended_at_their_time_limit_with_the_stack_of_where_they_hung(tmp_path):
    names = ("work", "hang", "spin")  # the first is there to start the fork server
    tasks = [make_task(tmp_path, number, name) for number, name in enumerate(names)]
    list(train("process", tasks[:1], run_misbehaving))

    records = list(train("process", tasks[1:], run_misbehaving, 2, timeout_s=4.0))

    by_name = {task.name: record for task, record in records}
    for name, function in (("hang 1", "sleep_for_long"), ("spin 2", "match_for_long")):
        record = by_name[name]
        assert record.status == "failed"
        assert record.reason == "timed out after 0.0666667 min (run.timeout_min)"
        assert re.search(rf'test_executors.py", line \d+ in {function}\n', record.detail)
        assert "in run_misbehaving\n" in record.detail
    assert Store(tmp_path).failed(tasks[1].key)[0].detail == by_name["hang 1"].detail


def test_closing_the_iterator_ends_running_jobs(tmp_path):
    tasks = [make_task(tmp_path, 0), make_task(tmp_path, 1, "hang")]
    events = []
    running = train("process", tasks, run_misbehaving, 2, events.append)

    with contextlib.closing(running):
        next(running)

    assert not Store(tmp_path).done(tasks[1].key)
    assert multiprocessing.active_children() == []


PARENT = """
import pathlib, sys
sys.path[:0] = {folders!r}
from jobs import make_task, train
from endless_job import run_forever
if __name__ == "__main__":
    tasks = [make_task(pathlib.Path({results!r}), 0)]
    list(train("process", tasks, run_forever))
"""


def test_jobs_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folders=FOLDERS, results=str(tmp_path)))
    parent = subprocess.Popen([sys.executable, str(script)])
    pid_file = tmp_path / "pid"
    while not pid_file.exists() or not pid_file.read_text():
        assert parent.poll() is None, "the parent ended by itself"
        time.sleep(0.05)
    job = int(pid_file.read_text())
    os.kill(job, 0)  # it lives

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    while True:  # pytest's own timeout is the bound
        try:
            os.kill(job, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)


@pytest.fixture
def temporary():
    """A folder for temporary files, whose name is short enough for a socket in it."""
    folder = tempfile.mkdtemp()
    yield folder
    shutil.rmtree(folder)


LITTER = """
import pathlib, sys
sys.path[:0] = {folders!r}
from jobs import make_task, train
from test_executors import run_misbehaving
if __name__ == "__main__":
    tasks = [make_task(pathlib.Path({results!r}), 0, "litter")]
    list(train("process", tasks, run_misbehaving))
"""


def test_no_temporary_file_of_a_killed_job_is_left(tmp_path, temporary):
    script = tmp_path / "parent.py"
    script.write_text(LITTER.format(folders=FOLDERS, results=str(tmp_path)))

    subprocess.run(
        [sys.executable, str(script)], env=os.environ | {"TMPDIR": temporary}, check=True
    )

    (record,) = tmp_path.glob("records/*.failed-*.json")
    assert "SIGKILL" in record.read_text("utf-8")
    assert os.listdir(temporary) == []


def test_what_a_command_left_that_was_killed_with_its_jobs_is_removed_by_the_next(
    tmp_path, temporary
):
    script = tmp_path / "parent.py"
    environment = os.environ | {"TMPDIR": temporary}
    script.write_text(PARENT.format(folders=FOLDERS, results=str(tmp_path)))
    command = [sys.executable, str(script)]
    parent = subprocess.Popen(command, env=environment, start_new_session=True)
    while not (tmp_path / "pid").exists():
        assert parent.poll() is None, "the parent ended by itself"
        time.sleep(0.05)
    (alive,) = os.listdir(temporary)
    remove_orphans(Path(temporary))
    assert os.listdir(temporary) == [alive]

    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    assert os.listdir(temporary) == [alive]
    remove_orphans(Path(temporary))

    assert os.listdir(temporary) == []


WHERE = """
import pathlib, sys
sys.path[1:1] = {folders!r}
from jobs import make_task, train
from same_name import run
if __name__ == "__main__":
    tasks = [make_task(pathlib.Path({results!r}), 0)]
    list(train("process", tasks, run))
"""
JOB = """
def run(task, notify):
    from jobs import finish
    (task.root / "ran").write_text({place!r})
    return finish(task)
"""


def test_jobs_run_the_code_of_their_command_in_whatever_folder_it_is_started(tmp_path):
    for place in ("ours", "theirs"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "same_name.py").write_text(JOB.format(place=place))
    script = tmp_path / "ours" / "parent.py"
    script.write_text(WHERE.format(folders=FOLDERS, results=str(tmp_path)))

    subprocess.run([sys.executable, str(script)], cwd=tmp_path / "theirs", check=True)

    assert (tmp_path / "ran").read_text() == "ours"


def test_without_gpus_every_worker_has_its_threads_on_cores_of_its_own(monkeypatch):
    monkeypatch.setattr("study.executors.placement.available_cores", lambda: 8)

    assert default_workers(threads=1, gpus=0) == 8
    assert default_workers(threads=3, gpus=0) == 2
    assert default_workers(threads=16, gpus=0) == 1
    assert default_workers(threads=1, gpus=4) == 4
