import dataclasses
import io
import math

import pytest
from rich.console import Console

from analysis.report.compare import changes_table, compare_results, find_changes, ratio_of_estimates
from analysis.results.results import Results
from analysis.stats.estimates import Estimate

VLF = {"variant": "VLF"}
TSN = {"variant": "TSN"}


def results(maker, study, latencies, top1=(80.0, 10.0), macs=60e6):
    outcomes = []
    for levels, ms, value in zip((VLF, TSN), latencies, top1, strict=True):
        outcomes += [maker.train(levels, seed, value + seed) for seed in (0, 1, 2)]
        outcomes.append(maker.cost(levels, 100_000, macs, ms))
    return outcomes


@pytest.fixture
def study(maker):
    return maker.study({"variant": ["VLF", "TSN"]})


def changes(maker, study, here, there):
    made = find_changes(*(Results(study, one, maker.root) for one in (here, there)))
    return {(one.cell, one.metric): one for one in made}


def test_the_ratio_of_two_estimates_adds_their_half_widths_as_logarithms():
    ours, theirs = Estimate(2.0, 2.0 / 1.1, 2.0 * 1.1, 40), Estimate(1.0, 1 / 1.2, 1.2, 40)

    ratio = ratio_of_estimates(ours, theirs)

    half = math.exp(math.sqrt(math.log(1.1) ** 2 + math.log(1.2) ** 2))
    assert ratio.value == 2.0
    assert (ratio.low, ratio.high) == pytest.approx((2.0 / half, 2.0 * half))


def test_an_estimate_without_interval_gives_a_ratio_without_one():
    one = Estimate(2.0, None, None, 1)

    assert ratio_of_estimates(one, Estimate(1.0, 0.9, 1.1, 40)).low is None


def test_a_slower_cell_is_worse_and_what_did_not_change_is_the_same(maker, study):
    there = results(maker, study, (6.0, 3.0))
    here = results(maker, study, (6.0, 4.5), macs=54e6)

    found = changes(maker, study, here, there)

    assert found["TSN", "latency (ms), batch 1"].verdict == "worse"
    assert found["TSN", "latency (ms), batch 1"].ratio.value == pytest.approx(1.5, rel=0.05)
    assert found["TSN", "latency / baseline, batch 1"].verdict == "worse"
    assert found["VLF", "latency (ms), batch 1"].verdict == "no difference seen"
    assert ("VLF", "latency / baseline, batch 1") not in found
    assert found["VLF", "parameters"].verdict == "the same"
    assert found["VLF", "macs"].verdict == "better"
    assert found["VLF", "top-1 (%)"].verdict == "the same"


def test_accuracy_is_better_when_it_grows(maker, study):
    there = results(maker, study, (6.0, 3.0), top1=(70.0, 10.0))
    here = results(maker, study, (6.0, 3.0), top1=(80.0, 10.0))
    for outcome in here:  # with some spread, so that there is an interval
        if outcome.kind == "train" and outcome.seed == 0 and outcome.levels == VLF:
            (top1, *others) = outcome.record.measurements
            moved = dataclasses.replace(top1, samples=(81.0,))
            here[here.index(outcome)] = dataclasses.replace(
                outcome, record=dataclasses.replace(outcome.record, measurements=(moved, *others))
            )
            break

    found = changes(maker, study, here, there)

    assert found["VLF", "top-1 (%)"].verdict == "better"
    assert found["VLF", "top-1 (%)"].ratio.value == pytest.approx(31 / 3)


@pytest.mark.parametrize(("gate", "code"), [(None, 0), (0.05, 3), (0.6, 0)])
def test_the_gate_closes_on_a_cost_that_is_worse_by_more_with_confidence(maker, study, gate, code):
    there, here = results(maker, study, (6.0, 3.0)), results(maker, study, (6.0, 4.5))
    out = io.StringIO()

    assert compare_results(study, here, there, gate, Console(file=out, width=200)) == code

    if gate == 0.05:
        assert "worse by more than 5.0%: TSN, latency (ms), batch 1: +" in out.getvalue()
        assert "worse by more than 5.0%: VLF" not in out.getvalue()
    if gate == 0.6:
        assert "no cost is worse by more than 60.0%" in out.getvalue()


def test_a_cell_that_one_folder_lacks_has_no_row(maker, study):
    there = results(maker, study, (6.0, 3.0))
    here = [outcome for outcome in results(maker, study, (6.0, 3.0)) if outcome.levels == VLF]

    table = changes_table(list(changes(maker, study, here, there).values()))

    assert {row[0].text for row in table.rows} == {"VLF", ""}
