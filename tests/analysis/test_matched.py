"""The column `matched`, from records that are made by hand."""

import dataclasses

import pytest
from outcomes import column_of, with_record

from analysis.results.results import Results
from analysis.tables.main import main_table
from study.spec.match import Matching, Scale

BY = (Scale("vlf", {}, "vlf", "width"), Scale("TSN", {"variant": "TSN"}, "", ""))
TIMES = "\N{MULTIPLICATION SIGN}"


def with_model(outcome, **model):
    return with_record(outcome, config={**outcome.record.config, "model": model})


@pytest.fixture
def outcomes(maker):
    found = []
    for label, name, width, macs in (
        ("VLF", "vlf", 64, 60e6), ("no g", "vlf", 68, 57e6), ("TSN", "tsn", 0, 30e6),
        ("far", "vlf", 96, 90e6),
    ):  # fmt: skip
        cost = maker.cost({"variant": label}, 1000, macs, 5.0)
        found.append(with_model(cost, name=name, width=width))
    return found


def test_each_row_has_its_value_and_its_share_of_the_targets_macs(maker, outcomes):
    match = Matching("macs", {"variant": "VLF"}, BY, 0.05)
    labels = [one.levels["variant"] for one in outcomes]
    study = dataclasses.replace(maker.study({"variant": labels}), seeds=(), match=match)

    table = main_table(Results(study, outcomes, maker.root))
    entries = column_of(table, "matched (MACs)")

    assert [entry.text for entry in entries] == [
        "target", f"width 68, 0.950{TIMES}", f"as it is, 0.500{TIMES}", f"width 96, 1.500{TIMES}"
    ]  # fmt: skip
    assert [entry.notes for entry in entries] == [
        (), (), (), ("outside of the 5 % that were asked for",)
    ]  # fmt: skip
    assert "MACs come within 5 % of those of VLF" in table.remarks[-1]
    assert "(vlf by width)" in table.remarks[-1]


def test_a_target_in_numbers_has_no_row_of_its_own(maker, outcomes):
    study = maker.study({"variant": [one.levels["variant"] for one in outcomes]})
    study = dataclasses.replace(study, seeds=(), match=Matching("macs", 60e6, BY, 0.05))

    table = main_table(Results(study, outcomes, maker.root))
    entries = column_of(table, "matched (MACs)")

    assert entries[0].text == f"width 64, 1.000{TIMES}"
    assert "within 5 % of 60 M (" in table.remarks[-1]


def test_a_cell_without_a_count_has_no_ratio(maker, outcomes):
    study = maker.study({"variant": [one.levels["variant"] for one in outcomes]})
    study = dataclasses.replace(study, match=Matching("macs", {"variant": "VLF"}, BY, 0.05))
    failed = maker.train({"variant": "no g"}, 0, 0.0, status="failed", reason="diverged")
    lost = dataclasses.replace(outcomes[1], status="not run", record=None)
    rows = [outcomes[0], lost, with_model(failed, name="vlf", width=68), *outcomes[2:]]

    entries = column_of(main_table(Results(study, rows, maker.root)), "matched (MACs)")

    assert entries[1].text == "width 68, not counted"


def test_a_study_that_matches_nothing_has_no_such_column(maker, seven_study):
    table = main_table(Results(seven_study, maker.seven(), maker.root))

    assert not any("matched" in heading for heading in table.header)
