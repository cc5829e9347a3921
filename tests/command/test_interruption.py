"""A run that is stopped in the middle, by real signals, and goes on."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from study_runs import QUIET, answers, command, copy_costs, run

LONG = QUIET.replace("epochs: 2", "epochs: 12").replace("train_clips: 48", "train_clips: 160")


def start(study, *options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(study, *options),
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def wait_for_checkpoint(study, process):
    while not list((study.parent / "results" / "attempts").glob("*/*/checkpoint.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, ran):
    """What the long study answers if nothing happens to it."""
    path = tmp_path_factory.mktemp("undisturbed") / "order.yaml"
    path.write_text(LONG, "utf-8")
    copy_costs(ran.results, path.parent / "results")
    run(path)
    return answers(path.parent / "results")


@pytest.mark.parametrize(
    "how", ["SIGKILL", "SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)]
)
def test_a_run_stopped_in_the_middle_goes_on_to_the_numbers_of_an_undisturbed_one(
    study, undisturbed, ran, how
):
    study.write_text(LONG, "utf-8")
    copy_costs(ran.results, study.parent / "results")
    process = start(study)
    wait_for_checkpoint(study, process)
    if how == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal's Ctrl-C: to the whole group
    else:
        process.send_signal(getattr(signal, how))
    out, err = process.communicate()
    assert process.returncode == (-9 if how == "SIGKILL" else 130), out + err
    if how != "SIGKILL":
        assert "the same command resumes from here" in err
        assert "Traceback" not in err
        assert "not run" in out

    resumed = run(study)

    assert "0 failed + 0 not run" in resumed.stdout
    records = list((study.parent / "results" / "records").glob("train-*.json"))
    assert len(records) == 2
    assert any("left a checkpoint" in path.read_text("utf-8") for path in records)
    assert answers(study.parent / "results") == undisturbed


def processes_with(word):
    """Pids of processes that have this word in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # it has ended
            continue
    return found


@pytest.fixture
def temporary(monkeypatch):
    """Where temporary files go; its name is short enough for a socket in it."""
    folder = tempfile.mkdtemp()
    monkeypatch.setenv("TMPDIR", folder)
    yield folder
    shutil.rmtree(folder)


def test_a_killed_run_leaves_nothing_of_a_data_parallel_job(study, ran, monkeypatch, temporary):
    monkeypatch.setenv("VLF_TEST_MARK", str(study))
    study.write_text(LONG.replace("epochs: 12", "epochs: 2000, processes: 2"), "utf-8")
    copy_costs(ran.results, study.parent / "results")
    process = start(study, "--only", "variant=VLF,seed=0")
    wait_for_checkpoint(study, process)
    assert len(processes_with(f"VLF_TEST_MARK={study}")) >= 4  # command, job, and its two

    process.kill()
    process.communicate()

    deadline = time.monotonic() + 60
    while left := processes_with(f"VLF_TEST_MARK={study}"):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    cache = "torchinductor_"  # torch's own, which the next run reads
    assert [name for name in os.listdir(temporary) if not name.startswith(cache)] == []


def test_a_cell_with_two_processes_is_trained_by_the_command(study, ran):
    study.write_text(QUIET.replace("    TSN: {model: {name: tsn}}\n", ""), "utf-8")
    copy_costs(ran.results, study.parent / "results")

    out = run(study, "--set", "train.processes=2").stdout

    assert "2 planned = 1 done + 1 reused" in out
