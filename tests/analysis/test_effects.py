import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.formula.api as smf
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multitest import multipletests

from analysis.figures.effects import draw_effects
from analysis.figures.style import house_style
from analysis.findings.effects import effects_of
from analysis.prose.answer import answer_lines
from analysis.results.results import Results
from analysis.tables.effects import effects_table

G, H = "model.spatial_depth", "model.spatiotemporal_depth"


def results_of(maker, tops, seeds=None, **changes):
    """`tops`: (g, h) -> top-1 of each seed."""
    factors = {name: sorted({key[i] for key in tops}) for i, name in enumerate((G, H))}
    outcomes = [
        maker.train({G: str(g), H: str(h)}, seed, top1)
        for (g, h), values in tops.items()
        for seed, top1 in enumerate(values)
    ]
    return Results(maker.study(factors, **changes), outcomes, maker.root)


def random_tops(seed, seeds=5, levels=((0, 1), (1, 2))):
    rng = np.random.default_rng(seed)
    return {key: tuple(rng.normal(60, 4, seeds).round(1)) for key in itertools.product(*levels)}


def frame_of(tops):
    return pd.DataFrame(
        [
            {"g": g, "h": h, "seed": seed, "top1": top1}
            for (g, h), values in tops.items()
            for seed, top1 in enumerate(values)
        ]
    )


def only(effects, kind, **wanted):
    found = [
        e for e in effects if e.kind == kind and all(getattr(e, k) == x for k, x in wanted.items())
    ]
    assert len(found) == 1
    return found[0]


def test_effects_are_worked_out_by_hand(maker):
    # g adds 4 and 6 at h 1, so 5; it adds 1 and 3 at h 2, so 2; on average 2.5 and 4.5, so 3.5
    tops = {(0, 1): (50, 60), (1, 1): (54, 66), (0, 2): (70, 80), (1, 2): (71, 83)}

    effects = effects_of(results_of(maker, tops))

    main = only(effects, "main", factor=G)
    assert main.values == {0: 2.5, 1: 4.5}
    assert main.difference.value == 3.5
    # t with one degree of freedom: 3.5 +- 12.706 * 1
    assert (main.difference.low, main.difference.high) == pytest.approx((-9.206, 16.206), abs=1e-3)
    assert only(effects, "simple", factor=G, at={H: "1"}).difference.value == 5
    assert only(effects, "simple", factor=G, at={H: "2"}).difference.value == 2
    assert only(effects, "interaction").values == {0: -3.0, 1: -3.0}


def test_two_by_two_agrees_with_repeated_measures_anova(maker):
    tops = random_tops(1)
    frame = frame_of(tops)
    truth = AnovaRM(frame, "top1", "seed", within=["g", "h"]).fit().anova_table["Pr > F"]

    effects = effects_of(results_of(maker, tops))

    assert only(effects, "main", factor=G).difference.p == pytest.approx(truth["g"])
    assert only(effects, "main", factor=H).difference.p == pytest.approx(truth["h"])
    assert only(effects, "interaction").difference.p == pytest.approx(truth["g:h"])


def test_the_values_of_a_larger_grid_agree_with_least_squares(maker):
    tops = random_tops(2, levels=((0, 1, 2), (1, 2, 3)))
    frame = frame_of(tops)
    fit = smf.ols("top1 ~ C(g) * C(h) + C(seed)", frame).fit().params

    effects = effects_of(results_of(maker, tops))

    for g, h in itertools.product((1, 2), (2, 3)):
        found = only(effects, "interaction", level=str(g), at={H: str(h)})
        assert found.difference.value == pytest.approx(fit[f"C(g)[T.{g}]:C(h)[T.{h}]"])
    first = only(effects, "simple", factor=G, level="2", at={H: "1"})
    assert first.difference.value == pytest.approx(fit["C(g)[T.2]"])
    assert len([e for e in effects if e.kind == "main"]) == 4


def test_main_effects_and_interactions_are_corrected_together(maker):
    effects = effects_of(results_of(maker, random_tops(3)))

    tested = [e for e in effects if e.kind != "simple"]
    truth = multipletests([e.difference.p for e in tested], method="holm")[1]
    assert [e.p_holm for e in tested] == pytest.approx(truth)
    assert all(e.p_holm is None for e in effects if e.kind == "simple")


def test_the_baseline_says_what_levels_are_compared_with(maker):
    tops = random_tops(4)
    study = results_of(maker, tops).study
    report = study.report.model_copy(update={"baseline": {G: "1", H: "2"}})

    effects = effects_of(results_of(maker, tops, report=report))

    assert only(effects, "main", factor=G).reference == "1"
    assert only(effects, "main", factor=H).reference == "2"


def test_a_grid_with_holes_averages_what_there_is_and_says_so(maker):
    tops = random_tops(5, levels=((0, 1), (1, 2, 3)))
    del tops[1, 3]
    results = results_of(maker, tops)

    main = only(effects_of(results), "main", factor=G)

    assert main.of == (2, 3)
    notes = effects_table(results).footnotes
    assert "over 2 of 3 combinations, the others are not in the study" in notes


def test_one_factor_or_single_changes_are_no_factorial_design(maker, seven_study):
    assert effects_of(Results(seven_study, maker.seven(), maker.root)) == []
    tops = random_tops(6)
    del tops[1, 2]  # one at a time: no cell has both changes
    results = results_of(maker, tops)
    assert effects_of(results) == []
    assert effects_table(results) is None


def test_only_seeds_that_all_cells_of_an_effect_have_count(maker):
    tops = random_tops(7)
    tops[1, 2] = tops[1, 2][:3]

    effects = effects_of(results_of(maker, tops))

    assert only(effects, "interaction").difference.n == 3
    assert only(effects, "simple", factor=G, at={H: "1"}).difference.n == 5


def test_intervals_hold_where_cells_differ_in_spread_and_pooled_ones_do_not():
    # A cell with five times the spread of the others, as training gives: see docs/results.md.
    rng = np.random.default_rng(8)
    spread = np.array([1.0, 1.0, 1.0, 5.0])  # of (0,1), (1,1), (0,2), (1,2)
    other = np.array([0.0, 0.0, -1.0, 1.0])  # g at h 2: one of them is the unsteady one
    seeds, trials = 4, 4000
    covered = {"own": 0, "pooled": 0}
    for _ in range(trials):
        y = rng.normal(0, spread, (seeds, 4))
        d = y @ other
        half = scipy.stats.t.ppf(0.975, seeds - 1) * d.std(ddof=1) / math.sqrt(seeds)
        covered["own"] += abs(d.mean()) <= half
        residual = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
        degrees = (seeds - 1) * 3
        error = math.sqrt((residual**2).sum() / degrees * (other @ other) / seeds)
        covered["pooled"] += abs(d.mean()) <= scipy.stats.t.ppf(0.975, degrees) * error
    assert covered["own"] / trials == pytest.approx(0.95, abs=0.014)
    assert covered["pooled"] / trials < 0.90


def test_the_forest_plot_has_each_effect_with_its_interval_and_seeds(maker):
    results = results_of(maker, random_tops(9))
    effects = effects_of(results)
    with house_style():
        axes = draw_effects(results).figure.axes[0]

    lines = axes.get_lines()
    points = [line for line in lines if line.get_gid() in ("main", "simple", "interaction")]
    assert [line.get_xdata()[0] for line in points] == [e.difference.value for e in effects]
    seeds = [line for line in lines if line.get_gid() == "seeds"]
    assert [list(line.get_xdata()) for line in seeds] == [list(e.values.values()) for e in effects]
    spans = [tuple(line.get_xdata()) for line in lines if len(set(line.get_ydata())) == 1]
    assert {(e.difference.low, e.difference.high) for e in effects} <= set(spans)


def test_the_answer_says_what_g_gives_on_average_and_at_each_depth_of_h(maker):
    tops = {
        (0, 1): (50.0, 51.0, 49.5, 50.2),
        (1, 1): (55.1, 55.9, 54.6, 55.0),
        (0, 2): (60.0, 61.0, 59.5, 60.2),
        (1, 2): (65.0, 66.1, 64.4, 65.3),
    }

    line = answer_lines(results_of(maker, tops))[0]

    start = "spatial depth 1 vs. 0, on average: top-1 is higher by 5.0 points "
    assert line.startswith(f"{start}(95 % CI +4.9 to +5.1, Holm p < 0.001, 4 seeds)")
    assert "; at spatiotemporal depth 1 +5.0 (+4.7 to +5.2), at spatiotemporal depth 2 +5.0" in line
    assert "no significant interaction with another factor" in line


def test_the_answer_tells_a_dependence_only_where_its_corrected_p_does(maker):
    tops = {
        (0, 1): (50.0, 51.0, 49.5, 50.2),
        (1, 1): (55.1, 55.9, 54.6, 55.0),
        (0, 2): (60.0, 61.0, 59.5, 60.2),
        (1, 2): (60.1, 61.0, 59.4, 60.3),
    }

    assert (
        "; significant interaction with another factor" in answer_lines(results_of(maker, tops))[0]
    )


def test_one_seed_gives_effects_without_interval(maker):
    tops = {key: values[:1] for key, values in random_tops(10).items()}
    results = results_of(maker, tops)

    assert all("[" not in row[2].text for row in effects_table(results).rows)
    assert "one seed: no interval" in answer_lines(results)[0]
