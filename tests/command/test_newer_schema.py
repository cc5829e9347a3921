"""A results folder that a later version has written into, as the command meets it."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from study_runs import ALONE, copy_records, refused, run

from study.records.schema import LEDGER, RECORD

NEXT = RECORD.present + 1
ASKED = (
    (),
    ("--plan",),
    ("--status",),
    ("--report",),
    ("--retry-failed",),
    ("--results", "nothing", "--compare", "results"),
)

SMALL = ALONE.replace("seeds: [0, 1]", "seeds: [0]\nclaims: ['top1[VLF] > 1']")


def raise_schema(path):
    """Write a record as a later version would: with the next number, and a right checksum."""
    values = json.loads(path.read_text("utf-8"))
    del values["checksum"]
    values["schema"] = NEXT
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**values, "checksum": digest}), "utf-8")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ran):
    path = tmp_path_factory.mktemp("newer") / "order.yaml"
    path.write_text(SMALL, "utf-8")
    copy_records(ran.results, path.parent / "results", models=["vlf"])
    run(path)
    return path


@pytest.mark.parametrize("kind", ["train", "cost"])
def test_a_study_with_a_newer_record_is_refused_in_one_line_and_nothing_is_changed(finished, kind):
    path = next((finished.parent / "results" / "records").glob(f"{kind}-*.json"))
    was = path.read_text("utf-8")
    raise_schema(path)
    before = contents(finished.parent)
    try:
        for what in (*((finished, *options) for options in ASKED), (path, "--reproduce")):
            said = refused(*what).splitlines()

            assert len(said) == 1
            assert (
                f"{path.name}: has schema 2, and this version of the project reads up to 1"
                in said[0]
            )
            assert said[0].endswith("or a later one; nothing of it was changed")
            assert contents(finished.parent) == before
    finally:
        path.write_text(was, "utf-8")


def test_a_newer_ledger_of_claims_is_refused_before_a_job_runs(finished):
    results = finished.parent / "results"
    ledger = results / "order" / "claims.json"
    was = ledger.read_text("utf-8")
    newer = was.replace(f'"schema": {LEDGER.present}', f'"schema": {LEDGER.present + 1}')
    ledger.write_text(newer, "utf-8")
    for path in (results / "records").glob("train-*.json"):
        path.unlink()

    said = run(finished, code=2).stderr

    assert f"{ledger.relative_to(finished.parent)}: has schema {LEDGER.present + 1}" in said
    assert list((results / "records").glob("train-*.json")) == []
    assert ledger.read_text("utf-8") == newer


def test_a_newer_cost_of_another_device_is_told_beside_the_report(finished, tmp_path):
    study = Path(shutil.copy(finished, tmp_path))
    for path in (finished.parent / "results" / "records").glob("cost-*.json"):
        copy = tmp_path / "results" / "records" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        raise_schema(Path(shutil.copy(path, copy)))

    out = run(study, "--report", "--device-name", "other", code=1).stdout

    assert out.count(f": passed over: has schema {NEXT}") == 1
