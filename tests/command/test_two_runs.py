"""Two commands on one results folder at the same time, real processes both."""

import re
import signal
import subprocess
import sys
from collections import Counter

import pytest
from study_runs import ALONE, QUIET, ROOT, answers, run
from test_interruption import processes_with, start, wait_for_checkpoint


def counts(out):
    """Status -> number, from the last line."""
    return {name: int(n) for n, name in re.findall(r"(\d+) ([a-z ]+?)(?: \+|$)", last(out))}


def last(out):
    (line,) = [line for line in out.splitlines() if " planned = " in line]
    return line.partition("= ")[2]


def recorded(results):
    """Kind -> how often its cells are recorded as done."""
    names = [path.name for path in (results / "records").glob("*.json")]
    assert not [name for name in names if ".failed-" in name]
    return Counter(name.split("-")[0] for name in names)


def test_two_commands_at_once_do_each_job_once_and_answer_alike(study):
    study.write_text(ALONE.replace("report: {", "report: {figures: [], tables: [], "), "utf-8")
    commands = [start(study) for _ in range(2)]
    told = [command.communicate() for command in commands]

    assert [command.returncode for command in commands] == [0, 0], told
    sums = [counts(out) for out, _ in told]
    assert sum(one["done"] for one in sums) == 3  # no job was done by both
    assert all(one["done"] + one["reused"] == 3 for one in sums)
    results = study.parent / "results"
    assert recorded(results) == {"train": 2, "cost": 1}
    assert not list((results / "attempts").glob("*/*"))
    assert list((results / "leases").iterdir()) == []
    assert "Traceback" not in told[0][1] + told[1][1]


@pytest.mark.slow
def test_of_two_commands_one_is_killed_and_the_other_ends_with_the_same_numbers(study, tmp_path):
    study.write_text(QUIET.replace("epochs: 2", "epochs: 12"), "utf-8")
    run(study, "--results", str(tmp_path / "undisturbed"))
    killed = start(study)
    wait_for_checkpoint(study, killed)
    other = start(study)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    out, err = other.communicate()

    assert other.returncode == 0, out + err
    assert recorded(study.parent / "results")["train"] == 2
    assert answers(study.parent / "results") == answers(tmp_path / "undisturbed")


@pytest.mark.slow
def test_ten_kills_lose_double_and_change_nothing():
    options = ["--kills", "10", "--minutes", "4", "--seed", "3"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "kill.py"), *options],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "faults: 0" in done.stdout


def test_a_finished_command_leaves_no_process(ran):
    assert processes_with(f"VLF_TEST_MARK={ran.study.parent}") == []
