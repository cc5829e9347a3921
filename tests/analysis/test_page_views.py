"""The drawing of `report.html`, its views, and the page on a phone and on paper."""

import itertools
import math
import re

import pytest
import yaml
from pages import (
    CHROMIUM,
    EVIL,
    FRAMES,
    YAML,
    choose,
    expected_pixel,
    level,
    points,
    rows,
    saved,
    ticks,
    tool,
)

from analysis.figures.style import looks
from analysis.report.report import write_report
from study.spec.settings import ReportConfig, ViewConfig
from study.spec.study import load_study

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def test_points_stand_where_the_records_say_with_the_intervals_of_the_study(page, frames):
    results, _ = frames
    choose(page, figure="scatter", x="macs", y="top1", logx=True)
    page.locator("#levels button", has_text="all").nth(1).click()

    drawn = points(page)

    assert set(drawn) == set(range(12))
    x_ticks, y_ticks = ticks(page, "x"), ticks(page, "y")
    for number, variant in enumerate(results.variants):
        point, accuracy = drawn[number], results.accuracy(variant)
        assert point["x"] == results.count(variant, "macs")
        assert point["y"] == pytest.approx(accuracy.value, rel=1e-6)
        assert point["overY"] == pytest.approx([accuracy.low, accuracy.high], rel=1e-6)
        assert point["overX"] is None  # a count has no interval
        at = expected_pixel(point["x"], x_ticks, math.log)
        assert at == pytest.approx(point["px"], abs=0.1) == point["box"]
        assert expected_pixel(point["y"], y_ticks) == pytest.approx(point["py"], abs=0.1)


def test_the_selectors_change_metric_device_and_axes(page, frames):
    results, _ = frames
    choose(page, figure="scatter", x="latency@8", y="latency@1", logx=False, logy=True)
    page.locator("#levels button", has_text="all").nth(1).click()

    here = points(page)
    choose(page, device="1")
    away = points(page)

    for number, variant in enumerate(results.variants):
        latency = results.cost(variant, "latency", 8)
        assert here[number]["x"] == pytest.approx(latency.value, rel=1e-6)
        assert here[number]["overX"] == pytest.approx([latency.low, latency.high], rel=1e-6)
        assert away[number]["y"] == pytest.approx(100 + FRAMES[number % 4], rel=0.1)
    low, high = sorted(away.values(), key=lambda point: point["y"])[:: len(away) - 1]
    y_ticks = ticks(page, "y")
    assert expected_pixel(low["y"], y_ticks, math.log) == pytest.approx(low["py"], abs=0.1)
    assert expected_pixel(high["y"], y_ticks, math.log) == pytest.approx(high["py"], abs=0.1)
    assert "Costs on A board." in page.locator("#chart-caption").inner_text()
    told = page.locator("#chart-warning").inner_text()
    assert "12 of 12 cells with a remark, such as VLF, frames 2: made by other code" in told
    assert "other code" in page.locator("#chart .point title").first.text_content()


def test_levels_that_are_not_checked_are_not_drawn(page):
    choose(page, figure="scatter", x="macs", y="top1")
    page.locator("#levels button", has_text="all").nth(1).click()
    level(page, "variant", "VTN-like").uncheck()
    level(page, "data.frames", "2").uncheck()

    assert set(points(page)) == {1, 2, 3, 9, 10, 11}


def test_bars_are_as_long_as_their_values_and_have_intervals(page, frames):
    results, _ = frames
    choose(page, figure="bars", y="top1", logy=False)
    page.locator("#levels button", has_text="all").nth(1).click()

    drawn = points(page)

    for number, variant in enumerate(results.variants):
        accuracy = results.accuracy(variant)
        assert drawn[number]["width"] / drawn[0]["width"] == pytest.approx(
            accuracy.value / results.accuracy(results.variants[0]).value, rel=1e-4
        )
        assert drawn[number]["overX"] == pytest.approx([accuracy.low, accuracy.high], rel=1e-6)
    assert "95 % t interval over 3 seeds" in page.locator("#chart-caption").inner_text()


def test_a_variant_looks_as_in_the_figures_of_the_study(page, frames):
    results, _ = frames
    choose(page, figure="scatter", x="macs", y="top1")
    page.locator("#levels button", has_text="all").nth(1).click()
    corners = {"o": 24, "s": 4, "^": 3}

    drawn = points(page)

    for number, variant in enumerate(results.variants):
        look = looks(results)[variant.levels["variant"]]
        assert drawn[number]["fill"] == look.color
        assert drawn[number]["corners"] == corners[look.marker]


def test_what_cannot_be_drawn_is_told(page):
    choose(page, figure="scatter", x="top1 to baseline", y="top1", logx=False)
    page.locator("#levels button", has_text="all").nth(1).click()
    told = page.locator("#chart-warning")
    assert "4 of 12 chosen cells without these numbers" in told.inner_text()

    choose(page, logx=True)
    assert "have no place on a log axis" in told.inner_text()
    page.locator("#levels button", has_text="none").first.click()
    assert "Nothing to draw" in page.locator("#chart").inner_text()


def test_a_view_of_the_study_file_has_a_button_and_is_shown_first(page):
    assert set(points(page)) == {2, 6, 10}  # at 8 frames
    choose(page, figure="scatter", x="macs", y="top1")

    page.get_by_role("button", name='fast "ones"').click()

    assert page.locator("[name=figure]").input_value() == "bars"
    assert page.locator("[name=y]").input_value() == "latency@8"
    assert set(points(page)) == {2, 6, 10}


def test_a_view_that_is_kept_comes_back_from_its_yaml(page, tmp_path):
    choose(page, figure="scatter", x="latency@8", y="top1", logx=True, device="1")
    level(page, "data.frames", "16").check()
    level(page, "variant", "VLF").uncheck()
    page.locator("[name=viewname]").fill('mine: "#1"')
    page.get_by_role("button", name="Keep this view").click()

    written = saved(page, page.locator("#save-yaml"))

    assert written == page.locator("#yaml").input_value()
    path = tmp_path / "study.yaml"
    path.write_text(YAML + written, "utf-8")
    first, mine = load_study(path).report.views
    assert first == ViewConfig(
        name='fast "ones"', figure="bars", y="latency@8", variants=["data.frames=8"]
    )
    assert mine == ViewConfig(
        name='mine: "#1"', figure="scatter", x="latency@8", y="top1", log=["x"], device="A board",
        variants=[
            "variant=VTN-like", "variant=TimeSformer-like", "data.frames=8", "data.frames=16",
        ],
    )  # fmt: skip
    assert yaml.safe_load(written)["report"]["views"][1]["name"] == 'mine: "#1"'


def test_a_view_without_a_name_or_without_levels_is_not_kept(page):
    keep = page.get_by_role("button", name="Keep this view")
    page.locator("[name=viewname]").fill("")
    keep.click()
    assert "needs a name" in page.locator("#said").inner_text()

    page.locator("[name=viewname]").fill("empty")
    page.locator("#levels button", has_text="none").first.click()
    keep.click()
    assert "at least one level" in page.locator("#said").inner_text()
    assert page.locator("#views button").count() == 1


def test_text_that_would_run_is_text(open_page, hostile):
    page = open_page(hostile)

    choose(page, figure="bars", y="latency@1")
    page.locator("[name=viewname]").fill(EVIL[:80])
    page.get_by_role("button", name="Keep this view").click()
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    written = saved(page, tool(page, "table", "CSV"))
    page.get_by_role("button", name="Enlarge figure 1").click()

    assert written == (hostile / "table.csv").read_text("utf-8")
    assert page.evaluate("window.ran") is None
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator(".failure pre").inner_text() == EVIL
    name = yaml.safe_load(page.locator("#yaml").input_value())["report"]["views"][0]["name"]
    assert name == EVIL[:80]


@pytest.mark.parametrize("report", ["frames", "hostile"])
def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, request, report):
    value = request.getfixturevalue(report)
    page = open_page(
        value[1] if report == "frames" else value, viewport={"width": 360, "height": 740}
    )
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")

    for figure in ("bars", "scatter"):
        choose(page, figure=figure)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    table = page.locator('[data-name="table"] .scroll')
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")  # scrolls in its own box


def test_on_paper_controls_are_away_and_tables_are_whole(page):
    page.emulate_media(media="print")

    for hidden in ("nav", ".tools >> nth=0", "#explore-form", "#yaml-block", "#cells"):
        assert not page.locator(hidden).is_visible()
    assert page.locator("#chart svg").is_visible()
    assert (
        page.locator('[data-name="table"] .scroll').evaluate(
            "box => getComputedStyle(box).overflowX"
        )
        == "visible"
    )


def test_every_control_has_a_name_and_shows_where_the_focus_is(page):
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input, select, textarea")].filter((control) =>
            !(control.textContent.trim() || control.getAttribute("aria-label")
              || control.closest("label")?.textContent.trim())).length"""
    )
    assert nameless == 0
    page.locator(".sort").first.focus()
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_many_rows_are_folded_and_exports_hold_them_all(open_page, maker, tmp_path):
    study = maker.study(
        {"variant": [f"variant {n}" for n in range(60)]},
        report=ReportConfig(baseline={"variant": "variant 0"}, figures=[], tables=[]),
    )
    outcomes = [maker.train({"variant": f"variant {n}"}, 0, 40.0 + n / 2) for n in range(60)]
    write_report(study, outcomes, tmp_path / "report", maker.root)

    page = open_page(tmp_path / "report")

    sentence = page.locator("#answer .verdict").inner_text()
    assert sentence.startswith("Compared with variant 0 (40.0 % top-1): variant 1 gains 0.5 points")
    assert sentence.endswith("; 54 more cells in the table.")
    lines = page.locator("#answer li")
    assert not any(lines.nth(n).is_visible() for n in range(25))
    page.emulate_media(media="print")
    assert all(lines.nth(n).is_visible() for n in range(25))  # on paper nothing unfolds
    page.emulate_media(media="screen")
    page.locator("#answer summary", has_text="25 comparisons in words").click()
    assert lines.count() == 25
    assert lines.last.is_visible()
    assert len(rows(page, "table")) == 40
    assert page.locator(".cell").first.is_hidden()  # folded, until one is asked for
    assert len(saved(page, tool(page, "table", "CSV")).splitlines()) == 61
    tool(page, "table", "Show all 60").click()
    assert len(rows(page, "table")) == 60
    choose(page, figure="bars", y="top1", logy=False)
    assert len(points(page)) == 60
    page.locator('[data-name="table"] tbody a').nth(59).click()
    page.locator("#cell-59 pre").first.wait_for(state="visible")
    by_reach = itertools.pairwise(points(page)[n]["width"] for n in range(60))
    assert all(a < b for a, b in by_reach)
    assert re.search(r"one seed: no interval", page.locator("#chart-caption").inner_text())
