import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.executors.slurm.queue import minutes
from study.executors.slurm.snapshot import take_snapshot
from study.executors.slurm.submissions import (
    Entry,
    log_of,
    new_submission,
    read_place,
    read_submissions,
    write_place,
    write_submission,
)
from study.records.environment import source_state

ROOT = Path(__file__).parents[2]


def git(folder, *words):
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path):
    """A source tree under git."""
    root = tmp_path / "tree"
    for name in (
        "vlf/model.py", "study/__init__.py", "study/run.py", "analysis/page.j2", "run_study.py",
    ):  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if path.name == "__init__.py" else f"print({name!r})\n")
    git(tmp_path, "init", "-q", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def test_a_snapshot_is_a_copy_that_runs_and_names_its_commit(tree, tmp_path):
    copy = take_snapshot(tmp_path / "code", tree)

    assert (copy / "analysis" / "page.j2").read_text() == "print('analysis/page.j2')\n"
    elsewhere = {**os.environ, "PYTHONPATH": str(ROOT)}  # the copy comes before what is said there
    done = subprocess.run(
        [sys.executable, "-m", "study.run"],
        cwd=copy,
        capture_output=True,
        text=True,
        env=elsewhere,
    )
    assert done.stdout == "study/run.py\n"
    assert source_state(copy) == source_state(tree)
    assert source_state(copy)["dirty"] == "no"


def test_the_same_code_is_copied_once_and_edited_code_into_a_folder_of_its_own(tree, tmp_path):
    first = take_snapshot(tmp_path / "code", tree)
    assert take_snapshot(tmp_path / "code", tree) == first

    (tree / "vlf" / "model.py").write_text("print('edited')\n")
    second = take_snapshot(tmp_path / "code", tree)

    assert second != first
    assert (first / "vlf" / "model.py").read_text() == "print('vlf/model.py')\n"
    assert source_state(second)["dirty"] == "yes"
    assert len(list((tmp_path / "code").iterdir())) == 2  # no half copy beside them


def test_a_manifest_is_read_as_it_was_written_and_replaced_whole(tmp_path):
    packs = ((Entry("train-a", "x1", "VLF, seed=0"),), (Entry("train-b", "x2", "TSN, seed=0"),))
    one = new_submission("train", "/a/study.yaml", packs, timeout_min=5)
    other = new_submission("train", "/a/study.yaml", packs[:1], timeout_min=5)
    for submission in (one, other):
        write_submission(tmp_path, submission)

    assert read_submissions(tmp_path) == [one, other]
    write_submission(tmp_path, dataclasses.replace(other, job="12"))
    assert [each.job for each in read_submissions(tmp_path)] == ["", "12"]
    assert one.job_name != other.job_name


def test_an_element_says_which_task_of_its_pack_it_is_at(tmp_path):
    assert read_place(tmp_path, 3) == -1
    write_place(tmp_path, 3, 1)
    write_place(tmp_path, 3, 2)

    assert read_place(tmp_path, 3) == 2
    assert read_place(tmp_path, 2) == -1


def test_the_log_of_an_array_element_has_its_index(tmp_path):
    entry = (Entry("train-a", "x", "a"),)
    array = new_submission("train", "s", (entry, entry), 5)
    alone = new_submission("train", "s", (entry,), 5)

    assert log_of(tmp_path, array, 1).name.endswith("_1_0_log.out")
    assert log_of(tmp_path, alone, 0).name.endswith("_0_log.out")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("1-02:03:30", 1563.5),
        ("02:03:00", 123),
        ("01:00", 1),
        ("1:00:00", 60),
        ("infinite", None),
        ("n/a", None),
    ],
)
def test_slurms_times_in_minutes(limit, expected):
    assert minutes(limit) == expected
