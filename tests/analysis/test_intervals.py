"""Every interval of a report, wherever it is made: none has no width, none leaves the possible."""

import dataclasses
import re

import numpy as np
import pytest
from outcomes import with_record

from analysis.figures.seeds import draw_seeds
from analysis.figures.style import house_style
from analysis.report.page.measures import measures
from analysis.results.results import Results
from analysis.stats.estimates import Estimate
from analysis.stats.format import MINUS, interval, p_value, signed
from analysis.tables import TABLES
from analysis.tables.main import main_table
from vlf.config import load_object

G, H = "model.spatial_depth", "model.spatiotemporal_depth"
ENDS = re.compile(rf"\[([+{MINUS}\d.]+), ([+{MINUS}\d.]+)\]")


def results_of(maker, tops, claims=()):
    """`tops`: (g, h) -> top-1 by seed; the rounds of every timing are all equal."""
    outcomes = []
    for number, ((g, h), values) in enumerate(tops.items()):
        levels = {G: f"g{g}", H: f"h{h}"}
        outcomes += [maker.train(levels, seed, top1) for seed, top1 in enumerate(values)]
        cost = maker.cost(levels, 1000, 1e6, 2.0 + number)
        same = tuple(
            dataclasses.replace(one, samples=(one.samples[0],) * len(one.samples))
            for one in cost.record.measurements
        )
        outcomes.append(with_record(cost, measurements=same))
    study = maker.study({G: ["g0", "g1"], H: ["h1", "h2"]}, claims=claims)
    report = study.report.model_copy(update={"baseline": {G: "g0"}})
    return Results(dataclasses.replace(study, report=report), outcomes, maker.root)


def intervals(results):
    """(table, text, low, high) of every interval in every table."""
    for name, entry in TABLES.items():
        table = load_object(entry)(results)
        for row in table.rows if table else ():
            for cell in row:
                for low, high in ENDS.findall(cell.text):
                    yield name, cell.text, *(float(x.replace(MINUS, "-")) for x in (low, high))


CLAIMS = (
    "top1[g1, h1] > top1[g0, h1]",
    "top1[g1, h2] > 20",
    "latency[g1, h1] < 2 * latency[g0, h1]",
)


def test_where_seeds_and_rounds_agree_no_table_and_no_selector_shows_an_interval(maker):
    tops = {(g, h): (50.0, 50.0, 50.0) for g in (0, 1) for h in (1, 2)}
    results = results_of(maker, tops, CLAIMS)

    # Clips are drawn anew for each seed, so classes and clips do have a spread.
    found = [
        one for one in intervals(results) if one[0] not in ("classes", "class_changes", "clips")
    ]
    assert found == []
    (tops1,) = [i for i, name in enumerate(main_table(results).header) if name.startswith("top-1")]
    entry = main_table(results).rows[0][tops1]
    assert entry.text == "50.0"
    assert "no interval: equal in all 3 seeds, which does not show certainty" in entry.notes
    values = [v for cell in measures(results)["cells"] for v in cell["values"].values()]
    values += [
        v for c in measures(results)["cells"] for d in c["costs"].values() for v in d.values()
    ]
    assert values
    assert all(low is None and high is None for _, low, high, _ in values)
    with house_style():
        drawing = draw_seeds(results)
    assert not drawing.figure.axes[0].findobj(lambda one: one.get_gid() == "interval")
    assert "none where they agree" in drawing.caption


def test_no_interval_of_an_accuracy_leaves_what_is_possible(maker):
    # Two seeds: t(0.975, 1) is 12.7, so that every interval would reach beyond.
    tops = {(0, 1): (1.0, 20.0), (1, 1): (60.0, 99.0), (0, 2): (90.0, 30.0), (1, 2): (0.0, 40.0)}
    results = results_of(maker, tops)

    limits = {"effects": (-200, 200), "clips": (-100, 100)}
    limits |= {"class_changes": (-100, 100), "classes": (0, 100)}
    seen = set()
    for name, text, low, high in intervals(results):
        if name == "main":
            limit = (-100, 100)
        elif name in limits and "times" not in text:
            limit = limits[name]
        else:
            continue
        seen.add(name)
        assert limit[0] <= low <= high <= limit[1], (name, text)
    assert {"main", "effects", "class_changes", "classes", "clips"} <= seen
    texts = [row[2].text for row in load_object(TABLES["effects"])(results).rows]
    assert any(f"[{MINUS}200.0, +200.0]" in text for text in texts)  # of the interaction
    assert any(f"[{MINUS}100.0, +100.0]" in text for text in texts)


@pytest.mark.parametrize(
    ("found", "decimals", "text"),
    [
        (Estimate(99.98, 99.96, 99.994, 3), 1, "99.98 [99.96, 99.99]"),
        (Estimate(84.2, 81.0, 87.4, 3), 1, "84.2 [81.0, 87.4]"),
        (Estimate(1.001, 0.9991, 1.0012, 9), 2, "1.001 [0.999, 1.001]"),
        (Estimate(50.0, None, None, 3), 1, "50.0"),
    ],
)
def test_an_interval_narrower_than_its_digits_gets_more_of_them(found, decimals, text):
    assert interval(found, decimals) == text


def test_no_number_is_a_negative_zero():
    found = Estimate(-0.01, -0.04, 0.04, 3)

    assert interval(found, 1, signed) == f"{MINUS}0.01 [{MINUS}0.04, +0.04]"
    assert signed(-0.01, 1) == "0.0"
    assert not np.signbit(float(signed(-0.0, 1)))


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.00004, "< 0.001"), (0.0496, "0.0496"), (0.0504, "0.0504"), (0.05, "0.050"), (0.3, "0.300")],
)
def test_a_p_value_does_not_hide_on_which_side_of_five_percent_it_is(p, text):
    assert p_value(p) == text
