"""Claims by the command: written before the run or after, judged, and the exit code."""

import json

import pytest
from study_runs import STUDY, refused, run

TRUE = "parameters[VLF] < 10 * parameters[TSN]"
FALSE = "macs[VLF] < 0.001 * macs[TSN]"


@pytest.fixture(scope="module")
def claimed(tmp_path_factory):
    """A study that claims what is true, and has run."""
    path = tmp_path_factory.mktemp("claimed") / "order.yaml"
    text = STUDY.replace("seeds: [0, 1]", f"seeds: [0]\nclaims:\n  - {TRUE}")
    path.write_text(text.replace("report: {", "report: {figures: [], "), "utf-8")
    run(path, "--executor", "inline")
    return path


def test_a_claim_is_registered_before_the_first_job_ends(claimed):
    results = claimed.parent / "results"
    (entry,) = json.loads((results / "order" / "claims.json").read_text("utf-8"))["entries"]
    records = [json.loads(p.read_text("utf-8")) for p in (results / "records").glob("*.json")]

    assert entry["text"] == TRUE
    assert len(records) == 4
    assert all(entry["written"] <= record["started"] for record in records)


def test_claims_that_hold_exit_0_and_one_that_does_not_exits_3_and_was_written_after(claimed):
    before = run(claimed, "--claims")
    assert "supported" in before.stdout
    assert "before the first result" in before.stdout

    text = claimed.read_text("utf-8")
    claimed.write_text(text.replace(f"  - {TRUE}", f"  - {TRUE}\n  - {FALSE}"), "utf-8")
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
