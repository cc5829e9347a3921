"""Claims by the command: written before the run or after, judged, and the exit code."""

import json
import shutil

import pytest
from study_runs import STUDY, TRUE_CLAIM, records, refused, run

FALSE = "macs[VLF] < 0.001 * macs[TSN]"


@pytest.fixture(scope="module")
def claimed(tmp_path_factory, ran):
    """A copy of the finished study, which claims what is true."""
    folder = tmp_path_factory.mktemp("claimed")
    shutil.copytree(ran.study.parent, folder, dirs_exist_ok=True)
    path = folder / "order.yaml"
    path.write_text(path.read_text("utf-8").replace("report: {", "report: {figures: [], "), "utf-8")
    return path


def test_a_claim_is_registered_before_the_first_job_ends(claimed):
    results = claimed.parent / "results"
    (entry,) = json.loads((results / "order" / "claims.json").read_text("utf-8"))["entries"]
    made = records(results) + records(results, "cost")

    assert entry["text"] == TRUE_CLAIM
    assert len(made) == 6
    assert all(entry["written"] <= record["started"] for record in made)


def test_claims_that_hold_exit_0_and_one_that_does_not_exits_3_and_was_written_after(claimed):
    before = run(claimed, "--claims")
    assert "supported" in before.stdout
    assert "before the first result" in before.stdout

    text = claimed.read_text("utf-8")
    claimed.write_text(text.replace(f"  - {TRUE_CLAIM}", f"  - {TRUE_CLAIM}\n  - {FALSE}"), "utf-8")
    after = run(claimed, "--claims", code=3)

    assert "contradicted" in after.stdout
    assert "written after the first result" in after.stdout


def test_a_wrong_claim_is_one_line_and_exit_code_2(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY.replace("seeds:", "claims: ['top1[VFL] > top1[TSN]']\nseeds:"), "utf-8")

    wrong = refused(path, "--claims")

    assert wrong.startswith("error: ")
    assert 'order.yaml:10: claims[0]: no factor has the level "VFL"' in wrong
    assert wrong.count("\n") == 1
