import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.measure.supervision import Ended, spawn

HERE = Path(__file__).parent


def messages(target, *args, **environment):
    with contextlib.closing(spawn(f"targets:{target}", args, environment)) as heard:
        return list(heard)


def until(condition, seconds=30):
    """Wait for something that has to come; what it waits for is the assertion."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"  # ended, and not yet collected by whoever inherited it


@pytest.fixture
def parent(tmp_path, root):
    """Start a process that supervises `target`; gives it, and the pids of what it started."""
    started = []

    def start(target, *pid_files):
        path = tmp_path / "pid"
        command = [sys.executable, str(HERE / "targets.py"), f"targets:{target}", str(path)]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(HERE)))}
        process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE)
        started.append(process)
        paths = [Path(f"{path}{suffix}") for suffix in pid_files or ("",)]
        assert until(lambda: all(p.exists() for p in paths)), "the child never started"
        return process, [int(p.read_text()) for p in paths]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_process_starts_with_the_variables_it_is_given_and_the_parents_stay(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    assert messages("say_threads", OMP_NUM_THREADS="7") == ["7", Ended(0)]
    assert "OMP_NUM_THREADS" not in os.environ


def test_what_was_said_before_a_crash_is_heard_and_then_the_signal():
    assert messages("die") == ["alive", Ended(-signal.SIGKILL)]


def test_an_exit_code_is_told_apart_from_a_signal():
    assert messages("leave") == [Ended(3)]
    assert Ended(3).reason == "ended with exit code 3"
    assert Ended(-9).reason == "killed by signal 9 (out of memory?)"
    assert Ended(-11).reason == "killed by signal 11"


def test_closing_the_generator_ends_the_process(tmp_path):
    path = tmp_path / "pid"
    heard = spawn("targets:stay", (str(path),), {})
    next(heard)

    heard.close()

    assert gone(int(path.read_text()))


def test_a_child_ends_when_its_parent_is_killed(parent):
    process, (child,) = parent("stay")

    process.kill()

    assert until(lambda: gone(child))


def test_what_a_child_forked_ends_with_the_parent_too(parent):
    process, pids = parent("fork_and_stay", "", ".middle")

    process.kill()

    assert until(lambda: all(map(gone, pids)))


def test_an_interrupted_parent_ends_its_child_and_says_that_it_was_interrupted(parent):
    process, (child,) = parent("stay")

    process.send_signal(signal.SIGINT)

    process.wait(timeout=60)
    assert gone(child)
    assert b"KeyboardInterrupt" in process.stderr.read()
