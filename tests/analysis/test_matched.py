"""The column `matched`, from records that are made by hand."""

import dataclasses

import pytest

from analysis.prose.methods import methods
from analysis.results.results import Results
from analysis.stats.estimates import median_ratio
from analysis.tables.main import main_table
from study.records.record import Reached
from study.spec.match import Matching, Scale

BY = (Scale("vlf", {}, "vlf", "width"), Scale("TSN", {"variant": "TSN"}, "", ""))
TIMES = "\N{MULTIPLICATION SIGN}"


def with_model(outcome, **model):
    record = outcome.record
    config = {**record.config, "model": model}
    return dataclasses.replace(outcome, record=dataclasses.replace(record, config=config))


def column(results, metric="MACs"):
    table = main_table(results)
    at = table.header.index(f"matched ({metric})")
    return [row[at] for row in table.rows], table


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

    entries, table = column(Results(study, outcomes, maker.root))

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

    entries, table = column(Results(study, outcomes, maker.root))

    assert entries[0].text == f"width 64, 1.000{TIMES}"
    assert "within 5 % of 60 M (" in table.remarks[-1]


def test_a_cell_without_a_count_has_no_ratio(maker, outcomes):
    study = maker.study({"variant": [one.levels["variant"] for one in outcomes]})
    study = dataclasses.replace(study, match=Matching("macs", {"variant": "VLF"}, BY, 0.05))
    failed = maker.train({"variant": "no g"}, 0, 0.0, status="failed", reason="diverged")
    lost = dataclasses.replace(outcomes[1], status="not run", record=None)
    rows = [outcomes[0], lost, with_model(failed, name="vlf", width=68), *outcomes[2:]]

    entries, _ = column(Results(study, rows, maker.root))

    assert entries[1].text == "width 68, not counted"


def test_a_study_that_matches_nothing_has_no_such_column(maker, seven_study):
    table = main_table(Results(seven_study, maker.seven(), maker.root))

    assert not any("matched" in heading for heading in table.header)


def timed_study(maker, outcomes, within):
    match = Matching("latency", {"variant": "VLF"}, BY, within)
    study = maker.study({"variant": [one.levels["variant"] for one in outcomes]})
    return dataclasses.replace(study, seeds=(), match=match)


def rounds(outcome):
    (latency,) = [
        m
        for m in outcome.record.measurements
        if m.metric == "latency" and m.conditions["batch_size"] == 1
    ]
    return dict(zip(latency.rounds, latency.samples, strict=True))


def test_a_matched_latency_is_told_as_this_report_measured_it_beside_what_was_chosen_by(
    maker, outcomes
):
    reached = Reached(1.012, 0.99, 1.031, "Another CPU")
    outcomes[1] = dataclasses.replace(outcomes[1], reached=reached)
    results = Results(timed_study(maker, outcomes, 0.05), outcomes, maker.root)

    entries, table = column(results, "latency")

    ratio = median_ratio(rounds(outcomes[1]), rounds(outcomes[0]))
    assert entries[0].text == "target"
    assert entries[1].text == (
        f"width 68, {ratio.value:.3f}{TIMES} [{ratio.low:.3f}, {ratio.high:.3f}]"
    )
    assert entries[1].notes == (f"when it was chosen, on Another CPU: 1.012{TIMES} [0.990, 1.031]",)
    assert entries[2].text.startswith("as it is, ")
    assert table.remarks[-1] == (
        "Matched: before the run, cells were scaled so that their latency comes within 5 % of that "
        "of VLF (vlf by width), chosen by timing a few values of each at batch 1 beside its target "
        "on Another CPU; the last number is the multiple reached, as the costs of this report have "
        "it."
    )
    design = methods(results)[0]
    assert table.remarks[-1] in design.sentences
    assert f"no g: {entries[1].text}" in design.items


def test_a_latency_that_has_left_the_tolerance_since_it_was_chosen_is_marked(maker, outcomes):
    slow = maker.cost({"variant": "no g"}, 1000, 57e6, 8.0)
    reached = Reached(1.0, 0.99, 1.01, "Some CPU")
    outcomes[1] = dataclasses.replace(with_model(slow, name="vlf", width=68), reached=reached)

    entries, _ = column(
        Results(timed_study(maker, outcomes, 0.05), outcomes, maker.root), "latency"
    )

    assert entries[1].notes == (
        "outside of the 5 % that were asked for",
        f"when it was chosen, on Some CPU: 1.000{TIMES} [0.990, 1.010]",
    )


def test_latencies_of_two_timing_runs_have_no_ratio(maker, outcomes):
    other = maker.cost({"variant": "no g"}, 1000, 57e6, 5.0, run="run-2")
    outcomes[1] = with_model(other, name="vlf", width=68)

    entries, _ = column(
        Results(timed_study(maker, outcomes, 0.05), outcomes, maker.root), "latency"
    )

    assert entries[1].text == "width 68, not timed"
