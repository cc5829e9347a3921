"""A results folder in use: what `--gc` leaves of it, and a study on another machine."""

import csv
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from study_runs import QUIET, answers, command, run

LONG = QUIET.replace("epochs: 2", "epochs: 30").replace("train_clips: 48", "train_clips: 160")


def numbers(folder):
    """All that a report says of records, less when and in which folder it was made."""
    with (folder / "records.csv").open(newline="") as file:
        return list(csv.reader(file)), (folder / "table.csv").read_text("utf-8")


def test_what_an_edited_study_left_goes_and_the_study_is_reused(copied):
    records = copied.parent / "results" / "records"
    needed = {path: path.read_bytes() for path in records.glob("*.json")}
    copied.write_text(QUIET.replace("epochs: 2", "epochs: 1"), "utf-8")
    run(copied)
    left = {*records.glob("*.json")} - needed.keys()
    copied.write_text(QUIET, "utf-8")
    run(copied)
    for path in (copied.parent / "results" / "studies").glob("*.json"):
        if str(copied) not in path.read_text("utf-8"):
            path.unlink()  # the folder is a copy: its origin is another study of that name

    shown = run(copied, "--gc").stdout
    assert "no study known here has this job" in shown
    assert "nothing was removed" in shown
    assert len(left) == 2
    assert left < {*records.glob("*.json")}
    run(copied, "--gc", "--yes")

    assert {path: path.read_bytes() for path in records.glob("*.json")} == needed
    assert len(answers(copied.parent / "results")) == 2  # with their predictions
    assert "4 planned = 0 done + 4 reused" in run(copied).stdout


def test_a_study_taken_elsewhere_is_reused_whole_with_the_same_numbers(copied, tmp_path):
    run(copied, "--report")  # where all is reused, as there
    out = run(copied, "--archive", "order.zip").stdout
    assert "order.zip: 4 records" in out
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(copied.parent / "order.zip", elsewhere)

    out = run(elsewhere / "order.zip", "--import").stdout
    assert "4 records: 4 new" in out
    study = elsewhere / out.split("its study file: ")[1].strip()
    again = run(elsewhere / "order.zip", "--import").stdout
    assert "4 records: 0 new, 4 here already, 0 other" in again

    options = ("--results", str(elsewhere / "results"))
    plain = run(study, *options)
    assert "4 planned = 0 done + 4 reused + 0 skipped + 0 failed + 0 not run" in plain.stdout
    run(study, "--report", *options)
    there, here = (copied.parent / "results" / "order", elsewhere / "results" / "order")
    assert numbers(there) == numbers(here)
    assert "nothing to remove" in run(study, "--gc", *options).stdout


def test_an_import_that_is_killed_leaves_a_folder_that_another_completes(copied, tmp_path):
    run(copied, "--archive", "order.zip")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(copied.parent / "order.zip", elsewhere)
    kill = "import os, signal\nreal, count = os.replace, [0]\n"
    kill += "def replace(*args):\n    count[0] += 1\n    real(*args)\n"
    kill += "    count[0] < {0} or os.kill(os.getpid(), signal.SIGKILL)\n"
    kill += "os.replace = replace\nimport sys, run_study\n"
    kill += "sys.exit(run_study.main(['order.zip', '--import']))"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    for moves in (1, 2, 4):
        words = [command("")[0], "-c", kill.format(moves)]
        done = subprocess.run(words, cwd=elsewhere, env=environment, capture_output=True)
        assert done.returncode == -signal.SIGKILL

    out = run(elsewhere / "order.zip", "--import").stdout
    assert "0 other than those here" in out
    assert answers(elsewhere / "results") == answers(copied.parent / "results")


@pytest.mark.slow
def test_a_run_beside_which_all_is_tidied_up_ends_as_if_alone(copied, tmp_path):
    """A run of another study trains; `--gc --yes` of the finished one is called all the while."""
    other = tmp_path / "long.yaml"
    other.write_text(LONG, "utf-8")
    process = subprocess.Popen(
        command(other),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    attempts = tmp_path / "results" / "attempts"
    while not list(attempts.glob("*/*/checkpoint.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    told = run(copied, "--gc", "--yes").stdout
    assert "at work: process" in told
    assert list(attempts.glob("*/*/checkpoint.pt")) or process.poll() is not None

    out = process.communicate()[0]

    assert process.returncode == 0
    assert "4 planned = 2 done + 2 reused" in out
    assert "nothing to remove" in run(copied, "--gc").stdout
    notes = [path.read_text("utf-8") for path in (tmp_path / "results/records").glob("train-*")]
    assert not any("left a checkpoint" in one for one in notes)
    assert "4 planned = 0 done + 4 reused" in run(copied, "--status").stdout
