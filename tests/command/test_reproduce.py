"""`--reproduce`: one record again, from what it stored."""

import dataclasses
import io
import json

import numpy as np
import pytest
from study_runs import copy_records, refused, run

from study.records.record import Artifact, Record


@pytest.fixture(scope="module")
def results(tmp_path_factory, ran):
    """A results folder of one cell and seed, and its costs."""
    folder = tmp_path_factory.mktemp("again") / "results"
    copy_records(ran.results, folder, models=["tsn"])
    return folder


def record_of(results, kind="train"):
    return min((results / "records").glob(f"{kind}-*.json"))


def rewritten(path, **changes):
    """The record with other values and a checksum that fits, beside it."""
    record = dataclasses.replace(Record.from_json(path.read_text("utf-8")), **changes)
    other = path.with_name(f"other-{path.name}")
    other.write_text(record.to_json(), "utf-8")
    return other


def reproduce(path, code):
    return run(path, "--reproduce", code=code)


def test_a_record_comes_back_bit_for_bit_and_nothing_is_written(results):
    path = record_of(results)
    before = sorted(results.rglob("*"))

    told = reproduce(path, code=0).stdout

    assert "top1" in told
    assert "differs" not in told
    assert "scores of " in told
    assert "the same, bit for bit" in told
    assert sorted(results.rglob("*")) == before


def test_other_numbers_and_predictions_are_told(results):
    path = record_of(results)
    record = Record.from_json(path.read_text("utf-8"))
    measured = [
        dataclasses.replace(m, samples=(m.samples[0] + 1,)) if m.metric == "top1" else m
        for m in record.measurements
    ]
    artifact = record.artifacts["predictions"]
    with np.load(results / artifact.path) as arrays:
        changed = dict(arrays)
    changed["scores"] = changed["scores"].copy()
    changed["scores"][0] = np.roll(changed["scores"][0], 1)  # one clip's answer is another
    content = io.BytesIO()
    np.savez(content, **changed)
    (results / "other.npz").write_bytes(content.getvalue())
    other = rewritten(
        path,
        measurements=tuple(measured),
        artifacts={**record.artifacts, "predictions": Artifact("other.npz", artifact.sha256)},
    )

    told = reproduce(other, code=1).stdout

    assert "differs" in told
    assert f"1 of {len(changed['scores'])} answers are others" in told


def test_what_cannot_be_run_again_is_one_line(results, tmp_path):
    path = record_of(results)
    record = Record.from_json(path.read_text("utf-8"))
    torn = tmp_path / "torn.json"
    torn.write_text(path.read_text("utf-8")[:-20])
    config = json.loads(json.dumps(record.config))
    config["train"]["epochs"] += 1
    unread = {**record.config, "train": {**record.config["train"], "speed": 9}}
    cases = {
        tmp_path / "gone.json": "cannot be read",
        torn: "not a whole record",
        record_of(results, "cost"): "is of costs, which are timed anew with --cost-only",
        rewritten(path, config=config): "is not what it was",
    }
    for case, said in cases.items():
        error = refused(case, "--reproduce")
        assert error.startswith(f"error: --reproduce: {case}: ")
        assert said in error
    error = refused(rewritten(path, config=unread), "--reproduce")
    assert "this version does not read its config: train.speed" in error
