import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from study.records.lease import Leases, alone_at_timing

NAME = "train-abc.def"
ELSEWHERE = {"host": "node7", "pid": 1, "machine": "another boot", "began": "1"}


def leave_foreign(root, term=1, token="theirs"):
    """A lease of another machine, as far as anybody here can tell."""
    path = root / "leases" / f"{NAME}.{term}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"token": token, **ELSEWHERE}), "utf-8")
    return path


def take_when(root, condition, leases):
    """Ask until the lease is taken, `condition` between; pytest's own timeout is the bound."""
    while not leases.take(NAME):
        condition()
        time.sleep(0.02)


def test_a_lease_is_one_holders_until_it_is_dropped(tmp_path):
    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        assert one.take(NAME)
        assert not other.take(NAME)
        assert other.take("train-other")
        assert f"process {os.getpid()}" in other.holder(NAME)

        one.drop(NAME)

        assert other.take(NAME)
        assert not one.holds(NAME)
        assert other.holds(NAME)
    assert list((tmp_path / "leases").iterdir()) == []  # nothing is left behind


def _race(root, barrier, answers):
    with Leases(root) as leases:
        barrier.wait()
        answers.put(leases.take(NAME))
        barrier.wait()  # nobody drops before all have asked


@pytest.mark.parametrize("there_is_a_dead_one", [False, True])
def test_of_many_who_ask_at_once_exactly_one_is_given_the_lease(tmp_path, there_is_a_dead_one):
    context = multiprocessing.get_context("fork")
    if there_is_a_dead_one:
        died = context.Process(target=_die_holding, args=(tmp_path,))
        died.start()
        died.join()
    barrier, answers = context.Barrier(8), context.Queue()
    askers = [context.Process(target=_race, args=(tmp_path, barrier, answers)) for _ in range(8)]
    for asker in askers:
        asker.start()
    found = [answers.get() for _ in askers]
    for asker in askers:
        asker.join()

    assert sorted(found) == [False] * 7 + [True]


def _die_holding(root):
    assert Leases(root).take(NAME)
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lease_of_a_process_that_died_here_is_over_at_once(tmp_path):
    died = multiprocessing.get_context("fork").Process(target=_die_holding, args=(tmp_path,))
    died.start()
    died.join()

    with Leases(tmp_path, expiry_s=3600) as leases:
        assert leases.take(NAME)


def test_a_process_that_took_the_number_of_a_dead_one_is_not_taken_for_it(tmp_path):
    with Leases(tmp_path) as old:
        old.take(NAME)
        (path,) = (tmp_path / "leases").glob("*.json")
        said = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**said, "began": "1"}), "utf-8")  # an earlier one of our number

        with Leases(tmp_path, expiry_s=3600) as leases:
            assert leases.take(NAME)


def test_a_silent_lease_of_another_machine_ends_and_a_beating_one_does_not(tmp_path):
    path = leave_foreign(tmp_path)
    beats = 0

    def beat():
        nonlocal beats
        if beats < 20:
            beats += 1
            os.utime(path)

    with Leases(tmp_path, expiry_s=0.5) as leases:
        take_when(tmp_path, beat, leases)

        assert beats == 20
        assert leases.holds(NAME)
        assert not path.exists()  # the higher term holds


@pytest.mark.parametrize("jump_s", [-1e8, 1e8])
def test_a_clock_that_jumps_ends_no_lease(tmp_path, jump_s):
    path = leave_foreign(tmp_path)

    with Leases(tmp_path, expiry_s=3600) as leases:
        assert not leases.take(NAME)
        os.utime(path, (time.time() + jump_s, time.time() + jump_s))
        assert not leases.take(NAME)


def test_a_holder_that_was_only_silent_sees_that_it_was_overtaken(tmp_path):
    with Leases(tmp_path, beat_s=0.02) as silent:
        silent.take(NAME)
        later = leave_foreign(tmp_path, term=2)

        while silent.holds(NAME):
            time.sleep(0.01)

        silent.drop(NAME)
        assert later.exists()


def test_a_lease_of_the_same_term_by_another_is_not_touched(tmp_path):
    """Ours was over, and since then another took it, dropped it, and a third holds term 1."""
    with Leases(tmp_path, beat_s=0.02) as silent:
        silent.take(NAME)
        theirs = leave_foreign(tmp_path, term=1)
        os.utime(theirs, (1, 1))

        while silent.holds(NAME):
            time.sleep(0.01)

        silent.drop(NAME)
        assert theirs.stat().st_mtime == 1


def test_a_folder_that_does_not_answer_ends_the_holders_own_belief(tmp_path, monkeypatch):
    with Leases(tmp_path, beat_s=0.02, expiry_s=0.3) as leases:
        leases.take(NAME)

        def refuse(*arguments):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("study.records.lease.os.utime", refuse)
        while leases.holds(NAME):
            time.sleep(0.01)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"token": 3}', '{"pid": "x", "machine": null}'])
def test_a_torn_lease_is_waited_for_and_then_over(tmp_path, text):
    path = leave_foreign(tmp_path)
    path.write_text(text, "utf-8")

    with Leases(tmp_path, expiry_s=0.1) as leases:
        assert not leases.take(NAME)
        take_when(tmp_path, lambda: None, leases)


def test_a_heartbeat_goes_on_while_a_process_computes(tmp_path):
    code = (
        "import sys, time, pathlib; from study.records.lease import Leases\n"
        "with Leases(pathlib.Path(sys.argv[1]), beat_s=0.02) as leases:\n"
        f"    print(leases.take({NAME!r}), flush=True)\n"
        "    sum(i * i for i in range(10**12))\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"True\n"
        (path,) = (tmp_path / "leases").glob("*.json")
        first = path.stat().st_mtime_ns
        while path.stat().st_mtime_ns == first:
            time.sleep(0.01)
    finally:
        holder.kill()
        holder.communicate()


HOLD = """
import sys, time
from pathlib import Path
from study.records.lease import Leases
with Leases(Path(sys.argv[1])) as leases:
    assert leases.take("timing")
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_holder_that_is_killed_while_another_waits_does_not_keep_it_waiting(root, tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    console = Console(file=io.StringIO(), width=200)
    entered = threading.Event()

    def wait():
        with alone_at_timing(tmp_path, console):
            entered.set()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    while "waiting for the timing of costs by process" not in console.file.getvalue():
        assert not entered.is_set()
    holder.kill()
    holder.communicate()

    assert entered.wait(30)
    waiting.join()
    assert console.file.getvalue().count("waiting for") == 1


def test_it_is_free_for_the_next_one_after_an_error(tmp_path):
    try:
        with alone_at_timing(tmp_path, Console(quiet=True)):
            raise RuntimeError("out of ideas")
    except RuntimeError:
        pass

    with Leases(tmp_path) as leases:
        assert leases.take("timing")
