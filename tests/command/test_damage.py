"""Files that were damaged and disks that are full, as the command meets them."""

import contextlib
import json
import os
import shutil
import subprocess

import pytest
from study_runs import QUIET, answers, run


def record_of(study, name):
    """The path and the values of a model's train record."""
    for path in (study.parent / "results" / "records").glob("train-*.json"):
        values = json.loads(path.read_text("utf-8"))
        if values["config"]["model"]["name"] == name:
            return path, values
    raise AssertionError(f"no record of {name}")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip_a_bit, pytest.param(cut, marks=pytest.mark.slow)])
def test_a_damaged_prediction_file_is_named_and_set_aside_and_its_cell_runs_again(
    copied, quiet, damage
):
    _, values = record_of(copied, "tsn")
    other, _ = record_of(copied, "vlf")
    kept = other.stat().st_mtime_ns
    file = copied.parent / "results" / values["artifacts"]["predictions"]["path"]
    damage(file)

    first = run(copied, code=1)

    assert f"set aside in {file.parent.relative_to(copied.parent)}/damaged" in first.stdout
    assert "4 planned = 0 done + 3 reused + 0 skipped + 0 failed + 1 not run" in first.stdout
    assert (file.parent / "damaged" / file.name).exists()
    again = run(copied)
    assert "4 planned = 1 done + 3 reused + 0 skipped + 0 failed + 0 not run" in again.stdout
    assert answers(copied.parent / "results") == answers(quiet.parent / "results")
    assert other.stat().st_mtime_ns == kept  # nothing else was touched


@pytest.mark.parametrize("damage", [flip_a_bit, pytest.param(cut, marks=pytest.mark.slow)])
def test_a_damaged_record_is_named_and_set_aside_and_its_cell_runs_again(copied, quiet, damage):
    path, _ = record_of(copied, "tsn")
    damage(path)

    out = run(copied).stdout

    assert f"warning: {path.name}: " in out
    assert "4 planned = 1 done + 3 reused + 0 skipped + 0 failed + 0 not run" in out
    assert (path.parent / "damaged" / path.name).exists()
    assert answers(copied.parent / "results") == answers(quiet.parent / "results")


@contextlib.contextmanager
def mounted(folder, size):
    """A file system of its own, in memory; skips openly where that may not be made."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder, option):
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def copy_half(quiet, study):
    """A finished study's results without what they have of TSN's training."""
    results = study.parent / "results"
    shutil.copytree(quiet.parent / "results", results, dirs_exist_ok=True)
    path, values = record_of(study, "tsn")
    for file in (path, *(results / one["path"] for one in values["artifacts"].values())):
        file.unlink()


def test_a_full_disk_stops_the_run_in_one_line_and_loses_nothing(study, quiet):
    study.write_text(QUIET, "utf-8")
    with mounted(study.parent / "results", "16m") as results:
        copy_half(quiet, study)
        before = answers(results)
        filler = results / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))

        full = run(study, code=1)

        assert "No space left on device" in full.stderr
        assert "fix this and run the command again" in full.stderr
        assert len(full.stderr.splitlines()) == 1
        assert "4 planned = 0 done + 3 reused + 0 skipped + 0 failed + 1 not run" in full.stdout
        assert answers(results) == before
        assert not list(results.glob("**/*.draft"))
        filler.unlink()
        assert "4 planned = 1 done + 3 reused" in run(study).stdout


def test_a_read_only_folder_is_reported_in_one_line_and_can_be_looked_at(study, quiet):
    study.write_text(QUIET, "utf-8")
    with mounted(study.parent / "results", "16m") as results:
        copy_half(quiet, study)
        path, _ = record_of(study, "vlf")
        cut(path)
        remount(results, "ro")

        refused = run(study, code=1)
        status = run(study, "--status", code=1)

        assert "Read-only file system" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert "4 planned = 0 done + 2 reused + 0 skipped + 0 failed + 2 not run" in refused.stdout
        assert "cannot be set aside: Read-only file system" in status.stdout
        assert "2 reused + 0 skipped + 0 failed + 2 not run" in status.stdout
