import numpy as np
import pytest

from analysis.results import artifacts
from analysis.results.artifacts import Artifacts


def test_a_file_is_read_once_and_nobody_changes_what_the_next_gets(maker):
    outcome = maker.train({"variant": "VLF"}, 0, 80.0)
    files = Artifacts(maker.root)
    first = files.load(outcome, "curves")
    (maker.root / outcome.record.artifacts["curves"].path).unlink()

    assert files.load(outcome, "curves") is first
    with pytest.raises(ValueError, match="read-only"):
        first["epoch"][0] = 7
    assert files.problems == []


def test_what_there_is_no_room_for_is_read_again(maker, monkeypatch):
    outcome = maker.train({"variant": "VLF"}, 0, 80.0)
    other = maker.train({"variant": "TSN"}, 0, 10.0)
    size = sum(array.nbytes for array in Artifacts(maker.root).load(outcome, "curves").values())
    monkeypatch.setattr(artifacts, "MOST_KEPT", size)
    files = Artifacts(maker.root)

    kept, again = files.load(outcome, "curves"), files.load(other, "curves")

    assert files.load(outcome, "curves") is kept
    assert files.load(other, "curves") is not again
    assert np.array_equal(files.load(other, "curves")["val_top1"], again["val_top1"])
