import dataclasses
import hashlib
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from study.records.record import Measurement, Record, RecordError
from study.records.store import Key, Store

KEY = Key("train", "a" * 64, "f" * 64, {"model": {"name": "tsn"}})


def record(attempt="one", status="done", value=50.0, **changes):
    values = {
        "kind": "train",
        "identity": KEY.identity,
        "status": status,
        "config": KEY.config,
        "seed": 0,
        "device": "cpu",
        "fingerprint": KEY.fingerprint,
        "measurements": (Measurement("top1", "%", "higher", (value,), conditions={"views": 1}),),
        "environment": {"torch": "2"},
        "attempt": attempt,
        "started": "2026-01-01T00:00:00",
        "seconds": 1.5,
    }
    return Record(**{**values, **changes})


def test_a_record_read_back_equals_the_one_written(tmp_path):
    Store(tmp_path).add(KEY, record())

    assert Store(tmp_path).done(KEY) == [record()]


def test_the_first_complete_record_wins(tmp_path):
    store = Store(tmp_path)
    store.add(KEY, record("one", value=50.0))

    kept = store.add(KEY, record("two", value=60.0))

    assert kept.attempt == "one"
    assert [found.attempt for found in store.done(KEY)] == ["one"]
    assert list(store.records.glob(".*")) == []  # no draft is left behind


def _write_value(root, value):
    Store(root).add(KEY, record(f"attempt{value}", value=float(value)))


def test_of_many_writers_at_once_exactly_one_is_kept_whole(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_value, args=(tmp_path, i)) for i in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0] * 8
    assert len(Store(tmp_path).done(KEY)) == 1


def test_the_names_of_a_record_and_of_its_files_are_synced_with_them(tmp_path, monkeypatch):
    """A spy on the real call: what it synced, and which names were in a folder by then."""
    synced, sync = [], os.fsync

    def spy(descriptor):
        sync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        names = {one.suffix for one in path.iterdir()} if path.is_dir() else {path.suffix}
        synced.append((path.name if path.is_dir() else path.parent.name, names))

    monkeypatch.setattr(os, "fsync", spy)
    store = Store(tmp_path)
    artifact = store.add_artifact(KEY, "one", "predictions", b"scores")
    store.add(KEY, record(artifacts={"predictions": artifact}))

    draft = {".draft"}
    assert synced == [
        ("artifacts", draft),
        ("artifacts", {".npz"}),
        ("records", draft),
        ("records", {*draft, ".json"}),
    ]


@pytest.mark.parametrize("cut", [0, 1, 200, -1])
def test_a_torn_record_is_set_aside_and_its_job_is_not_done(tmp_path, cut):
    store = Store(tmp_path)
    store.add(KEY, record())
    (path,) = store.records.glob("train-*.json")
    path.write_text(path.read_text()[:cut])

    assert store.done(KEY) == []
    assert len(store.damaged) == 1
    assert path.name in store.damaged[0]
    assert (store.records / "damaged" / path.name).exists()


def test_a_damaged_record_does_not_win_over_a_whole_one(tmp_path):
    store = Store(tmp_path)
    store.add(KEY, record("damaged"))
    (path,) = store.records.glob("train-*.json")
    path.write_bytes(path.read_bytes()[:-2])

    kept = store.add(KEY, record("whole"))

    assert kept.attempt == "whole"
    assert store.find(KEY) == record("whole")
    assert (store.records / "damaged" / path.name).exists()


def test_a_record_is_struck_out_with_its_damaged_file(tmp_path):
    store = Store(tmp_path)
    artifact = store.add_artifact(KEY, "one", "predictions", b"scores")
    store.add(KEY, record(artifacts={"predictions": artifact}))

    store.strike(store.done(KEY)[0], "predictions")

    assert store.done(KEY) == []
    assert len(list(tmp_path.glob("records/damaged/train-*.json"))) == 1
    assert [one.read_bytes() for one in tmp_path.glob("artifacts/damaged/*")] == [b"scores"]
    assert "its predictions are damaged" in store.damaged[0]
    assert store.add(KEY, record("again")).attempt == "again"


def test_a_write_that_fails_leaves_no_draft(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(28, "No space left on device")

    store = Store(tmp_path)
    monkeypatch.setattr("study.records.store.os.fsync", refuse)
    with pytest.raises(OSError, match=r"No space left on device: .*draft"):
        store.add(KEY, record())
    with pytest.raises(OSError, match=r"No space left on device: .*draft"):
        store.add_artifact(KEY, "one", "predictions", b"scores")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_altered_number_is_noticed():
    text = record(value=50.0).to_json()

    with pytest.raises(RecordError, match="checksum"):
        Record.from_json(text.replace("50.0", "90.0"))


def test_a_record_is_a_field_a_line_and_its_checksum_is_of_its_values():
    text = record().to_json()

    values = json.loads(text)
    checksum = values.pop("checksum")
    assert len(text.splitlines()) == 1 + len(values)
    assert list(values) == sorted(values)
    plain = json.dumps(values, sort_keys=True)
    assert hashlib.sha256(plain.encode()).hexdigest() == checksum


@pytest.mark.parametrize("layout", [{"indent": 1}, {"separators": (",", ":")}])
def test_a_record_in_another_layout_is_read_as_older_versions_wrote_it(layout):
    text = json.dumps(json.loads(record().to_json()), **layout)

    assert Record.from_json(text) == record()
    with pytest.raises(RecordError, match="checksum"):
        Record.from_json(text.replace("50.0", "90.0"))


def test_a_failed_record_is_never_taken_for_a_done_one(tmp_path):
    store = Store(tmp_path)
    store.add(KEY, record("one", status="failed", measurements=(), reason="diverged"))
    store.add(KEY, record("two", status="failed", measurements=(), reason="diverged"))

    assert store.done(KEY) == []
    assert len(store.failed(KEY)) == 2


def test_forgiven_failures_no_longer_count_but_stay_on_disk(tmp_path):
    store = Store(tmp_path)
    store.add(KEY, record("one", status="failed", measurements=(), reason="diverged"))

    store.forgive(KEY)

    assert store.failed(KEY) == []
    assert len(list(store.records.glob("*forgiven*"))) == 1


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(KEY, fingerprint="e" * 64),
        dataclasses.replace(KEY, config={"model": {"name": "tsn", "dropout": 0.5}}),
    ],
    ids=["other code", "other defaults"],
)
def test_a_record_of_other_code_or_defaults_is_another_variant(tmp_path, other):
    store = Store(tmp_path)
    store.add(KEY, record())

    assert store.done(other) == []
    assert store.others(other) == [record()]


def test_the_newest_checkpoint_comes_first(tmp_path):
    store = Store(tmp_path)
    for number, attempt in enumerate(("old", "new")):
        path = store.attempt_folder(KEY, attempt) / "checkpoint.pt"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        os.utime(path, ns=(number, number))

    assert [path.parent.name for path in store.checkpoints(KEY)] == ["new", "old"]
    store.clear_attempts(KEY)
    assert store.checkpoints(KEY) == []


def test_looking_for_records_writes_nothing(tmp_path):
    root = tmp_path / "results"

    assert Store(root).done(KEY) == []
    assert not root.exists()
