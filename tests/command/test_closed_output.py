"""Output whose reader has left: commands that show end in silence, commands that work go on."""

import os
import shutil
import subprocess
import sys

import pytest
from study_runs import ROOT, STUDY, command

from study.cli.console import LastingConsole, console_for


def closed_pipe():
    """The writing end of a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def into_closed(arguments, folder, both=False):
    """Exit code, and what is said on stderr."""
    writer = closed_pipe()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            stdout=writer,
            stderr=writer if both else subprocess.PIPE,
            text=True,
            env=environment,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.parametrize("options", ["--help", "--status", "--status --json"])
@pytest.mark.parametrize("both", [False, True])
def test_what_shows_something_ends_in_silence(study, options, both):
    code, said = into_closed(command(study, *options.split()), study.parent, both)

    assert code == 1 or options == "--help"  # argparse ends in 0 where its output is not buffered
    assert said == (None if both else "")


@pytest.mark.slow
def test_a_plan_ends_in_silence(study):
    for options in ("--plan", "--plan --json"):
        assert into_closed(command(study, *options.split()), study.parent) == (1, "")


def test_a_mistake_is_told_where_stderr_is_open(study):
    study.write_text("nothing: 1\n", "utf-8")

    code, said = into_closed(command(study, "--status"), study.parent)

    assert code == 2
    assert said.startswith("error: ")


@pytest.mark.slow
def test_the_check_of_data_ends_in_silence(tmp_path):
    code, said = into_closed([sys.executable, "-m", "vlf.data.check", "--help"], tmp_path)

    assert said == ""
    assert code in (0, 1)  # argparse ends in 0 where its output is not buffered


def test_a_run_goes_on_to_its_report(ran, tmp_path):
    shutil.copytree(ran.results, tmp_path / "results")
    study = tmp_path / ran.study.name
    study.write_text(STUDY.replace("report: {", "report: {figures: [], "), "utf-8")
    report = tmp_path / "results" / "order" / "report.html"
    report.unlink()

    code, said = into_closed(command(study), tmp_path)

    assert code == 0
    assert said == "nobody reads the output any more; the command goes on\n"
    assert report.exists()


def test_commands_that_work_have_a_console_that_lasts():
    assert all(isinstance(console_for(one), LastingConsole) for one in ("run", "report", "gc"))
    assert not isinstance(console_for("plan"), LastingConsole)
