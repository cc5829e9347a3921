"""The number of views stands beside the costs, which are of one."""

from outcomes import texts_of

from analysis.results.results import Results
from analysis.tables.cost import cost_table
from analysis.tables.main import main_table

REMARK = "are of one view"


def results(maker, views):
    study = maker.study({"variant": ["VLF", "TSN"]})
    outcomes = []
    for variant, some in views.items():
        levels = {"variant": variant}
        outcomes += [maker.train(levels, seed, 50.0, views=v) for seed, v in enumerate(some)]
        outcomes.append(maker.cost(levels, 1000, 1e6, 2.0))
    return Results(study, outcomes, maker.root)


def test_views_have_a_column_beside_macs_where_they_are_not_one(maker):
    found = results(maker, {"VLF": [30, 30], "TSN": [1, 1]})
    table = main_table(found)
    assert texts_of(table, "views") == ["30", "1"]
    assert table.header.index("views") < next(
        at for at, name in enumerate(table.header) if name.startswith("MACs")
    )
    assert any(REMARK in remark for remark in table.remarks)
    assert any(REMARK in remark for remark in cost_table(found).remarks)


def test_one_view_everywhere_needs_no_texts_of(maker):
    found = results(maker, {"VLF": [1], "TSN": [1]})
    assert "views" not in main_table(found).header
    assert not any(
        REMARK in remark for t in (main_table, cost_table) for remark in t(found).remarks
    )


def test_a_cell_without_a_result_has_no_number_of_views(maker):
    found = results(maker, {"VLF": [3], "TSN": []})
    assert texts_of(main_table(found), "views") == ["3", texts_of(main_table(found), "views")[1]]
    assert not texts_of(main_table(found), "views")[1].isdigit()
