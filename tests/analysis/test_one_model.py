"""Cells that share a model share its costs: said once, and never compared with themselves."""

import pytest
from outcomes import rows_of, texts_of

from analysis.findings.verdicts import judge
from analysis.prose.answer import answer_lines
from analysis.report.page.measures import measures
from analysis.results.results import Results
from analysis.tables.claims import claims_table
from analysis.tables.cost import cost_table
from analysis.tables.main import main_table, mark_costs
from analysis.tables.modes import modes_table
from analysis.tables.parts import parts_table
from study.records.record import Measurement
from study.spec.settings import CostConfig, ReportConfig

COSTS = ("parameters", "MACs", "latency", "throughput", "memory")
RATES = ("0.0005", "0.001", "0.002", "0.004")


@pytest.fixture
def one_model(maker):
    return Results(*maker.learning_rates(), maker.root)


@pytest.fixture
def two_models(maker):
    return Results(*maker.rates_of_two(), maker.root)


def test_a_sweep_of_one_model_has_no_cost_columns_and_says_its_costs_once(one_model):
    table = main_table(one_model)

    assert not [name for name in table.header if name.startswith(COSTS)]
    (remark,) = [text for text in table.remarks if text.startswith("All cells are the same model")]
    assert "212 k parameters, 61.2 M MACs a clip, latency 6." in remark
    assert "Latency, throughput" not in table.caption


def test_the_answer_to_a_sweep_of_one_model_has_its_costs_in_one_line(one_model):
    lines = answer_lines(one_model)

    assert [line for line in lines if "latency" in line or "MACs" in line] == lines[-1:]
    assert lines[-1].startswith("All cells are the same model, so their costs are the same: ")


def test_the_detailed_tables_have_the_rows_of_one_model_once(one_model):
    costs, parts = cost_table(one_model), parts_table(one_model)

    assert texts_of(costs, "cell") == ["all cells: the same model"] * 2  # batches of 1 and 8
    assert texts_of(parts, "cell") == ["all cells: the same model"]


def test_cells_of_one_model_are_not_compared_with_themselves(two_models):
    lines = [line for line in answer_lines(two_models) if "lr 0.002 vs." in line]
    lines = [line for line in lines if "on average" not in line]

    assert len(lines) == 2
    assert all(line.endswith("3 seeds); same model, same cost.") for line in lines)
    assert not any("latency" in line for line in lines)


def test_a_column_of_ratios_needs_two_models(two_models):
    assert not [name for name in main_table(two_models).header if name.startswith("latency /")]


def test_a_cell_of_the_baselines_model_says_so_in_the_column_of_ratios(maker):
    cells = [
        ({"variant": "VLF"}, "VLF"),
        ({"variant": "VLF, long"}, "VLF"),
        ({"variant": "TSN"}, "TSN"),
    ]
    study = maker.study({"variant": [levels["variant"] for levels, _ in cells]})
    results = Results(study, maker.sharing(cells), maker.root)

    first, second, third = texts_of(main_table(results), "latency / VLF")

    assert (first, second) == ("baseline", "same model")
    assert third.startswith("0.4")


def test_a_model_that_is_the_cheapest_is_best_in_each_of_its_cells(two_models):
    marks = mark_costs(two_models, "latency", 1)

    assert marks == {"variant=TSN, train.lr=0.001": "best", "variant=TSN, train.lr=0.002": "best"}


def test_a_row_of_a_model_names_its_other_cells(two_models):
    (first, *_), (second, *_) = parts_table(two_models).rows

    assert (first.text, second.text) == ("VLF, lr 0.001", "TSN, lr 0.001")
    assert first.notes == ("also the model of: VLF, lr 0.002",)


def claims_on(maker, claims):
    models, rates = ("VLF", "TSN"), ("0.001", "0.002")
    _, outcomes = maker.rates_of_two()
    study = maker.study(
        {"variant": list(models), "train.lr": list(rates)},
        claims=claims,
        report=ReportConfig(baseline={"train.lr": "0.001"}),
    )
    return Results(study, outcomes, maker.root)


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ("latency[train.lr=0.002] <= latency[train.lr=0.001]", "supported"),
        ("latency[train.lr=0.002] < latency[train.lr=0.001]", "contradicted"),
        ("latency[train.lr=0.002] < 2 * latency[train.lr=0.001]", "supported"),
        ("latency[train.lr=0.002] < 0.5 * latency[train.lr=0.001]", "contradicted"),
        ("throughput[train.lr=0.002] >= throughput[train.lr=0.001]", "supported"),
    ],
)
def test_a_claim_about_one_models_cost_is_decided_by_definition(maker, claim, word):
    results = claims_on(maker, [claim])
    judgement = judge(results)
    (verdict,) = judgement.verdicts

    assert (verdict.word, verdict.reason) == (word, "same model, same cost")
    assert (verdict.p, judgement.family, judgement.data) == (None, 0, "")
    texts = rows_of(claims_table(results))
    assert texts[0][4] == "exact"
    assert [row[2] for row in texts[1:]] == ["same model, same cost"] * 2


def test_another_batch_size_of_one_model_is_another_measurement(maker):
    claim = "latency[variant=VLF, batch_size=8] > latency[variant=VLF, batch_size=1]"
    (verdict,) = judge(claims_on(maker, [claim])).verdicts

    assert verdict.word == "supported"
    assert verdict.p is not None


def test_why_a_mode_was_not_measured_stands_in_the_table_of_modes(maker):
    study = maker.study({"variant": ["VLF"]}, cost=CostConfig(modes=["eager", "compile"]))
    note = "compile: not measured: RuntimeError: nothing was compiled"
    outcome = maker.cost({"variant": "VLF"}, 10, 1e6, 2.0, notes=[note])
    rows = modes_table(Results(study, [outcome], maker.root)).rows

    missing = [row for row in rows if row[3].text == "not measured"]
    assert [row[3].notes for row in missing] == [(note,), (note,)]


def test_memory_beside_a_compiled_latency_is_said_to_be_of_eager_calls(maker):
    study = maker.study({"variant": ["VLF"]}, cost=CostConfig(modes=["compile"]))
    outcome = maker.cost({"variant": "VLF"}, 10, 1e6, 2.0)
    assert any(isinstance(one, Measurement) for one in outcome.record.measurements)
    results = Results(study, [outcome], maker.root)

    for table in (main_table(results), cost_table(results)):
        assert any("Latency is that of mode compile; memory" in text for text in table.remarks)


def test_the_page_of_one_model_has_no_cost_to_choose_for_an_axis(one_model, two_models):
    keys = {name: [one["key"] for one in measures(found)["metrics"]]
            for name, found in (("one", one_model), ("two", two_models))}  # fmt: skip

    assert "top1" in keys["one"]
    assert "macs" in keys["two"]
    assert not [key for key in keys["one"] if key.startswith(("macs", "parameters", "latency"))]
